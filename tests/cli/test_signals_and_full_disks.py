"""What comes from outside: a signal while the command is still being loaded, and a disk that takes no more."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, environment
from kills import left_behind

from bench.__main__ import _sentence
from bench.errors import NoSpaceError, StoreError, unwritten

SLOW_LIBRARY = "import time\nprint('here', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_are_loaded_ends_the_command_without_a_word(
    sign: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "typer.py").write_text(SLOW_LIBRARY)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "list"],
        cwd=ROOT,
        env={**environment(), "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(sign)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -sign


def test_of_files_that_cannot_be_written_those_that_find_no_space_say_so() -> None:
    for number in ("ENOSPC", "EDQUOT", "EFBIG"):
        code = getattr(__import__("errno"), number)
        assert isinstance(unwritten("the file", OSError(code, os.strerror(code))), NoSpaceError)
    assert isinstance(unwritten("the file", OSError("512 requested and 12 written")), NoSpaceError)
    assert isinstance(unwritten("the file", RuntimeError("unexpected pos 64 vs 0")), NoSpaceError)
    forbidden = unwritten("the file", PermissionError(13, "Permission denied"))
    assert type(forbidden) is StoreError
    rest = "check the folder's rights, or name another, such as by --results or results="
    assert str(forbidden) == f"the file cannot be written (Permission denied); {rest}"


def test_a_folder_that_takes_nothing_is_told_with_the_way_out_by_every_command() -> None:
    said = _sentence(OSError(errno.EROFS, "Read-only file system", "results/locks/x.lock"))
    assert said.startswith("results/locks/x.lock cannot be written (Read-only file system); check")
    assert said.endswith("such as by --results or results=")


@pytest.mark.slow
def test_a_quota_that_a_checkpoint_reaches_is_one_sentence_and_the_same_command_goes_on(
    tiny: Path, tmp_path: Path
) -> None:
    def run(most: int) -> subprocess.CompletedProcess[str]:
        budget = ("--set", "train.epochs=1", "--set", "train.steps_per_epoch=2", "--set", "train.batch_size=8")
        where = ("--data-dir", str(tiny), "--results", str(tmp_path / "results"), "--no-track", "--seed", "0")
        return subprocess.run(
            [sys.executable, "-m", "bench", "run", "--model", "stid", "--dataset", "tiny", *where, *budget],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        )

    full = run(65_536)
    assert full.returncode == 2
    (line,) = full.stderr.splitlines()
    assert line.startswith(f"error: the checkpoint {tmp_path / 'results' / 'checkpoints'}/")
    assert "cannot be written: space on the disk may be out, or a quota" in line
    assert left_behind(tmp_path / "results") == []
    assert list((tmp_path / "results").glob("runs/*/*/*")) == []
    again = run(resource.RLIM_INFINITY)
    assert again.returncode == 0, again.stderr
    assert "1 done" in again.stdout
