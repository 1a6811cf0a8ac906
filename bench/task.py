"""A task: one data set, one split, one horizon — and the only holder of test targets.

Training code sees ``train``, ``val`` and ``series``, which live in an array that ends where validation ends. The array
that goes on into the test period is built by ``open_test``, which the evaluator may call once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench.errors import LeakError, TaskError
from bench.settings import TaskSettings, chronological_split
from bench.types import DatasetCard, Series, SpatioTemporalData, TaskShape
from bench.windows import Scaler, WindowSet, fit_scaler, origins


class Task:
    """One data set under one protocol, on one device.

    Attributes:
        shape: What a model may know when it is built.
        train, val: Windows with targets, for training and for choosing.
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
    ) -> None:
        """Build the training and validation windows; with ``test_allowed`` False, test stays closed, as in tuning.

        Raises:
            TaskError: If a split has no window, or ``days_back`` are no whole numbers of days from 1 on.
        """
        if any(type(days) is not int or days < 1 for days in days_back):
            raise TaskError(f"DAYS_BACK is {days_back!r}, wanted whole numbers of days, 1 or more")
        self._data, self._device, self._test_allowed = data, device, test_allowed
        self._days_back = tuple(days_back)
        self.settings = settings
        self.split = chronological_split(len(data.values))
        self.test_reads = 0
        channels, height, width = data.values.shape[1:]
        self.shape = TaskShape(
            history=settings.history,
            horizon=settings.horizon,
            channels=channels,
            grid=(height, width),
            slots_per_day=data.card.slots_per_day,
        )
        self._origins = {name: self._split_origins(name) for name in ("train", "val", "test")}
        self.train_stop = int(self._origins["train"][-1]) + settings.horizon
        self._valid = self._valid_mask()
        self.scaler = self._fit_scaler()
        seen = self._arrays(self.split["val"][1])
        self.train = self._window_set(seen, self._origins["train"])
        self.val = self._window_set(seen, self._origins["val"])
        self._check_targets()

    @property
    def cell_mask(self) -> torch.Tensor:
        """``[H, W]`` bool, False on padding cells."""
        return torch.from_numpy(self._data.cell_mask).to(self._device)

    @property
    def card(self) -> DatasetCard:
        return self._data.card

    @property
    def mape_threshold(self) -> float:
        return self._data.card.mape_threshold

    def counts(self) -> dict[str, int]:
        """Number of windows per split."""
        return {name: len(starts) for name, starts in self._origins.items()}

    def first_origins(self) -> dict[str, tuple[int, int]]:
        """First and last origin per split, for the leakage audit."""
        return {name: (int(starts[0]), int(starts[-1])) for name, starts in self._origins.items()}

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

    def _split_origins(self, name: str) -> NDArray[np.int64]:
        bounds, settings = self.split[name], self.settings
        starts = origins(
            bounds,
            segments=self._data.segments,
            history=settings.history,
            horizon=settings.horizon,
            protocol=settings.protocol,
        )
        if not len(starts):
            raise TaskError(
                f"the {name} split of '{self._data.card.name}' has {bounds[1] - bounds[0]} slots and holds no window "
                f"of {settings.history} -> {settings.horizon} steps under protocol '{settings.protocol}'; use a "
                "shorter task"
            )
        return starts[: max(1, int(len(starts) * settings.fraction))] if name == "train" else starts

    def _check_targets(self) -> None:
        """Every split must have a target value that counts."""
        for name, starts in self._origins.items():
            if not self._valid[starts[0] : starts[-1] + self.settings.horizon].any():
                raise TaskError(f"every target value in the {name} split of '{self._data.card.name}' is missing")

    def _valid_mask(self) -> NDArray[np.bool_]:
        data = self._data
        present = np.ones(data.values.shape, dtype=bool) if data.mask is None else data.mask
        return present & data.cell_mask

    def _fit_scaler(self) -> Scaler:
        stop = len(self._data.values) if self.settings.leaky_scaler else self.train_stop
        name: Literal["standard", "minmax"] = "minmax" if self.settings.leaky_scaler else "standard"
        return fit_scaler(self._data.values[:stop], self._valid[:stop], (0, stop), name).to(self._device)

    def _arrays(self, stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, validity and clock of the first ``stop`` slots, as storage of their own on the device."""
        valid = torch.from_numpy(self._valid[:stop].copy()).to(self._device)
        values = torch.from_numpy(self._data.values[:stop].copy()).to(self._device)
        clock = torch.from_numpy(self._data.clock[:stop].copy()).to(self._device)
        return torch.where(valid, values, self.scaler.center), valid, clock

    def _window_set(
        self, arrays: tuple[torch.Tensor, torch.Tensor, torch.Tensor], chosen: NDArray[np.int64]
    ) -> WindowSet:
        values, valid, clock = arrays
        return WindowSet(
            values=values,
            valid=valid,
            clock=clock,
            origins=torch.from_numpy(chosen).to(self._device),
            begins=torch.from_numpy(self._begins(chosen)).to(self._device),
            scaler=self.scaler,
            history=self.settings.history,
            horizon=self.settings.horizon,
            days_back=self._days_back,
            per_day=self.shape.slots_per_day,
        )

    def _begins(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        starts = np.array([start for start, _ in self._data.segments], dtype=np.int64)
        return starts[np.searchsorted(starts, chosen, side="right") - 1]

    @property
    def series(self) -> Series:
        """The training part, scaled, for models that are fitted in closed form."""
        stop = self.train_stop
        return Series(
            values=self.scaler.scaled(self.train.values[:stop]),
            clock=self.train.clock[:stop],
            mask=self.train.valid[:stop],
        )
