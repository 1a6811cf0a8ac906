"""Transfer across cities: trained on other data sets first, scored on one that training has not seen, or a little.

Every city has a model on its own grid; what is trained is the same tensors in all of them. So the models that can be
transferred are those whose trained weights depend on no grid, which their own shapes tell. The scaler is that of the
sources, or of the windows of the target to which they are adapted afterwards, by the same recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from bench.cities import City
from bench.context import RunContext
from bench.errors import TransferError
from bench.forecast import Sampling, check_model, checked_forecast
from bench.moments import Seen
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, Training, learning
from bench.types import ModelPlugin, SpatioTemporalData, TaskShape
from bench.windows import Scaler

Make: TypeAlias = Callable[[TaskShape], nn.Module]
OnEpoch: TypeAlias = Callable[[dict[str, float]], None]
TRIED = 3  # windows that a model is tried on, to see which buffers learn


def transfer_task(
    plugin: ModelPlugin,
    data: SpatioTemporalData,
    sources: Sequence[SpatioTemporalData],
    settings: TaskSettings,
    device: torch.device,
    *,
    test_allowed: bool = True,
) -> Task:
    """The task of a model on a data set, with those of its sources, whose test nobody can open, and one scaler."""
    days_back = getattr(plugin, "DAYS_BACK", ())
    alone = replace(settings, sources="", scaler="train", fraction=1.0)
    opened = [Task(source, alone, device, days_back=days_back, test_allowed=False) for source in sources]
    joint = joint_scaler(opened)
    for source in opened:
        source.scale_by(joint)
    task = Task(data, settings, device, days_back=days_back, test_allowed=test_allowed, sources=opened)
    if settings.scaler == "target":
        for source in opened:
            source.scale_by(task.scaler)
    return task


def joint_scaler(tasks: Sequence[Task]) -> Scaler:
    """A scaler fitted on the training values of all tasks together, each value counting alike; ``fitted_on`` is empty.

    Mean and variance are put together from those of each task, in float64.
    """
    parts = [task.fitted_values() for task in tasks]
    rows = []
    for channel in range(tasks[0].shape.channels):
        seen = [Seen(values[:, channel], valid[:, channel]) for values, valid in parts]
        known = [one for one in seen if one.count] or seen[:1]
        counts, total = [max(1, one.count) for one in known], sum(max(1, one.count) for one in known)
        moments = [one.mean_and_deviation() for one in known]
        center = sum(n * mean for n, (mean, _) in zip(counts, moments, strict=True)) / total
        squares = (n * (scale**2 + (mean - center) ** 2) for n, (mean, scale) in zip(counts, moments, strict=True))
        scale = (sum(squares) / total) ** 0.5
        lows, highs = zip(*(one.extremes() for one in known), strict=True)
        rows.append((center, scale if scale > 0 else 1.0, min(lows), max(highs)))
    columns = torch.tensor(rows, dtype=torch.float64).to(torch.float32).T.reshape(4, -1, 1, 1)
    center, scale, low, high = columns.to(tasks[0].scaler.center.device)
    return Scaler(center=center, scale=scale, low=low, high=high, fitted_on=(0, 0), name="standard")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Trains a model on the sources of its task, then on the task's own windows, if it has any to train on.

    Attributes:
        make: Makes the model on the grid of a shape.
        settings: The recipe, the same for both.
        sampling: How a model is validated that is random on purpose; None for any other.
    """

    make: Make
    settings: TrainSettings
    context: RunContext
    sampling: Sampling | None = None

    def train(
        self, model: nn.Module, task: Task, checkpoint: Path | None = None, on_epoch: OnEpoch | None = None
    ) -> Training:
        """As ``bench.train.train_model``, on the sources first; a model without anything to train stays as it is.

        Epochs of adaptation are counted on from those on the sources. The weights that are adapted are the best on the
        sources' validation; those that are scored are the best of the adaptation on the task's few windows of it.

        Raises:
            TransferError: If what the model learns is of one grid.
            ForecastError: If the model's forecasts are of the wrong kind.
            TrainingError: If the loss or the validation error is not finite.
        """
        started, how = self.context.seconds(), learning(model)
        if how == "fit":
            raise TransferError("cannot transfer: it is fitted at once to the series of one city, on its grid")
        check_model(model, task.val, self.settings.precision, self.context)
        if how == "nothing":
            return Training(seconds=self.context.seconds() - started)
        cities = self.cities(model, task)
        task.hide_days_unknown_in_training()
        first = Trainer(model, task, self.settings, self.context, self.sampling, cities=cities)
        on_sources = first.run(checkpoint, on_epoch)
        if not len(task.train):
            return replace(on_sources, on_sources=on_sources.epoch)
        counted_on = on_epoch and (lambda row: on_epoch(_later(row, on_sources.epoch)))
        second = Trainer(model, task, self.settings, self.context, self.sampling)
        adapted = second.run(checkpoint and adaptation_of(checkpoint), counted_on)
        return replace(
            adapted,
            on_sources=on_sources.epoch,
            epoch=on_sources.epoch + adapted.epoch,
            best_epoch=on_sources.epoch + adapted.best_epoch,
            seconds=on_sources.seconds + adapted.seconds,
            curve=[*on_sources.curve, *(_later(row, on_sources.epoch) for row in adapted.curve)],
        )

    def cities(self, model: nn.Module, task: Task) -> list[City]:
        """The sources, each with a model on its grid that has the trained weights of ``model``.

        Raises:
            TransferError: If a weight or a buffer that is trained has another shape on another grid, whichever it is.
        """
        rows, columns = task.shape.grid
        other = self._made(replace(task.shape, grid=(2 * rows, 2 * columns)))
        learnt = {name for name, weight in model.named_parameters() if weight.requires_grad}
        learnt |= self._learnt_buffers(task.sources[0])
        _check_alike(model, other, learnt)
        here = _tensors(model)
        fixed = {name for name, weight in _tensors(other).items() if name in here and weight.shape != here[name].shape}
        cities = []
        for source in task.sources:
            one = self._made(source.shape)
            _check_alike(model, one, learnt)
            _share(model, one, learnt, fixed)
            cities.append(City(one, source))
        return cities

    def _made(self, shape: TaskShape) -> nn.Module:
        """A model as it would be at the begin of the run; random numbers go on as if it had not been made."""
        with self.context.own_random_numbers():
            return self.make(shape)

    def _learnt_buffers(self, task: Task) -> set[str]:
        """The names of the buffers that training changes, such as running means: those that one forecast changes.

        Raises:
            TransferError: If one is replaced, so that it could not be shared.
        """
        trial = self._made(task.shape).train()
        held = dict(trial.named_buffers())
        before = {name: values.clone() for name, values in held.items()}
        chosen = torch.arange(min(TRIED, len(task.train)), device=task.train.origins.device)
        with self.context.own_random_numbers(), torch.no_grad():
            checked_forecast(trial, task.train.window(chosen), self.settings.precision)
        after = dict(trial.named_buffers())
        if replaced := [name for name in held if after.get(name) is not held[name]]:
            raise TransferError(
                f"cannot transfer: its buffer {replaced[0]} is replaced in training; change it in place, such as by "
                "copy_(), so that cities can share it"
            )
        return {name for name in before if not torch.equal(before[name], held[name])}


def adaptation_of(checkpoint: Path) -> Path:
    """Where the adaptation goes on from, beside the checkpoint of the training on the sources."""
    return checkpoint.with_name(f"{checkpoint.stem}-adaptation{checkpoint.suffix}")


def _later(row: Mapping[str, float], epochs: int) -> dict[str, float]:
    return {**row, "epoch": row["epoch"] + epochs}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, by every name that they have."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return {**parameters, **dict(model.named_buffers(remove_duplicate=False))}


def _check_alike(model: nn.Module, other: nn.Module, learnt: set[str]) -> None:
    """What is learnt must have the same shape in both.

    Raises:
        TransferError: With the first name that has not.
    """
    here, there = _tensors(model), _tensors(other)
    also = {name for name, weight in other.named_parameters() if weight.requires_grad}
    for name in sorted(learnt | also):
        shapes = [tuple(known[name].shape) if name in known else None for known in (here, there)]
        if shapes[0] != shapes[1]:
            what = "parameter" if isinstance(here.get(name, there.get(name)), nn.Parameter) else "buffer"
            sizes = " and ".join("absent" if shape is None else str(list(shape)) for shape in shapes)
            raise TransferError(
                f"cannot transfer: its {what} {name} depends on the grid ({sizes} on two grids); set the model so that "
                "it has no identities of cells and one size of patches, or take another"
            )


def _share(model: nn.Module, other: nn.Module, learnt: set[str], fixed: set[str]) -> None:
    """Give ``other`` the trained tensors of ``model``, and the frozen parameters that depend on no grid (``fixed``)."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    shared = {name: weight for name, weight in _tensors(model).items() if name in learnt}
    shared |= {name: weight for name, weight in parameters.items() if name not in fixed}
    for name, weight in shared.items():
        path, _, leaf = name.rpartition(".")
        setattr(other.get_submodule(path), leaf, weight)
