"""What the comparisons with other frameworks share: their checkouts, made data, and an epoch of our trainer.

Nothing of theirs is part of this project: the path of a checkout is an argument, and their own runner trains their own
model on a file in their own format. Our trainer then trains the same class of model on the same numbers.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.context import RunContext, flags_kept
from bench.errors import ConfigError, MissingPackageError, TrainingError
from bench.perf._measure import Cell, ratio_of
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer
from bench.types import DataIdentity, DatasetCard, SpatioTemporalData, TaskShape

PER_DAY = 48
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of one side.

    Attributes:
        seconds: Of training, of validation, and of saving what the side saves.
        steps: Of training.
        loss: Mean training loss, in units of the scaler.
    """

    seconds: float
    steps: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Somebody else's framework.

    Attributes:
        name: As its authors write it.
        folder: What goes on the import path.
        commit: Which one it is, or None where it is no git checkout.
    """

    name: str
    folder: Path
    commit: str | None

    def module(self, name: str) -> Any:
        """A module of it.

        Raises:
            MissingPackageError: If it needs a package that is not installed, or that is of another version.
        """
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        try:
            with quiet():
                return importlib.import_module(name)
        except ImportError as error:
            raise MissingPackageError(
                f"{self.name} cannot be imported ({error}); docs/performance.md names the packages that it needs"
            ) from error


def checkout(name: str, folder: Path, inside: str, package: str) -> Checkout:
    """The checkout in a folder.

    Args:
        name: Of the framework.
        folder: Of the checkout.
        inside: The folder in it that holds the package, "." if it is the checkout's own.
        package: Import name.

    Raises:
        ConfigError: If the package is not there.
    """
    if not (folder / inside / package / "__init__.py").exists():
        wanted = (Path(inside) / package).as_posix()
        raise ConfigError(f"there is no {name} in {folder}: wanted a checkout of it, with {wanted}/__init__.py")
    found = None
    if (folder / ".git").exists():
        command = ["git", "-C", str(folder), "rev-parse", "--short=10", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None  # noqa: S603
    return Checkout(name=name, folder=(folder / inside).resolve(), commit=found)


def made_data(slots: int, grid: tuple[int, int], channels: int) -> SpatioTemporalData:
    """Waves of a day and a week with noise, of mean 0 and deviation 1 in each cell: all scalers agree on them."""
    time_of = np.arange(slots)
    generator = np.random.default_rng(0)
    phase = generator.uniform(0, 2 * np.pi, (channels, *grid))
    daily = np.sin(2 * np.pi * time_of / PER_DAY)[:, None, None, None] * np.cos(phase)
    weekly = np.sin(2 * np.pi * time_of / (7 * PER_DAY))[:, None, None, None] * np.sin(phase)
    values = daily + weekly + generator.normal(0, 0.5, daily.shape)
    values = ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)
    card = DatasetCard(
        name="made",
        title="Made waves",
        city="none",
        domain="made waves",
        grid=grid,
        interval=24 * 60 // PER_DAY,
        start=None,
        slots=slots,
        channels=tuple(f"channel {number}" for number in range(channels)),
        unit="units",
        licence="none",
        citation="none",
        homepage="https://example.org",
        how_to_get="It is made.",
        formats=("made",),
        nonnegative=False,
    )
    return SpatioTemporalData(
        card=card,
        identity=DataIdentity(name="made", version="made-1", sha256="0" * 64, synthetic=True),
        values=values,
        mask=None,
        cell_mask=np.ones(grid, dtype=bool),
        clock=np.stack([time_of % PER_DAY, time_of // PER_DAY % 7], axis=1),
        segments=((0, slots),),
    )


def our_epoch(
    make: Callable[[TaskShape], nn.Module], data: SpatioTemporalData, task: TaskSettings, train: TrainSettings
) -> Epoch:
    """One epoch of our trainer, as in a run: with deterministic kernels, and a checkpoint after it."""
    context = RunContext(seed=0, device=CPU)
    with flags_kept(), context.own_random_numbers(), tempfile.TemporaryDirectory() as folder:
        context.begin()
        opened = Task(data, task, CPU, test_allowed=False)
        trainer = Trainer(make(opened.shape), opened, train, context)
        started = time.perf_counter()
        training = trainer.run(Path(folder) / "checkpoint.pt")
        seconds = time.perf_counter() - started
    return Epoch(seconds=seconds, steps=trainer.steps, loss=training.curve[0]["train_loss"])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave what others print, log and warn of unseen."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield


def row(about: dict[str, Cell], theirs: Sequence[Epoch], ours: Sequence[Epoch], least: float) -> dict[str, Cell]:
    """A row of the table: how many times as fast ours is; the first epoch of both warms up.

    Raises:
        TrainingError: If the two did not do the same number of steps.
    """
    if {epoch.steps for epoch in theirs} != {epoch.steps for epoch in ours}:
        raise TrainingError(
            f"{about}: their epoch has {theirs[0].steps} steps and ours {ours[0].steps}, so their times cannot be "
            "compared"
        )
    seconds = [[epoch.seconds for epoch in epochs[1:]] for epochs in (theirs, ours)]
    ratio = ratio_of(*seconds)
    return {
        **about,
        "their epoch, s": statistics.median(seconds[0]),
        "our speed over theirs": ratio,
        "wanted": f"at least {least}",
        "holds": ratio.median >= least,
        "their loss": theirs[-1].loss,
        "our loss": ours[-1].loss,
    }
