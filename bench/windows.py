"""Windows as index ranges into one array.

A window is named by its origin ``o``: its history is ``[o - P, o)`` and its target ``[o, o + F)``. Nothing is copied
until a batch is gathered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench.moments import Seen
from bench.settings import Protocol
from bench.types import Segments, Window


def origins(
    bounds: tuple[int, int], *, segments: Segments, history: int, horizon: int, protocol: Protocol
) -> NDArray[np.int64]:
    """Origins of all windows of one split, ascending.

    The whole target lies in ``bounds``. Under ``strict`` the history may reach back into an earlier split, because at
    forecast time the past is known; under ``unist`` the whole window lies in ``bounds``. No window crosses a gap.
    """
    start, stop = bounds
    pieces = []
    for low, high in segments:
        first = max(low + history, start + (history if protocol == "unist" else 0))
        last = min(high, stop) - horizon
        pieces.append(np.arange(first, last + 1, dtype=np.int64))
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of ``count`` positions, evenly from the first to the last, ascending; all if ``most`` is 0."""
    if not 0 < most < count:
        return np.arange(count, dtype=np.int64)
    return np.arange(most, dtype=np.int64) * (count - 1) // max(1, most - 1)


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """An affine map per channel: ``scaled = (value - center) / scale``.

    Attributes:
        center, scale: ``[C, 1, 1]`` float32, physical units.
        low, high: ``[C, 1, 1]``, extremes of the values the scaler was fitted on, physical units.
        fitted_on: Half-open range of slots it has seen.
        name: "standard" or "minmax".
    """

    center: torch.Tensor
    scale: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    fitted_on: tuple[int, int]
    name: Literal["standard", "minmax"]

    def to(self, device: torch.device) -> Scaler:
        """The same scaler on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("center", "scale", "low", "high")}
        return replace(self, **moved)

    def scaled(self, values: torch.Tensor) -> torch.Tensor:
        """Physical ``[..., C, H, W]`` to scaled."""
        return (values - self.center) / self.scale

    def physical(self, values: torch.Tensor) -> torch.Tensor:
        """Scaled ``[..., C, H, W]`` to physical."""
        return values * self.scale + self.center


def fit_scaler(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    fitted_on: tuple[int, int],
    name: Literal["standard", "minmax"],
) -> Scaler:
    """Fit a scaler per channel, in float64, on the valid values of ``[T, C, H, W]``.

    A channel that is constant, or has no valid value, keeps scale 1.
    """
    rows = []
    for channel in range(values.shape[1]):
        seen = Seen(values[:, channel], valid[:, channel])
        low, high = seen.extremes()
        if name == "standard":
            center, scale = seen.mean_and_deviation()
        else:
            center, scale = (high + low) / 2, (high - low) / 2
        rows.append((center, scale if scale > 0 else 1.0, low, high))
    columns = torch.tensor(rows, dtype=torch.float64).to(torch.float32).T.reshape(4, -1, 1, 1)
    return Scaler(center=columns[0], scale=columns[1], low=columns[2], high=columns[3], fitted_on=fitted_on, name=name)


@dataclass(frozen=True, kw_only=True)
class WindowSet:
    """The windows of one split over one array on one device.

    Attributes:
        values: ``[T, C, H, W]`` float32, physical units; anything where it is missing.
        valid: ``[T, C, H, W]`` bool.
        complete: Whether all of ``valid`` is true.
        clock: ``[T, 2]`` int64.
        origins: ``[N]`` int64 on the same device, ascending.
        begins: ``[N]`` int64, where the piece without gaps begins that holds the window.
        days_back: As in ``Window.past``.
        days_hidden: Those of them that are blank in every window.
        calendar: Whether windows tell the clock.
        per_day: Slots of a season, as ``TaskShape.slots_per_day``.
    """

    values: torch.Tensor
    valid: torch.Tensor
    complete: bool
    clock: torch.Tensor
    origins: torch.Tensor
    begins: torch.Tensor
    scaler: Scaler
    history: int
    horizon: int
    days_back: tuple[int, ...]
    days_hidden: tuple[int, ...]
    calendar: bool
    per_day: int

    def __len__(self) -> int:
        return len(self.origins)

    def window(self, chosen: torch.Tensor) -> Window:
        """Gather the inputs of the windows at positions ``chosen [B]``."""
        steps = self._steps(chosen, -self.history, 0)
        history, valid = self.scaler.scaled(self.values[steps]), self.valid[steps]
        past, past_valid, past_clock = self._past(chosen) if self.days_back else (None, None, None)
        return Window(
            history=history if self.complete else torch.where(valid, history, 0),
            history_valid=valid,
            history_clock=self._clock_of(steps),
            horizon_clock=self._clock_of(self._steps(chosen, 0, self.horizon)),
            past=past,
            past_valid=past_valid,
            past_clock=past_clock,
        )

    def moved(self, steps: int) -> WindowSet:
        """The same windows so many steps later, at most where the last one begins."""
        return replace(self, origins=(self.origins + steps).clamp_max(self.origins[-1]))

    def drawn(self, count: int, batch_size: int, generator: torch.Generator) -> list[torch.Tensor]:
        """So many batches of shuffled passes, one after the other; windows fewer than a batch are a batch each time.

        ``generator`` is a CPU generator. The batches go to the device in one piece, for which nobody waits.
        """
        batches: list[torch.Tensor] = []
        while len(batches) < count:
            batches += _cut(torch.randperm(len(self), generator=generator), batch_size)
        chosen = batches[:count]
        order = torch.cat(chosen)
        if self.origins.is_cuda:
            order = order.pin_memory()
        order = order.to(self.origins.device, non_blocking=True)
        return list(torch.split(order, [len(batch) for batch in chosen]))

    def share_with(self, days: int) -> float:
        """Share of the windows that have values of so many days before."""
        return float((self.origins - self.begins >= days * self.per_day).double().mean())

    def target(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gather the targets of the windows at positions ``chosen [B]``.

        Returns:
            Values ``[B, F, C, H, W]`` float32 in physical units, the training mean where missing, and in the same shape
            False where the value is missing or the cell is padding.
        """
        future = self._steps(chosen, 0, self.horizon)
        values, valid = self.values[future], self.valid[future]
        return values if self.complete else torch.where(valid, values, self.scaler.center), valid

    def positions(self, batch_size: int) -> list[torch.Tensor]:
        """All positions in order, in batches; the last one may be short and is never dropped or padded."""
        return _cut(torch.arange(len(self), device=self.origins.device), batch_size)

    def _past(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As ``Window`` has it; every slot it reads lies before the origin, so no forecast sees its future."""
        slots = self.origins[chosen, None, None] + self._past_offsets  # [B, K, F]
        known = ((slots >= self.begins[chosen, None, None]) & self._past_shown[:, None])[..., None, None, None]
        slots = slots.clamp_min(0)
        values, valid = self.scaler.scaled(self.values[slots]), known & self.valid[slots]  # [B, K, F, C, H, W]
        return torch.where(valid, values, 0), valid, self._clock_of(slots)

    @cached_property
    def _past_offsets(self) -> torch.Tensor:
        """Where ``past`` is seen from the origin, ``[K, F]`` int64: made once, since a device waits for each copy."""
        period = self.per_day * torch.tensor(self.days_back)[:, None]  # [K, 1]
        step = torch.arange(self.horizon)
        return (step - period * (step // period + 1)).to(self.origins.device)

    @cached_property
    def _past_shown(self) -> torch.Tensor:
        """Which of the days before are not blank in every window, ``[K]`` bool."""
        shown = torch.tensor([days not in self.days_hidden for days in self.days_back])
        return shown.to(self.origins.device)

    def _clock_of(self, slots: torch.Tensor) -> torch.Tensor:
        """What windows tell of the clock of these slots."""
        clock = self.clock[slots]
        return clock if self.calendar else torch.zeros_like(clock)

    def _steps(self, chosen: torch.Tensor, first: int, last: int) -> torch.Tensor:
        offsets = torch.arange(first, last, device=self.origins.device)
        return self.origins[chosen, None] + offsets  # [B, last - first]


def _cut(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    return [order[start : start + size] for start in range(0, len(order), size)]
