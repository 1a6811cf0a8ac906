"""A task: one data set, one split, one horizon — and the only holder of test targets.

Training code sees ``train``, ``val`` and ``series``, which live in arrays that end where validation ends, or the
training part: in the pages of memory that hold a mapped one there is nothing else. The arrays that go on into the test
period are built by ``open_test``, which the evaluator may call once, from data that no tensor shares memory with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench.days import days_asked_for
from bench.errors import LeakError, TaskError
from bench.mapped import pieces, storage_of_its_own
from bench.settings import TaskSettings, chronological_split
from bench.types import DatasetCard, ModelPlugin, Series, SpatioTemporalData, TaskShape
from bench.windows import Scaler, WindowSet, fit_scaler, origins, spread

MOST: Final = 0.5  # of the training windows


def task_for(
    plugin: ModelPlugin,
    data: SpatioTemporalData,
    settings: TaskSettings,
    device: torch.device,
    *,
    test_allowed: bool = True,
) -> Task:
    """The task of a model, with the days before that its file asks for; else as ``Task``."""
    days_back = getattr(plugin, "DAYS_BACK", ())
    return Task(data, settings, device, days_back=days_back, test_allowed=test_allowed)


class Task:
    """One data set under one protocol, on one device.

    Attributes:
        shape: What a model may know when it is built.
        train, val: Windows with targets, for training and for choosing.
        epoch_windows: Training windows by which the steps of an epoch are counted: all that there are, also where few
            of them are used.
        sources: Tasks of other data sets that are trained on before this one is, with this task's scaler.
        days_hidden: Of the days before that the model's file asks for, those that are blank in every window.
        test_reads: How often the test targets were opened.
    """

    def __init__(
        self,
        data: SpatioTemporalData,
        settings: TaskSettings,
        device: torch.device,
        *,
        days_back: tuple[int, ...] = (),
        test_allowed: bool = True,
        sources: Sequence[Task] = (),
    ) -> None:
        """Build the training and validation windows.

        Args:
            data: The data set.
            settings: What is asked.
            device: Where windows are.
            days_back: The days before that the model's file asks for, as its ``DAYS_BACK``.
            test_allowed: False in tuning, and of a source of another task, where test stays closed.
            sources: The tasks of other data sets that are trained on before, as ``bench.transfer`` opens them.

        Raises:
            TaskError: If a split has no window, ``days_back`` are no whole numbers of days from 1 on, or the settings
                name weeks where the season is the year.
        """
        self._data, self._device, self._test_allowed = data, device, test_allowed
        self.settings, self.sources = settings, tuple(sources)
        self._days_back, self.days_hidden = days_asked_for(settings, days_back, data.card)
        self.split = chronological_split(len(data.values))
        self.test_reads = 0
        self._complete = data.mask is None and bool(data.cell_mask.all())
        self.shape = self._shape()
        every = {name: self._split_origins(name) for name in ("train", "val", "test")}
        there = {name: self._used(name, starts) for name, starts in every.items()}
        self._origins = {name: self._scored(name, starts) for name, starts in there.items()}
        self._there = {f"{name}_there": len(there[name]) for name in ("val", "test")}
        self.epoch_windows = len((every if settings.equal_steps else self._origins)["train"])
        self.train_start, self.train_stop = self._training_part()
        self.scaler = self._fit_scaler()
        seen = self._arrays(self.split["val"][1])
        self.train = self._window_set(seen, self._origins["train"])
        self.val = self._window_set(seen, self._origins["val"])
        self._check_targets()

    @property
    def cell_mask(self) -> torch.Tensor:
        """``[H, W]`` bool, False on padding cells."""
        return self._cells().to(self._device)

    @property
    def card(self) -> DatasetCard:
        return self._data.card

    @property
    def mape_threshold(self) -> float:
        return self._data.card.mape_threshold

    def counts(self) -> dict[str, int]:
        """Number of windows per split, of those by which the steps of an epoch are counted, and of all to score."""
        used = {name: len(starts) for name, starts in self._origins.items()}
        counts = {**used, "per_epoch": self.epoch_windows, **self._there}
        if self.sources:
            counts["sources"] = sum(len(source.train) for source in self.sources)
            counts["per_epoch"] = counts["per_epoch"] if used["train"] else counts["sources"]
        return counts

    @property
    def test_origins(self) -> NDArray[np.int64]:
        """Where the targets of the scored test windows begin, ``[N]``, ascending: their places and no more."""
        return self._origins["test"].copy()

    def first_origins(self) -> dict[str, tuple[int, int]]:
        """First and last origin per split, for the audit; twice 0 where nothing is trained on."""
        return {
            name: (int(starts[0]), int(starts[-1])) if len(starts) else (0, 0) for name, starts in self._origins.items()
        }

    def open_test(self) -> WindowSet:
        """The test windows with their targets, once.

        Raises:
            LeakError: On a second call, or where only validation may be seen.
        """
        if not self._test_allowed:
            raise LeakError("this task was opened for tuning, which may see validation only; test targets stay closed")
        if self.test_reads:
            raise LeakError("the test targets of this run were already read; a run scores its test split once")
        self.test_reads += 1
        return self._window_set(self._arrays(len(self._data.values)), self._origins["test"])

    def _shape(self) -> TaskShape:
        channels, height, width = self._data.values.shape[1:]
        return TaskShape(
            history=self.settings.history,
            horizon=self.settings.horizon,
            channels=channels,
            grid=(height, width),
            slots_per_day=self._data.card.slots_per_day,
            days_back=tuple(days for days in self._days_back if days not in self.days_hidden),
            season="year" if self._data.card.yearly else "day",
        )

    def _split_origins(self, name: str) -> NDArray[np.int64]:
        bounds, settings = self.split[name], self.settings
        starts = self._every_origin(name, settings.history, settings.horizon)
        if not len(starts):
            raise TaskError(
                f"the {name} split of '{self._data.card.name}' has {bounds[1] - bounds[0]} slots and holds no window "
                f"of {settings.history} -> {settings.horizon} steps under protocol '{settings.protocol}'; "
                f"{self._shorter_task()}"
            )
        return starts

    def _shorter_task(self) -> str:
        """What to do where a split has no window: the longest task of which every split has one."""
        for steps in range(min(self.settings.history, self.settings.horizon), 0, -1):
            if all(len(self._every_origin(name, steps, steps)) for name in self.split):
                return f"use a shorter task, such as task.history={steps} and task.horizon={steps}"
        return "the data are too short for any task"

    def _every_origin(self, name: str, history: int, horizon: int) -> NDArray[np.int64]:
        return origins(
            self.split[name],
            segments=self._data.segments,
            history=history,
            horizon=horizon,
            protocol=self.settings.protocol,
        )

    def _used(self, name: str, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the origins of a split those that are used where windows are few.

        A city that began to measure late in the training period has one unbroken stretch of readings: the last training
        windows, and behind them the first validation windows, cut in the same proportion. Validation windows spread
        over their whole period would know days that were not measured yet. What lies before the stretch does not exist
        for this city: it is missing for the scaler, for fits and for the past of every window. Published tables
        take the first training windows and validate on all.
        """
        count, windows = max(1, int(len(starts) * self.settings.fraction)), self.settings.windows
        if name == "train" and not self.settings.fraction:
            return starts[:0]
        if name == "train":
            return starts[-count:] if windows == "last" else starts[:count]
        return starts[:count] if name == "val" and windows == "last" else starts

    def _scored(self, name: str, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the origins of a split those that are trained on or scored: the same for every model."""
        return starts if name == "train" else starts[spread(len(starts), self.settings.scored)]

    def _training_part(self) -> tuple[int, int]:
        """Half-open range of the slots that are trained on: empty, where validation begins, if none is."""
        starts, settings = self._origins["train"], self.settings
        if not len(starts):
            return self.split["val"][0], self.split["val"][0]
        first = int(starts[0]) - settings.history if settings.windows == "last" else 0
        return first, int(starts[-1]) + settings.horizon

    def hide_days_unknown_in_training(self) -> None:
        """From now on, leave those days before blank that most training windows have no values of.

        To be called before a model is trained. The first days of the data, or of a few-shot city, have no days before
        and the test has all of them; a model trained on blanks would be tested on what it never saw. So each day
        before is known to the windows of training, validation and test alike, or blank in all of them. A model
        that is not trained (a naive baseline, a frozen one) has nothing to be led astray and keeps what is known.
        """
        tasks = [task for task in (*self.sources, self) if len(task.train)]
        late = [days for days in self._days_back if any(task.train.share_with(days) <= MOST for task in tasks)]
        for task in (*self.sources, self):
            task.hide(late)

    def hide(self, late: Iterable[int]) -> None:
        """From now on, leave these days before blank."""
        self.days_hidden = tuple(dict.fromkeys((*self.days_hidden, *late)))
        self.train, self.val = (replace(part, days_hidden=self.days_hidden) for part in (self.train, self.val))

    def with_days(self, days_back: tuple[int, ...]) -> Task:
        """The same task for a model whose file asks for these days before; its test stays closed."""
        other = copy(self)
        other._days_back, other.days_hidden = days_asked_for(self.settings, days_back, self.card)
        other.shape, other._test_allowed = other._shape(), False
        days: dict[str, Any] = {"days_back": other._days_back, "days_hidden": other.days_hidden}
        other.train, other.val = (replace(part, **days) for part in (self.train, self.val))
        return other

    def _check_targets(self) -> None:
        """Every split must have a target value that counts."""
        valid = self._valid(int(self._origins["test"][-1]) + self.settings.horizon).numpy()
        for name, starts in self._origins.items():
            if len(starts) and not any(valid[start : start + self.settings.horizon].any() for start in starts):
                few = len(starts) < self._there.get(f"{name}_there", 0)
                where = f"{len(starts)} scored windows of the {name} split" if few else f"{name} split"
                todo = "; raise task.scored or take another data set" if few else ""
                raise TaskError(f"every target value in the {where} of '{self._data.card.name}' is missing{todo}")

    def _valid(self, stop: int) -> torch.Tensor:
        """``[stop, C, H, W]`` bool, on the CPU: where the first slots hold a value that counts."""
        mask, cells = self._data.mask, self._cells()
        if mask is None:
            return cells.expand(stop, *self._data.values.shape[1:])
        valid = torch.from_numpy(storage_of_its_own(mask, 0, stop))
        if not cells.all():
            for piece in pieces(valid.shape):
                valid[piece] &= cells
        return valid

    def _cells(self) -> torch.Tensor:
        return torch.from_numpy(self._data.cell_mask.copy())  # the data set keeps its own: no model can reach it

    def scale_by(self, scaler: Scaler) -> None:
        """From now on, use this scaler, which was fitted on other data."""
        self.scaler = scaler
        self.train, self.val = (replace(part, scaler=scaler) for part in (self.train, self.val))

    def fitted_values(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values ``[T, C, H, W]`` of the training part, physical units, and where they count: those of its scaler."""
        start, stop = self.train_start, self.train_stop
        return self._data.values[start:stop], self._valid(stop)[start:].numpy()

    def _fit_scaler(self) -> Scaler:
        """On what is trained on; that of the sources, whose scaler has seen no slot of this data set.

        Without either, as for forecasts that were made elsewhere, on the whole training split.
        """
        if self.sources and self.settings.scaler == "train":
            return replace(self.sources[0].scaler, fitted_on=(0, 0))
        start, stop = self.train_start, len(self._data.values) if self.settings.leaky_scaler else self.train_stop
        start, stop = (start, stop) if stop > start else self.split["train"]
        name: Literal["standard", "minmax"] = "minmax" if self.settings.leaky_scaler else "standard"
        values, valid = self._data.values[start:stop], self._valid(stop)[start:].numpy()
        return fit_scaler(values, valid, (start, stop), name).to(self._device)

    def _arrays(self, stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, validity and clock of the first ``stop`` slots, as storage of their own on the device."""
        values = torch.from_numpy(storage_of_its_own(self._data.values, 0, stop))
        clock = torch.from_numpy(self._data.clock[:stop].copy())
        return values.to(self._device), self._valid(stop).to(self._device), clock.to(self._device)

    def _window_set(
        self, arrays: tuple[torch.Tensor, torch.Tensor, torch.Tensor], chosen: NDArray[np.int64]
    ) -> WindowSet:
        values, valid, clock = arrays
        return WindowSet(
            values=values,
            valid=valid,
            complete=self._complete,
            clock=clock,
            origins=torch.from_numpy(chosen).to(self._device),
            begins=torch.from_numpy(self._begins(chosen)).to(self._device),
            scaler=self.scaler,
            history=self.settings.history,
            horizon=self.settings.horizon,
            days_back=self._days_back,
            days_hidden=self.days_hidden,
            calendar=self.settings.calendar,
            per_day=self.shape.slots_per_day,
        )

    def _begins(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        starts = np.array([start for start, _ in self._data.segments], dtype=np.int64)
        begins = starts[np.searchsorted(starts, chosen, side="right") - 1]
        return np.maximum(begins, self.train_start)

    @property
    def series(self) -> Series:
        """The training part, scaled, for models that are fitted in closed form.

        All of it is storage of its own: a model may write to it, and nothing that is scored changes.
        """
        piece = slice(self.train_start, self.train_stop)
        clock = self.train.clock[piece]
        return Series(
            values=self._scaled_training_part(),
            clock=clock.clone() if self.settings.calendar else torch.zeros_like(clock),
            mask=self.train.valid[piece].clone(),
            origins=self.train.origins - self.train_start,
        )

    def _scaled_training_part(self) -> torch.Tensor:
        """As storage of its own, which is scaled in place."""
        start, stop = self.train_start, self.train_stop
        if self._device.type == "cpu":
            values = torch.from_numpy(storage_of_its_own(self._data.values, start, stop))
        else:
            values = self.train.values[start:stop].clone()
        for piece in pieces(values.shape):
            values[piece].sub_(self.scaler.center).div_(self.scaler.scale)
            if not self._complete:
                values[piece].masked_fill_(~self.train.valid[start:stop][piece], 0)
        return values
