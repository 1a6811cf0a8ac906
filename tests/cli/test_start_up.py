"""Commands with nothing to run load no library that only a run needs, and no array."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from commands import ROOT, environment
from records import record

from bench.catalog.data import Catalog
from bench.cli import run as run_command
from bench.records.store import ResultStore
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite

HEAVY = ("torch", "mlflow", "timm", "pandas", "matplotlib", "scipy", "h5py")
WHOLE_ARRAY = """
from bench.catalog import data
def load(*_):
    raise AssertionError('an array was loaded')
data.Catalog.load = data.build = load
"""


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> list[str]:
    """Of a plan of two runs, which the store has."""
    results = tmp_path / "results"
    catalog = Catalog(data_dir=tiny, cache=results / "cache")
    selection = Selection(models=("last_value",), datasets=("tiny", "tiny2"))
    for run in plan(load_suite("short_term"), selection, catalog):
        made = msgspec.structs.replace(record(), run_id=run.run_id, code=run.code, spec=run.spec, label=run.label)
        ResultStore(results).write(made)
    datasets = [word for name in selection.datasets for word in ("--dataset", name)]
    return ["--model", "last_value", *datasets, "--data-dir", str(tiny), "--results", str(results)]


def loaded(*arguments: str) -> tuple[list[str], str]:
    """What of ``HEAVY`` a command has loaded in the end, and what it printed."""
    program = (
        f"import sys\nfrom bench.__main__ import main\n{WHOLE_ARRAY}sys.argv = ['stbench', *{[*arguments]!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('HEAVY', *(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    text, _, names = answer.stdout.rpartition("HEAVY")
    return names.split(), text


def test_a_run_with_nothing_to_do_loads_nothing_heavy_and_shows_the_scores(options: list[str]) -> None:
    loaded("run", *options)  # writes the tables
    heavy, text = loaded("run", *options)
    assert heavy == []
    assert "0 done, 2 already there, 0 failed" in text
    assert "1.25" in text
    assert "short_term.md" in text
    assert f"lacks any of the 2 that were there already, this fills it in: stbench sync --results {options[-1]}" in text


def test_status_and_a_dry_run_load_nothing_heavy(options: list[str]) -> None:
    heavy, text = loaded("status", *options)
    assert (heavy, "2 done" in text) == ([], True)
    heavy, text = loaded("run", *options, "--dry-run")
    assert (heavy, "0 of 2 runs to do" in text) == ([], True)


def test_a_run_imports_torch_in_its_own_process_alone(options: list[str]) -> None:
    heavy, text = loaded("run", *options[:4], *options[6:], "--set", "task.history=5", "--no-track")
    assert "torch" not in heavy
    assert "1 done, 0 already there, 0 failed" in text


def test_a_dry_run_tries_how_fast_runs_are_in_other_processes(options: list[str]) -> None:
    heavy, text = loaded("run", *options, "--dry-run", "--seed", "7", "--set", "task.history=5")
    assert heavy == []
    assert "2 of 2 runs to do, about" in text


def test_the_line_of_the_quick_profile_names_the_limits_that_there_are(tiny: Path, tmp_path: Path) -> None:
    def line(*overrides: str) -> str:
        catalog = Catalog(data_dir=tiny, cache=tmp_path / "cache")
        selection = Selection(models=("stid",), datasets=("tiny",), overrides=overrides)
        return run_command._quick(plan(load_suite("short_term"), selection, catalog))

    assert line() == "profile quick: at most 5 training steps, 13 scored windows, so ranks mean nothing"
    assert line("task.scored=0", "train.steps_per_epoch=0") == "profile quick: ranks mean nothing"
