"""A supplement in another checkout, from another folder: its tables are checked, and a row is made again."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hostile import model_text

import bench
from bench.analysis.supplement import supplement, write_zip
from bench.catalog import own_files, registry
from bench.records.record import DoneRun

TEXT = '"""My model: a line."""\n' + model_text(
    "return parts.kept(repeated(window.history[:, -1:], window)) + self.level", top="import parts"
)
TITLES = True  # as another process knows them
SMALL = {"train.epochs": 1, "train.steps_per_epoch": 2, "train.batch_size": 8}


def stbench(checkout: Path, home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of another checkout, in another folder."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "COLUMNS": "200", **variables}
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


def made_again(checkout: Path, home: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of the supplement, into another results folder."""
    words = shlex.split(command.replace("DIR", "data").replace("\\\n", " "))
    words[words.index("--results") + 1] = "again"
    return stbench(checkout, home, *words, "--no-track", **variables)


@pytest.fixture
def unpacked(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The supplement of a model and a data set of the user's own, whose files are gone."""
    monkeypatch.setenv(own_files.VARIABLE, "")
    for name, text in {"mine": TEXT, "parts": "def kept(x): return x\n"}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    asked = {"datasets": ["tiny"], "seeds": [0], "settings": SMALL, "data_dir": tiny, "results": tmp_path / "results"}
    results = bench.run(models=[str(tmp_path / "mine.py"), "last_value"], **asked)  # type: ignore[arg-type]
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])
    write_zip(supplement(results, tmp_path / "results", (), lambda _: None, tiny), tmp_path / "supplement.zip")
    with zipfile.ZipFile(tmp_path / "supplement.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    for path in tmp_path.glob("*.py"):
        path.unlink()
    return tmp_path / "unpacked"


@pytest.mark.slow
def test_an_unpacked_supplement_is_checked_and_made_again_in_another_checkout(unpacked: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for package in own_files.OURS:
        shutil.copytree(registry.ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (unpacked / "README.txt").read_text(encoding="utf-8")
    (check,) = re.findall(r"stbench (tables .*)", text)
    checked = stbench(checkout, unpacked, *shlex.split(check))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all are as they say" in checked.stdout
    (listed,) = re.findall(rf"export {own_files.VARIABLE}=(.*)", text)
    (command,) = (words for words in re.findall(r"stbench (run(?:.*\\\n)*.*)", text) if "--variant mine" in words)
    absent = made_again(checkout, unpacked, command)
    assert absent.returncode == 2
    assert "there is no model named 'mine'" in absent.stderr
    present = made_again(checkout, unpacked, command, **{own_files.VARIABLE: listed})
    assert present.returncode == 0, present.stdout + present.stderr
    (mine,) = (made for made in bench.load_results(unpacked / "results").records if made.model == "mine")
    (again,) = bench.load_results(unpacked / "again").records
    assert isinstance(mine, DoneRun)
    assert isinstance(again, DoneRun)
    assert (again.run_id, again.scores) == (mine.run_id, mine.scores)


@pytest.mark.slow
def test_a_supplement_of_a_file_that_was_edited_since_is_of_the_runs_and_says_so(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(own_files.VARIABLE, "")
    mine, results = tmp_path / "mine.py", tmp_path / "results"
    text = model_text("return repeated(window.history[:, -1:], window) + self.level")
    mine.write_text(text, encoding="utf-8")
    bench.run(models=[mine], datasets=["tiny"], settings=SMALL, data_dir=tiny, results=results, on_line=None)
    mine.write_text(text.replace("+ self.level", "- self.level"), encoding="utf-8")
    told = stbench(registry.ROOT, tmp_path, "export", "--results", "results", **{own_files.VARIABLE: str(mine)})
    assert told.returncode == 0, told.stderr
    assert "edited since its last run: mine; the supplement has these runs and the code that made them" in told.stderr
    with zipfile.ZipFile(results / "supplement.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "plugins" / "mine" / "mine.py").read_text(encoding="utf-8") == text
    for variables in ({own_files.VARIABLE: "plugins/mine/mine.py"}, {own_files.VARIABLE: ""}):
        checked = stbench(registry.ROOT, tmp_path / "unpacked", "tables", "--check", **variables)
        assert (checked.returncode, checked.stderr) == (0, "")
    mine.write_text(text, encoding="utf-8")
    again = stbench(registry.ROOT, tmp_path, "export", "--force", **{own_files.VARIABLE: str(mine)})
    assert "edited" not in again.stdout + again.stderr
