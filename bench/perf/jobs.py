"""What runs side by side are worth: ``python -m bench.perf.jobs``.

The same runs, of one model on one data set, one for each seed, are made by ``stbench run --jobs 1`` and ``--jobs N``,
in turn, each time in a new results folder, and the seconds of the whole commands are compared. A command of one run
goes before them, so that all find the data prepared. The scores must be equal to the last bit, or the command fails.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bench.errors import WorkerError
from bench.perf._measure import Cell, Measurement, Out, in_turn, ratio_of, report, run
from bench.plain_text import counted
from bench.records.record import DoneRun
from bench.records.store import ResultStore

LEAST = 0.85  # of the number of jobs: 1.7 times for two


def main(
    jobs: Annotated[int, typer.Option(min=2, help="Runs side by side, against one after the other.")] = 2,
    runs: Annotated[int, typer.Option(min=1, help="Equal runs, which differ in their seeds alone.")] = 20,
    model: Annotated[str, typer.Option(help="A registered model.")] = "stid",
    dataset: Annotated[str, typer.Option(help="A data set.")] = "bikenyc",
    steps: Annotated[int, typer.Option(min=1, help="Of training in each run.")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="Commands of both, each first in every other.")] = 2,
    out: Out = None,
) -> None:
    """Print the seconds of both commands and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        command = _command(model, dataset, runs, steps)
        made: list[Path] = []

        def seconds(count: int) -> float:
            made.append(Path(folder) / str(len(made)))
            return _seconds([*command, "--jobs", str(count), "--results", str(made[-1])])

        _seconds([*_command(model, dataset, 1, steps), "--results", str(Path(folder) / "first")])
        alone, together = in_turn(rounds, lambda: seconds(1), lambda: seconds(jobs))
        check_equal(made, runs)
    ratio = ratio_of(alone, together)
    row: dict[str, Cell] = {
        "jobs": jobs,
        "one after the other, s": statistics.median(alone),
        "side by side, s": statistics.median(together),
        "times as fast": ratio,
        "wanted": f"at least {LEAST * jobs:.2g}",
        "holds": ratio.median >= LEAST * jobs,
        "scores": "equal to the last bit",
    }
    title = f"{runs} runs of {model} on {dataset}, {steps} steps of training each: seconds of the whole command."
    facts = {"model": model, "dataset": dataset, "runs": runs, "steps": steps, "rounds": rounds}
    report(Measurement(name="jobs", title=title, rows=[row], facts=facts), out)


def check_equal(results: list[Path], runs: int) -> None:
    """Compare the scores, curves and window errors of every run in these folders.

    Raises:
        WorkerError: If a run is not done, or differs.
    """
    every = [scores_of(folder) for folder in results]
    for scores in every:
        if len(scores) != runs:
            raise WorkerError(f"{len(scores)} of {runs} runs are done; 'stbench run' says why the others are not")
        different = [run_id for run_id, text in scores.items() if every[0].get(run_id) != text]
        if different:
            raise WorkerError(
                f"{counted(len(different), 'run has', 'runs have')} other scores side by side, such as {different[0]}"
            )


def scores_of(results: Path) -> dict[str, bytes]:
    """What a run found, by its id: its record without what it took and where it was made."""
    done = [record for record in ResultStore(results).records() if isinstance(record, DoneRun)]
    return {
        record.run_id: msgspec.json.encode(
            (record.scores, record.windows, record.curve, record.audit and record.audit.checkpoint_sha256),
            order="sorted",
        )
        for record in done
    }


def _command(model: str, dataset: str, runs: int, steps: int) -> list[str]:
    settings = {"epochs": 2, "steps_per_epoch": -(-steps // 2), "batch_size": 32}
    command = [sys.executable, "-m", "bench", "run", "--model", model, "--dataset", dataset, "--threads", "1"]
    command += [part for seed in range(runs) for part in ("--seed", str(seed))]
    return [*command, *(part for name, value in settings.items() for part in ("--set", f"train.{name}={value}"))]


def _seconds(command: list[str]) -> float:
    """Wall seconds of a command.

    Raises:
        WorkerError: If it fails.
    """
    started = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        raise WorkerError(f"'stbench run' ended with exit code {ended.returncode}: {lines[-1] if lines else 'no word'}")
    return time.perf_counter() - started


if __name__ == "__main__":
    run(main)
