"""STID in BasicTS and here, side by side: ``python -m bench.perf.basicts --basicts PATH``.

BasicTS's own runner trains BasicTS's STID on a file in BasicTS's format, with its data loader; then our trainer trains
the same class on the same numbers: the same batches, optimizer, clipping, number of steps and validation windows. Both
go on in turn, an epoch each. BasicTS computes the metrics of its configuration in every training step; it is measured
with its five by default, and with the MAE alone, which is the least that it can be asked for.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from bench.context import flags_kept
from bench.perf._measure import Cell, Measurement, Out, Threads, in_turn, report, run
from bench.perf._rivals import PER_DAY, Checkout, Epoch, checkout, made_data, our_epoch, quiet, row
from bench.scoring import EVALUATION_BATCH
from bench.settings import TaskSettings, TrainSettings, chronological_split
from bench.types import SpatioTemporalData, TaskShape, Window

LEAST = 1.3
STEPS = 12  # of history and of the forecast
LAYERS = 3
METRICS = {"MAE alone": ("MAE",), "five, its default": ("MAE", "MSE", "RMSE", "MAPE", "WAPE")}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What both do.

    Attributes:
        steps: Of training in an epoch.
        batch: Windows per step.
        grid: Of cells, each of which is one of BasicTS's features.
    """

    steps: int
    batch: int
    grid: tuple[int, int]

    def data(self) -> SpatioTemporalData:
        """So many slots that the training period has a batch more than an epoch needs: BasicTS leaves out its last."""
        training = (self.steps + 1) * self.batch + 2 * STEPS - 1
        return made_data(-(-training * 100 // 70), self.grid, channels=1)

    def recipe(self) -> TrainSettings:
        return TrainSettings(epochs=1, steps_per_epoch=self.steps, batch_size=self.batch, precision="fp32")


def main(
    basicts: Annotated[Path, typer.Option(help="A checkout of BasicTS.")],
    threads: Threads = None,
    windows: Annotated[int, typer.Option(min=128, help="Trained on in an epoch.")] = 1280,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="Windows per step; 8 and 64 by default.")
    ] = None,
    side: Annotated[list[int] | None, typer.Option(min=1, help="Of a square of nodes; 5 and 14 by default.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Epochs of both, after one that warms up.")] = 5,
    out: Out = None,
) -> None:
    """Print for each number of threads how many times as fast our trainer is."""
    theirs, rows = checkout("BasicTS", basicts, "src", "basicts"), []
    cases = product(batch or (8, 64), side or (5, 14), METRICS.items(), threads or (1, 2))
    for size, length, (name, metrics), count in cases:
        setting = Setting(steps=windows // size, batch=size, grid=(length, length))
        about: dict[str, Cell] = {"batch": size, "nodes": length**2, "their metrics": name, "threads": count}
        their_epochs, ours = compared(theirs, setting, metrics, count, rounds + 1)
        rows.append(row(about, their_epochs, ours, LEAST))
    title = (
        f"STID: the time of an epoch of {windows} windows in BasicTS ({theirs.commit or 'of no known commit'}) over "
        f"that in our trainer, median of {rounds} pairs and the middle half of them."
    )
    facts = {"commit": theirs.commit, "windows": windows, "rounds": rounds}
    report(Measurement(name="basicts", title=title, rows=rows, facts=facts), out)


def compared(
    theirs: Checkout, setting: Setting, metrics: Sequence[str], threads: int, epochs: int
) -> list[list[Epoch]]:
    """Epochs of BasicTS and of ours, in turn."""
    data, task = setting.data(), TaskSettings(name="short", history=STEPS, horizon=STEPS)
    with flags_kept(), tempfile.TemporaryDirectory() as folder:
        torch.set_num_threads(threads)
        write(data, Path(folder))
        return in_turn(
            epochs,
            lambda: their_epoch(theirs, setting, metrics, Path(folder)),
            lambda: our_epoch(lambda shape: Wrapped(theirs, shape), data, task, setting.recipe()),
        )


def write(data: SpatioTemporalData, folder: Path) -> None:
    """The data set as BasicTS reads it: values ``[T, N]`` and the clock as shares of a day and a week, of each split.

    The validation file begins a history earlier, so that it has the windows that ours has.
    """
    values = data.values.reshape(len(data.values), -1)
    clock = ((data.clock + 0.5) / (PER_DAY, 7)).astype(np.float32)  # the middle, so that rounding moves no slot
    for name, (start, stop) in chronological_split(len(values)).items():
        part = slice(max(0, start - STEPS), stop)
        np.save(folder / f"{name}_data.npy", values[part])
        np.save(folder / f"{name}_timestamps.npy", clock[part])


def their_epoch(theirs: Checkout, setting: Setting, metrics: Sequence[str], folder: Path) -> Epoch:
    """One epoch as BasicTS's launcher makes it, from the start of training to the end of validation and saving."""
    launcher, clock = theirs.module("basicts").BasicTSLauncher, Clock()
    with flags_kept(), quiet(), tempfile.TemporaryDirectory() as saved:
        launcher.launch_training(their_config(theirs, setting, metrics, folder, Path(saved), clock))
    return Epoch(seconds=clock.ended - clock.started, steps=clock.steps, loss=clock.loss)


def their_config(
    theirs: Checkout, setting: Setting, metrics: Sequence[str], folder: Path, saved: Path, clock: Clock
) -> Any:
    """BasicTS's configuration of one epoch with our recipe; its rate is constant, which costs it nothing."""
    callbacks = theirs.module("basicts.runners.callback")
    model = theirs.module("basicts.models.STID")
    recipe = setting.recipe()
    return theirs.module("basicts.configs").BasicTSForecastingConfig(
        model=model.STID,
        model_config=stid_config(theirs, setting.grid[0] * setting.grid[1]),
        dataset_name="made",
        dataset_params={"data_file_path": str(folder)},
        input_len=STEPS,
        output_len=STEPS,
        use_timestamps=True,
        train_batch_size=setting.batch,
        val_batch_size=EVALUATION_BATCH,
        num_epochs=1,
        test_interval=2,
        eval_after_train=False,
        metrics=list(metrics),
        loss="MAE",
        optimizer=torch.optim.AdamW,
        optimizer_params={"lr": recipe.lr, "weight_decay": recipe.weight_decay},
        callbacks=[callbacks.GradientClipping(recipe.clip), clock],
        ckpt_save_dir=str(saved),
        seed=0,
    )


def stid_config(theirs: Checkout, nodes: int) -> Any:
    """STID as in its paper: three layers, and all identities."""
    return theirs.module("basicts.models.STID").STIDConfig(
        input_len=STEPS,
        output_len=STEPS,
        num_features=nodes,
        num_layers=LAYERS,
        if_time_in_day=True,
        if_day_in_week=True,
        num_time_in_day=PER_DAY,
    )


class Clock:
    """A callback of BasicTS's runner that notes when the epoch starts and when all of training is over."""

    def __init__(self) -> None:
        self.started = self.ended = self.loss = 0.0
        self.steps = 0

    def on_epoch_start(self, runner: Any, **_: Any) -> None:  # noqa: ARG002 - BasicTS passes it
        self.started = time.perf_counter()

    def on_step_end(self, runner: Any, **_: Any) -> None:  # noqa: ARG002
        self.steps += 1

    def on_epoch_end(self, runner: Any, **_: Any) -> None:
        self.loss = runner.meter_pool.get_value("train/loss")

    def on_train_end(self, runner: Any, **_: Any) -> None:  # noqa: ARG002
        self.ended = time.perf_counter()


class Wrapped(nn.Module):
    """BasicTS's STID as a model of ours."""

    def __init__(self, theirs: Checkout, shape: TaskShape) -> None:
        super().__init__()
        self.shape = shape
        self.inner: nn.Module = theirs.module("basicts.models.STID").STID(stid_config(theirs, shape.cells))

    def forward(self, window: Window) -> Tensor:
        batch, steps = window.history.shape[:2]
        timestamps = (window.history_clock + 0.5) / window.history.new_tensor([self.shape.slots_per_day, 7])
        forecast: Tensor = self.inner(window.history.flatten(2), timestamps)
        return forecast.reshape(batch, steps, 1, *self.shape.grid)


if __name__ == "__main__":
    run(main)
