"""Models that do harm, a file each in ``tests/faults``: each costs its own run at most, and one sentence says why.

So do data sets, in ``tests/faults/data``.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pytest
from commands import ROOT, environment
from filelock import FileLock
from tiny import make_tiny

from bench.records.record import FailedRun, Record
from bench.records.store import ResultStore

FOLDER = ROOT / "tests" / "faults"
APART = ("deletes_data", "deletes_results", "kills_its_parent")  # whose neighbours are not as without them
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in APART)
DATA = sorted(path.stem for path in (FOLDER / "data").glob("[!_]*.py"))
BUDGET = ("train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=8")
LIMIT_S = 20
MARK = "FAULT_MARK"  # in the environment of every process of a command, and of those that it leaves


@dataclass(frozen=True)
class Command:
    """A command that was run.

    Attributes:
        results: Its results folder.
        code: Its exit code.
        text: All that it printed.
        left: Processes that outlived it.
    """

    results: str
    code: int
    text: str
    left: list[int]

    @cached_property
    def records(self) -> dict[str, Record]:
        """By model."""
        return {record.model: record for record in ResultStore(Path(self.results)).records()}


def install(folder: Path) -> None:
    """Register all models of the folder as one installed package."""
    about = folder / "faults-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faults\nVersion: 0.1\n", encoding="utf-8")
    names = (path.stem for path in FOLDER.glob("*.py"))
    lines = ["[stbench.models]", *(f"{name} = faults.{name}" for name in names)]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def stbench(
    command: str, names: Sequence[str], folder: Path, *more: str, mark: str, data: Sequence[str] = ()
) -> Command:
    """Run or tune these models on ``tiny`` and on faulty data, in a folder below that of the data."""
    results, paths = folder / "results", (str(folder), str(FOLDER.parent), str(ROOT))
    models = [word for name in names for word in ("--model", name)]
    models += [word for name in data for word in ("--dataset", str(FOLDER / "data" / f"{name}.py"))]
    budget = [word for setting in BUDGET for word in ("--set", setting)]
    chosen = ["--dataset", "tiny", "--data-dir", "data", "--results", "results", "--no-track", "--threads", "1"]
    seed = ["--seed", "0"] if command == "run" else []
    ran = subprocess.run(
        [sys.executable, "-m", "bench", command, *chosen, *models, *budget, *seed, *more],
        cwd=folder,
        env={
            **environment(),
            MARK: mark,
            "PYTHONPATH": os.pathsep.join(paths),
            "FAULT_RESULTS": str(results),
            "FAULT_DATA": str(folder / "data"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Command(results=str(results), code=ran.returncode, text=ran.stdout, left=_marked(mark))


def _marked(mark: str) -> list[int]:
    """The processes that have this mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}\0".encode() in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:  # gone, or somebody else's
            continue
    return found


def expected_of(name: str, folder: Path = FOLDER) -> str | None:
    """What the record of a failed run says; None if the run comes to its end. An import of the file may end us."""
    for node in ast.parse((folder / f"{name}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXPECTED":
            value: str | None = ast.literal_eval(node.value)
            return value
    raise AssertionError(f"{name} does not say what is expected")


def said(record: Record) -> str:
    return str(record.error) if isinstance(record, FailedRun) else "done"


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """All of them in one command, which the first process of the tests that wants it runs."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "faults"
    with FileLock(f"{folder}.lock"):
        if not (kept := folder / "ran.json").exists():
            folder.mkdir()
            make_tiny(folder)
            install(folder)
            limit = ("--jobs", "2", "--time-limit", str(LIMIT_S))
            ran = stbench("run", NAMES, folder, *limit, mark=f"{folder.stat().st_ino}", data=DATA)
            kept.write_text(json.dumps(asdict(ran)), encoding="utf-8")
        return Command(**json.loads(kept.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fault_costs_its_own_run_and_says_why(name: str, together: Command) -> None:
    expected, text = expected_of(name), said(together.records[name])
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 1200
    if expected is None:
        assert text == "done"
    else:
        assert re.search(expected, text), text
        assert f"✗ tiny / {name} / seed 0: {text}" in together.text


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
def test_data_that_cannot_be_read_are_left_out_and_it_is_said_why_before_the_runs_and_at_the_end(
    name: str, together: Command
) -> None:
    lines = together.text.splitlines()
    first, last = (number for number, line in enumerate(lines) if line.startswith(f"left out: {name}: "))
    assert lines[first] == lines[last]
    assert re.search(expected_of(name, FOLDER / "data") or "", lines[first]), lines[first]
    assert len(lines[first]) < 1300
    marks = [number for number, line in enumerate(lines) if line[:1] in "✓✗"]
    assert first < min(marks) < max(marks) < last
    assert name not in {record.dataset for record in together.records.values()}


@pytest.mark.slow
def test_a_command_with_many_faults_ends_as_any_other_and_leaves_nothing(together: Command) -> None:
    assert together.code == 1
    failed = sum(isinstance(record, FailedRun) for record in together.records.values())
    assert f"{len(NAMES) - failed} done, 0 already there, {failed} failed; tables" in together.text
    assert "Traceback" not in together.text
    assert together.text.replace("\n", "").isprintable()
    assert len(together.text) < 500_000
    assert together.left == []


@pytest.mark.slow
def test_what_deletes_results_or_data_or_ends_the_fork_server_fails_the_runs_that_lose_by_it(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    install(tmp_path)
    names = ("kills_its_parent", "window_mean", "deletes_results", "deletes_data", "healthy", "last_value")
    ran = stbench("run", names, tmp_path, "--jobs", "1", mark=f"{tmp_path.stat().st_ino}")
    assert ran.code == 1
    assert set(ran.records) == set(names)
    assert re.search(expected_of("kills_its_parent") or "", said(ran.records["kills_its_parent"]))
    lost = "is gone: something deletes files of the results|was removed while|there is no|ended with exit code 255"
    for name, record in ran.records.items():
        if isinstance(record, FailedRun):
            assert re.search(lost, said(record)), said(record)
            assert f"{name} / seed 0: {said(record)}" in ran.text
    assert "Traceback" not in ran.text
    assert ran.left == []


@pytest.mark.slow
def test_a_trial_that_ends_its_process_has_failed_and_the_other_studies_go_on(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    install(tmp_path)
    mark = f"{tmp_path.stat().st_ino}"
    ran = stbench("tune", ["os_exit", "healthy"], tmp_path, "--trials", "1", mark=mark, data=["raises"])
    assert ran.code == 1
    assert (
        "✗ 5 trials of tiny / os_exit in a row failed, the last with: WorkerError: the process of this run" in ran.text
    )
    tuned = tmp_path / "results" / "tuned"
    assert [str(path.relative_to(tuned)) for path in tuned.rglob("*.toml")] == ["tiny/healthy.toml"]
    assert ran.text.count("left out: raises: the reader of 'raises' ended with ValueError") == 2
    assert ran.left == []
