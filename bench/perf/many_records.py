"""What the tables of many records cost: ``python -m bench.perf.many_records``.

Writes synthetic records of the size of real ones, of the runs that all suites of the paper profile plan, to a results
folder, and prints the seconds and the peak memory of ``stbench tables`` on it in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.metrics import METRICS, Score
from bench.records.arrays import DayErrors, Floats, ForecastMap, WindowErrors, stored
from bench.records.environment import Environment
from bench.records.planned import PlannedRun
from bench.records.record import (
    SCHEMA,
    Audit,
    Cost,
    Counts,
    DoneRun,
    Epoch,
    SplitRanges,
    dump,
)
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suites
from bench.types import DataIdentity

EPOCHS = 60
SLOTS = 48  # of a day
CHANNELS = 2
GRID = (20, 20)
FACTORS = {"mae": 1.0, "rmse": 2.5, "mape": 10.0, "wape": 20.0, "r2": 0.01}  # of the MAE


class _Imagined(Catalog):
    """Every data set as if its real files were there; nothing is read."""

    def identity(self, name: str) -> DataIdentity:
        return DataIdentity(name=name, version="imagined-1", sha256=_digest(name), synthetic=False)

    def has_real(self, name: str) -> bool:  # noqa: ARG002 - a Catalog's signature
        return False


def main(
    records: Annotated[int, typer.Option(min=1, help="How many records.")] = 10_000,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the records in this results folder, or take its own.")
    ] = None,
) -> None:
    """Write the records unless the folder has some, make all tables of them, and print seconds and peak memory."""
    with ExitStack() as stack:
        results = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write(results, records)
        sizes = [path.stat().st_size for path in results.glob("runs/*/*/*.json")]
        typer.echo(f"{len(sizes)} records, {sum(sizes) / 2**20:.0f} MiB")
        seconds, busy, memory = measured([sys.executable, "-m", "bench", "tables", "--results", str(results)])
        typer.echo(f"stbench tables: {seconds:.1f} s ({busy:.1f} s of the cores), peak memory {memory:.0f} MiB")


def write(results: Path, number: int) -> None:
    """Fill a results folder, unless it has records already; without the sync that the store gives each of them."""
    if (results / "runs").exists():
        return
    for record in track(synthetic(number), "writing records", total=number, transient=True):
        path = results / "runs" / record.dataset / record.model / f"{record.run_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump(record))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, seconds of all cores, and peak memory in MiB of a command that succeeds."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise typer.Exit(process.returncode)
    memory = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return seconds, usage.ru_utime + usage.ru_stime, memory


def synthetic(number: int) -> Iterator[DoneRun]:
    """Records of planned runs, seed after seed, until there are so many."""
    return islice(map(record_of, _planned()), number)


def _planned() -> Iterator[PlannedRun]:
    """The runs of all suites under seed 0, then those under seed 1, and so on without end."""
    with tempfile.TemporaryDirectory() as cache:
        catalog = _Imagined(data_dir=None, cache=Path(cache))
        suites = load_suites()
        seed = 0
        while True:
            selection = Selection(profile="paper", seeds=(seed,))
            runs = {run.run_id: run for suite in suites for run in plan(suite, selection, catalog)}
            yield from runs.values()
            seed += 1


def record_of(run: PlannedRun) -> DoneRun:
    """A record as the runner leaves it: errors that depend on data set, method and seed."""
    spec, generator = run.spec, np.random.default_rng(_number(run.run_id))
    hard, skill = 1 + _number(run.dataset) % 50, 1 + _number(run.method) % 30 / 40
    mae = hard * skill * (1 + generator.normal() / 60)
    trained = registry.role(run.model) != "naive"
    windows = 400 + _number(run.dataset) % 1600
    return DoneRun(
        schema=SCHEMA,
        run_id=run.run_id,
        code=run.code,
        role=registry.role(run.model),
        spec=spec,
        label=run.label,
        scores={split: _scores(mae, spec.task.horizon) for split in ("test", "val")},
        counts=Counts(train=5 * windows, per_epoch=5 * windows, val=windows, test=windows, test_values=windows * 2400),
        cost=_cost(mae, EPOCHS if trained else 0),
        audit=_audit(windows),
        windows=_windows(mae, windows, generator),
        environment=Environment(device="cpu", python="3.11", libraries={"torch": "2", "numpy": "2"}),
        curve=_curve(mae, generator) if trained else [],
        forecast_map=_forecast_map(mae, windows, generator),
    )


def _scores(mae: float, horizon: int) -> dict[str, Score]:
    growth = (0.8 + 0.4 * np.arange(horizon) / horizon).tolist()
    return {
        name: Score(
            overall=FACTORS.get(name, 1.0) * mae,
            per_step=[FACTORS.get(name, 1.0) * mae * step for step in growth],
            per_channel=[FACTORS.get(name, 1.0) * mae * (0.9 + channel / 5) for channel in range(CHANNELS)],
        )
        for name in METRICS
    }


def _cost(mae: float, epochs: int) -> Cost:
    return Cost(
        parameters=1_234_567,
        trainable_parameters=234_567,
        flops=12_345_678_901,
        ms_per_window=mae / 7,
        windows_per_s=7000 / mae,
        peak_mb=900 * mae,
        train_s=100 * mae * bool(epochs),
        wall_s=130 * mae,
        epochs=epochs,
        work=4000.0,
    )


def _audit(windows: int) -> Audit:
    split = SplitRanges(train=(0, 5 * windows), val=(5 * windows, 6 * windows), test=(6 * windows, 7 * windows))
    return Audit(
        forecasts=None,
        scaler="standard",
        scaler_fitted_on=split.train,
        split=split,
        origins=SplitRanges(
            train=(6, 5 * windows - 6), val=(5 * windows, 6 * windows - 6), test=(6 * windows, 7 * windows - 6)
        ),
        test_reads=1,
        best_epoch=EPOCHS // 2,
        checkpoint_sha256="c" * 64,
    )


def _windows(mae: float, windows: int, generator: np.random.Generator) -> WindowErrors:
    """Errors with the rhythm of the day, and noise of each window's own."""
    rhythm = 1.3 + np.sin(2 * np.pi * np.arange(windows) / SLOTS)
    absolute: Floats = 2400 * mae * rhythm * generator.uniform(0.7, 1.3, windows)
    return WindowErrors.of(
        per_day=SLOTS,
        origins=np.arange(6 * windows, 7 * windows),
        count=np.full(windows, 2400.0),
        absolute=absolute,
        square=6 * mae * absolute,
        day=_day(mae),
    )


def _day(mae: float) -> DayErrors:
    """The same rhythm by slot of the day."""
    count = np.full(SLOTS, 90_000.0)
    return DayErrors.of(count=count, absolute=count * mae * (1.3 + np.sin(2 * np.pi * np.arange(SLOTS) / SLOTS)))


def _curve(mae: float, generator: np.random.Generator) -> list[Epoch]:
    noise = generator.uniform(0.9, 1.1, (EPOCHS, 2)).tolist()
    return [
        Epoch(epoch=epoch, train_loss=one / epoch**0.5, val_mae=mae * (other + 1 / epoch), lr=0.002 / epoch)
        for epoch, (one, other) in enumerate(noise, start=1)
    ]


def _forecast_map(mae: float, windows: int, generator: np.random.Generator) -> ForecastMap:
    truth = 10 * mae * generator.uniform(0, 1, GRID)
    forecast = truth + mae * generator.normal(size=GRID)
    return ForecastMap(
        origin=6 * windows,
        step=6,
        slot=17,
        per_day=SLOTS,
        weekday=2,
        channel="in",
        unit="taxis",
        grid=GRID,
        truth=stored(truth),
        forecast=stored(forecast),
    )


def _number(text: str) -> int:
    """A number that depends on the text alone."""
    return int(_digest(text)[:12], 16)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    typer.run(main)
