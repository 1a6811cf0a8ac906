"""What a long plan costs before anything runs: ``python -m bench.perf.many_runs``.

Writes synthetic records of a part of a plan of ten thousand runs, all models on the ten benchmark data sets under many
seeds, and prints the seconds and the peak memory of ``stbench status`` and of ``stbench run --dry-run`` on it, each in
a process of its own. The records tell how fast every model is, so nothing is tried.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import track

from bench.catalog.data import Catalog
from bench.perf.many_records import measured, record_of
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun, dump
from bench.runs.estimate import work
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite


def main(
    runs: Annotated[int, typer.Option(min=1, help="At least how many runs the plan has.")] = 10_000,
    done: Annotated[float, typer.Option(min=0, max=1, help="The share of them that has a record.")] = 0.5,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the records in this results folder, or take its own.")
    ] = None,
) -> None:
    """Write the records unless the folder has some, and print seconds and peak memory of both commands."""
    with ExitStack() as stack:
        results = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        catalog = Catalog(data_dir=None, cache=results / "cache")
        each = len(planned(catalog, [0]))
        seeds = range(math.ceil(runs / each))
        chosen = planned(catalog, seeds)
        write(results, [run for run in chosen if run.spec.seed < math.ceil(done * len(seeds))], catalog)
        typer.echo(f"{len(chosen)} runs, of which {len(list(results.glob('runs/*/*/*.json')))} are in the store")
        where = ["--all", "--results", str(results), *(word for seed in seeds for word in ("--seed", str(seed)))]
        for words in (["status"], ["run", "--dry-run"]):
            seconds, busy, memory = measured([sys.executable, "-m", "bench", *words, *where])
            typer.echo(
                f"stbench {' '.join(words)}: {seconds:.1f} s ({busy:.1f} s of the cores), peak memory {memory:.0f} MiB"
            )


def planned(catalog: Catalog, seeds: Sequence[int]) -> list[PlannedRun]:
    """The runs of the short-term suite under these seeds, as the command plans them on synthetic data."""
    return plan(load_suite("short_term"), Selection(seeds=tuple(seeds)), catalog, device="auto")


def write(results: Path, runs: Sequence[PlannedRun], catalog: Catalog) -> None:
    """Fill a results folder, unless it has records already."""
    if (results / "runs").exists():
        return
    for run in track(runs, "writing records", transient=True):
        path = results / "runs" / run.dataset / run.model / f"{run.run_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump(_on_grid(record_of(run), math.prod(catalog.card(run.dataset).grid))))


def _on_grid(record: DoneRun, cells: int) -> DoneRun:
    """A record with the work that its counts make on a grid of so many cells."""
    windows = {name: getattr(record.counts, name) for name in ("train", "per_epoch", "val", "test")}
    if record.cost is None:
        return record
    units = work(windows, record.spec.train, record.cost.epochs, cells)
    return msgspec.structs.replace(record, cost=msgspec.structs.replace(record.cost, work=units))


if __name__ == "__main__":
    typer.run(main)
