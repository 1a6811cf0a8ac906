"""Memory of commands is measured over all of their processes, and arrays are known to be large and small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from resident import on_linux

from bench.catalog.importing import import_array
from bench.perf import memory
from bench.perf._large_files import KINDS, written_as
from bench.perf.memory import Peaks, higher, watched, write_counts

MIB = 2**20
FILLING = """
import subprocess, sys, time
content = bytearray({mib} * 2**20)
content[::4096] = b"x" * len(content[::4096])
if {children}:
    subprocess.run([sys.executable, "-c", {inner!r}], check=True)
time.sleep(0.4)
"""


def filling(mib: int, inner: str = "") -> str:
    return FILLING.format(mib=mib, children=bool(inner), inner=inner)


@on_linux
def test_all_processes_count_together_and_the_largest_by_itself() -> None:
    idle = watched([sys.executable, "-c", filling(0)])
    peaks = watched([sys.executable, "-c", filling(60, filling(100))])
    assert 90 < peaks.rss - idle.rss < 130
    assert 150 < peaks.anonymous - idle.anonymous < 200
    assert peaks.pss - idle.pss > 150
    assert peaks.seconds > 0.4


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        watched([sys.executable, "-c", "raise SystemExit(3)"])


def test_of_two_looks_the_higher_of_each_counts() -> None:
    assert higher(Peaks(rss=1, pss=5, anonymous=2), Peaks(rss=3, pss=4, anonymous=6)) == Peaks(
        rss=3, pss=5, anonymous=6
    )


def test_the_array_is_written_in_pieces_and_nowhere_constant(tmp_path: Path) -> None:
    write_counts(tmp_path / "large.npy", (3000, 2, 16, 16))
    values = np.load(tmp_path / "large.npy")
    assert values.shape == (3000, 2, 16, 16)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert (values.std(axis=0) > 0).all()


def test_an_array_is_as_often_in_memory_as_the_large_one_takes_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def peaks(command: list[str]) -> Peaks:
        large = command[-1].endswith("-large") or "large.npy" in " ".join(command)
        return Peaks(rss=100 + 30 * large, pss=200 + 60 * large, anonymous=50, seconds=1)

    monkeypatch.setattr(memory, "watched", peaks)
    bed = memory.Bed(tmp_path, 32, {"small": 10, "large": 10 + 20 * MIB // (2 * 32 * 32 * 4)}, (), 9)
    for step in ("import npy", "stid"):
        row = bed.row(step)
        assert (row["times the array"], row["all processes"], row["anonymous"]) == (1.5, 3.0, 0.0)
        assert row["holds"] is False
    assert bed.row("dry run")["holds"] is None
    assert "train.steps_per_epoch=9" in bed.command("stid", "large")
    assert "--dry-run" in bed.command("dry run", "small")


@pytest.mark.parametrize(
    ("step", "times", "together", "holds"),
    [
        ("import npy", 1.25, 1.0, True),
        ("import h5", 1.5, 1.0, False),
        ("last_value", 1.0, 1.5, False),
        ("stid", 1.5, 1.5, True),
        ("stid", 1.5, 1.75, False),
    ],
)
def test_what_is_wanted_holds_of_the_largest_process_and_of_all_together(
    step: str, times: float, together: float, holds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([Peaks(), Peaks(rss=16 * times, pss=16 * together)])
    monkeypatch.setattr(memory, "watched", lambda command: next(found))
    bed = memory.Bed(tmp_path, 32, {"small": 10, "large": 10 + 16 * MIB // (2 * 32 * 32 * 4)}, (), 9)
    row = bed.row(step)
    assert (row["wanted"], row["holds"]) == (f"at most {1.6 if step == 'stid' else 1.3}", holds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind_holds_the_array_and_is_imported(kind: str, tmp_path: Path) -> None:
    write_counts(tmp_path / "small.npy", (40, 2, 4, 4))
    file = written_as(kind, tmp_path / "small.npy")
    assert file.suffix == f".{kind}"
    (tmp_path / "small.toml").write_text(memory.CARD.format(name="small", cells=4))
    _, folder = import_array(file, tmp_path / "small.toml", tmp_path / "data")
    np.testing.assert_array_equal(np.load(folder / "data.npy"), np.load(tmp_path / "small.npy"))


def test_the_files_of_an_import_are_removed_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = []
    monkeypatch.setattr(memory, "watched", lambda command: there.append(Path(command[5]).exists()) or Peaks())
    bed = memory.Bed(tmp_path, 4, {"small": 10, "large": 20}, (), 9)
    bed.row("import zarr")
    assert there == [True, True]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npy", ".npy", ".toml", ".toml"]
