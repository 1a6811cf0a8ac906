"""What the harness costs in training, over a loop written by hand: ``python -m bench.perf.bare_loop``.

Both train the same model from the same weights, with the same batches, recipe and validation, in turn, epoch by epoch,
in one process. The bare loop is what a careful user writes for this one model: the array on the device, windows by one
gather, AdamW, one-cycle rate, clipping, validation MAE in physical units, the best weights kept, a checkpoint after
each epoch. Its learning curve is the trainer's, to rounding, or the command fails: both learn the same. Ours does more:
exact sums, checks of each forecast, deterministic kernels, and files that are on the disk before it goes on.
"""

from __future__ import annotations

import copy
import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from bench.catalog import registry
from bench.catalog.data import Catalog, resolve_data_dir
from bench.context import RunContext, flags_kept
from bench.errors import TrainingError
from bench.perf._measure import Cell, Measurement, Out, Threads, ratio_of, report, run
from bench.scoring import EVALUATION_BATCH
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task, task_for
from bench.train import Trainer, make_model
from bench.types import SpatioTemporalData, Window

MODELS = {"stid": 2000, "convlstm": 300, "stvfm": 300}  # slots whose epochs take seconds
SETTINGS = {"stvfm": {"weights": "random", "backbone": "vit_tiny"}}  # in place of defaults
MOST = 1.05
CLOSE = 1e-4  # relative: both add the same numbers in another order


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One side's epochs.

    Attributes:
        losses, maes: After each, as ``Trainer`` has them.
        seconds: Of each.
    """

    losses: list[float] = field(default_factory=list)
    maes: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Registered models that are trained.")] = None,
    threads: Threads = None,
    dataset: Annotated[str, typer.Option(help="A data set.")] = "bikenyc",
    slots: Annotated[int, typer.Option(min=0, help="Its first slots; by default epochs of seconds.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Epochs of both, after one that warms up.")] = 5,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of raw data.")] = None,
    out: Out = None,
) -> None:
    """Print for each model and number of threads the ratio of the times of an epoch."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(data_dir=resolve_data_dir(data_dir), cache=Path(folder) / "cache")
        data = catalog.load(dataset)
        settings = TrainSettings(epochs=rounds + 1, batch_size=batch, patience=rounds + 1, precision="fp32")
        rows = [
            _row(model, count, compared(model, few, settings, threads=count))
            for model in models or MODELS
            for few in [first_slots(data, slots or MODELS.get(model, len(data.values)))]
            for count in threads or (1, 2)
        ]
    title = (
        f"An epoch on {dataset} in batches of {batch}: the time of our trainer over that of a bare loop, median of "
        f"{rounds} pairs and the middle half of them."
    )
    report(Measurement(name="bare_loop", title=title, rows=rows, facts={"dataset": dataset, "rounds": rounds}), out)


def first_slots(data: SpatioTemporalData, count: int) -> SpatioTemporalData:
    """A data set that ends sooner, so that its epochs are short and its splits keep their proportions.

    Its arrays are in memory, also where those of the whole one are mapped.
    """
    if not 0 < count < len(data.values):
        return data
    segments = tuple((start, min(stop, count)) for start, stop in data.segments if start < count)
    mask = None if data.mask is None else np.array(data.mask[:count])
    values = np.array(data.values[:count])
    return replace(data, values=values, mask=mask, clock=data.clock[:count], segments=segments)


def compared(model: str, data: SpatioTemporalData, settings: TrainSettings, *, threads: int) -> tuple[Curve, Curve]:
    """The epochs of our trainer and those of the bare loop, in turn.

    Raises:
        TrainingError: If the two curves differ.
    """
    context = RunContext(seed=0, device=torch.device("cpu"))
    with flags_kept(), context.own_random_numbers(), tempfile.TemporaryDirectory() as folder:
        torch.set_num_threads(threads)
        context.begin()
        module = registry.load("model", model)
        task = task_for(module, data, TaskSettings(name="short"), context.device, test_allowed=False)
        config = asdict(registry.config_class(model)(**SETTINGS.get(model, {})))
        ours = make_model(module, config, task.shape, context.device)
        task.hide_days_unknown_in_training()
        loop = BareLoop(copy.deepcopy(ours), data, task, settings, Path(folder) / "bare.pt")
        curves = _in_turn(Trainer(ours, task, settings, context), loop, Path(folder) / "ours.pt")
    _check_equal(model, *curves)
    return curves


def _in_turn(trainer: Trainer, loop: BareLoop, checkpoint: Path) -> tuple[Curve, Curve]:
    """Train by both: whenever the trainer has ended an epoch, the bare loop has its own."""
    ours, bare, context = Curve(), Curve(), trainer.context
    others, started = context.random_states(), 0.0
    epochs = loop.epochs()

    def bare_epoch(row: dict[str, float]) -> None:
        nonlocal others, started
        ours.seconds.append(time.perf_counter() - started)
        ours.losses.append(row["train_loss"])
        ours.maes.append(row["val_mae"])
        kept = context.random_states()
        context.restore_random_states(others)
        with flags_kept():
            torch.use_deterministic_algorithms(mode=False)  # as torch is, where nobody asks for more
            started = time.perf_counter()
            loss, mae = next(epochs)
            bare.seconds.append(time.perf_counter() - started)
        bare.losses.append(loss)
        bare.maes.append(mae)
        others = context.random_states()
        context.restore_random_states(kept)
        started = time.perf_counter()

    started = time.perf_counter()
    trainer.run(checkpoint, bare_epoch)
    return ours, bare


class BareLoop:
    """Training of one model, by hand."""

    def __init__(
        self, model: nn.Module, data: SpatioTemporalData, task: Task, settings: TrainSettings, checkpoint: Path
    ) -> None:
        """Put the whole series on the device.

        Args:
            model: With the weights to begin with.
            data: The data set.
            task: Says which windows there are, and how they are scaled.
            settings: The recipe, of which it knows L1, AdamW, one-cycle and clipping.
            checkpoint: Is written after each epoch.
        """
        self.model, self.settings, self.checkpoint = model, settings, checkpoint
        self.values, self.clock = torch.tensor(data.values), torch.tensor(data.clock)
        present = torch.tensor(data.cell_mask).expand(self.values.shape)
        self.valid = present if data.mask is None else present & torch.tensor(data.mask)
        self.mean, self.std = task.scaler.center, task.scaler.scale
        self.scaled = torch.where(self.valid, (self.values - self.mean) / self.std, 0)
        self.train, self.val = task.train.origins, task.val.origins
        self.begins = torch.zeros(len(self.values), dtype=torch.long)
        for start, stop in data.segments:
            self.begins[start:stop] = start
        self.back = task.train.per_day * torch.tensor(task.train.days_back)[:, None]
        self.shown = torch.tensor([days not in task.days_hidden for days in task.train.days_back])[:, None]
        self.before, self.after = torch.arange(-task.shape.history, 0), torch.arange(task.shape.horizon)
        trained = [p for p in model.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in trained if p.ndim > 1]},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.trained = trained
        self.optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
        self.steps = math.ceil(len(self.train) / settings.batch_size)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.lr, total_steps=self.steps * settings.epochs + 1, pct_start=settings.warmup
        )

    def epochs(self) -> Iterator[tuple[float, float]]:
        """Train epoch by epoch; yields the training loss and the validation MAE of each."""
        shuffle, best = torch.Generator().manual_seed(0), math.inf
        for _ in range(self.settings.epochs):
            loss, mae = self._train(torch.randperm(len(self.train), generator=shuffle)), self._validate()
            if mae < best:
                best, weights = mae, self._state()
            torch.save(
                {
                    "model": self._state(),
                    "best": weights,
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                },
                self.checkpoint,
            )
            yield loss, mae

    def _train(self, order: Tensor) -> float:
        self.model.train()
        total = torch.zeros(())
        for chosen in torch.split(order, self.settings.batch_size):
            origins = self.train[chosen]
            future = origins[:, None] + self.after
            valid = self.valid[future]
            error = (self.model(self._window(origins)) - self.scaled[future]).abs()
            loss = (error * valid).sum() / valid.sum().clamp_min(1)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
            self.optimizer.step()
            self.schedule.step()
            total += loss.detach()
        return float(total) / self.steps

    @torch.inference_mode()
    def _validate(self) -> float:
        self.model.eval()
        errors, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        for origins in torch.split(self.val, EVALUATION_BATCH):
            future = origins[:, None] + self.after
            valid = self.valid[future]
            forecast = self.model(self._window(origins)) * self.std + self.mean
            errors += ((forecast - self.values[future]).abs() * valid).sum(dtype=torch.float64)
            count += valid.sum()
        return float(errors / count)

    def _window(self, origins: Tensor) -> Window:
        past = origins[:, None] + self.before
        return Window(
            history=self.scaled[past],
            history_valid=self.valid[past],
            history_clock=self.clock[past],
            horizon_clock=self.clock[origins[:, None] + self.after],
            **(self._days_before(origins) if len(self.back) else {}),
        )

    def _days_before(self, origins: Tensor) -> dict[str, Tensor]:
        slots = origins[:, None, None] + self.after - self.back * (self.after // self.back + 1)
        known = ((slots >= self.begins[origins, None, None]) & self.shown)[..., None, None, None]
        slots = slots.clamp_min(0)
        return {
            "past": torch.where(known, self.scaled[slots], 0),
            "past_valid": known & self.valid[slots],
            "past_clock": self.clock[slots],
        }

    def _state(self) -> dict[str, Tensor]:
        frozen = {name for name, p in self.model.named_parameters() if not p.requires_grad}
        return {name: value.clone() for name, value in self.model.state_dict().items() if name not in frozen}


def _check_equal(model: str, ours: Curve, bare: Curve) -> None:
    pairs = [*zip(ours.losses, bare.losses, strict=True), *zip(ours.maes, bare.maes, strict=True)]
    if not all(math.isclose(one, other, rel_tol=CLOSE) for one, other in pairs):
        raise TrainingError(
            f"{model} learns otherwise in the bare loop than in the trainer, so their times cannot be compared; losses "
            f"and errors are {pairs}"
        )


def _row(model: str, threads: int, curves: Sequence[Curve]) -> dict[str, Cell]:
    ours, bare = (curve.seconds[1:] for curve in curves)
    ratio = ratio_of(ours, bare)
    return {
        "model": model,
        "threads": threads,
        "bare loop, s": statistics.median(bare),
        "ours over it": ratio,
        "wanted": f"at most {MOST}",
        "holds": ratio.median <= MOST,
    }


if __name__ == "__main__":
    run(main)
