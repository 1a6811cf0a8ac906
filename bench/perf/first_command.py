"""Where the time of a first command goes, and that of a second one: ``python -m bench.perf.first_command``.

Runs ``stbench run --all`` twice into a new folder and watches it from outside: phases begin and end by the lines that
it prints, by the times of the files that it leaves, and by the seconds that the records state. Whatever follows ``--``
is asked for in place of ``--all``.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.perf._measure import Cell, Measurement, Out, report, run
from bench.perf._watched import Watched, watched
from bench.records.record import DoneRun, parse

MOST = (180, 2)  # seconds of a first and of a second command
PLANNED = re.compile(r": [\d,]+ runs? = ")  # in the line that shows the plan


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a command, from one time to another, in seconds since the epoch."""

    name: str
    start: float
    stop: float


def main(
    asked: Annotated[list[str] | None, typer.Argument(help="What is run, behind '--'; --all by default.")] = None,
    out: Out = None,
) -> None:
    """Print for each phase of both commands the seconds on the clock and those of all cores."""
    words = asked or ["--all"]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        command = [sys.executable, "-m", "bench", "run", *words, "--results", str(results)]
        first = watched(command)
        rows = [*rows_of("first", first, phases(first, results), MOST[0]), *rows_of_runs(results)]
        second = watched(command)
        rows += rows_of("second", second, [], MOST[1])
        rows += rows_of("'stbench --help'", watched([sys.executable, "-m", "bench", "--help"]), [], None)
    title = f"Seconds of 'stbench run {' '.join(words)}' in a new folder, and of the same command again."
    report(Measurement(name="first_command", title=title, rows=rows, facts={"asked": words}), out)


def phases(seen: Watched, results: Path) -> list[Phase]:
    """The phases of a command that made all records of a results folder; one that it did not have is left out."""
    spans = [(file.stat().st_mtime, record.cost.wall_s) for file, record in _records(results) if record.cost]
    written = [file.stat().st_mtime for name in ("tables", "figures") for file in (results / name).glob("*")]
    plan = next((moment for moment, line in seen.lines if PLANNED.search(line)), seen.started)
    begin = min((moment - seconds for moment, seconds in spans), default=plan)
    made = max((moment for moment, _ in spans), default=begin)
    ends = {
        "imports, plan and data": plan,
        "estimate, with its trials, and workers": begin,
        "runs": made,
        "tables and figures": max(written, default=made),
        "the rest, with MLflow": seen.ended,
    }
    starts = [seen.started, *ends.values()]
    return [
        Phase(name=name, start=start, stop=stop)
        for (name, stop), start in zip(ends.items(), starts[:-1], strict=True)
        if stop > start
    ]


def rows_of(name: str, seen: Watched, parts: list[Phase], most: float | None) -> Iterator[dict[str, Cell]]:
    """A row for each phase, and one for the whole command."""
    whole = Phase(name="all", start=seen.started, stop=seen.ended)
    for phase in [*parts, whole]:
        limit = most if phase is whole else None
        seconds = phase.stop - phase.start
        yield _row(name, phase.name, seconds, seen.busy(phase.start, phase.stop), limit)


def rows_of_runs(results: Path) -> Iterator[dict[str, Cell]]:
    """What the records say of the runs, summed over them: side by side they take less on the clock."""
    costs = [record.cost for _, record in _records(results) if record.cost]
    training = sum(cost.train_s for cost in costs)
    runs = f"first, {len(costs)} runs one by one"
    yield _row(runs, "training and validation", training, None, None)
    yield _row(runs, "scoring, audit and all else", sum(cost.wall_s for cost in costs) - training, None, None)


def _row(command: str, phase: str, seconds: float, busy: float | None, most: float | None) -> dict[str, Cell]:
    return {
        "command": command,
        "phase": phase,
        "seconds": seconds,
        "of all cores": busy,
        "wanted": None if most is None else f"at most {most:g}",
        "holds": None if most is None else seconds <= most,
    }


def _records(results: Path) -> Iterator[tuple[Path, DoneRun]]:
    for file in results.glob("runs/*/*/*.json"):
        record = parse(file.read_bytes(), file)
        if isinstance(record, DoneRun):
            yield file, record


if __name__ == "__main__":
    run(main)
