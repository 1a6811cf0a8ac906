"""Exact metrics from float64 sums: the same whatever the batch size, order or sharding.

A batch is reduced to sums per window, step and channel. The sums of all windows are then added in window order, once,
so that nothing depends on where a batch ended. RMSE is the root of the pooled mean square, never a mean of roots.
Squares are summed around means, so that R² is the same at any level of the values. Nothing is pooled over channels
whose units differ.

A metric is an entry of ``METRICS``: records, frames, CSV files and the tables of suites follow. One that needs a sum
that is not there yet needs a field of ``Sums`` first, and ``bench.scoring.window_sums`` to fill it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sums:
    """Sums over the target values that count, physical units; y the target, e the forecast less the target.

    Attributes:
        count: Number of values.
        absolute, square: Of ``|e|`` and ``e²``.
        target, target_absolute: Of ``y`` and ``|y|``.
        target_spread: Of ``(y - mean of y)²``, the mean being that of the values that are summed.
        ratio, ratio_count: Of ``|e| / |y|`` over the values of at least the data set's threshold that are not 0, and
            their number.
    """

    count: float
    absolute: float
    square: float
    target: float
    target_absolute: float
    target_spread: float
    ratio: float
    ratio_count: float


FIELDS: Final = tuple(field.name for field in fields(Sums))
POWERS: Final = {"absolute": 1, "square": 2, "target": 1, "target_absolute": 1, "target_spread": 2}  # of the unit
ROUNDING: Final = 1e-13  # a deviation from the mean, relative to the level, that float64 makes; float32 data have 1e-8


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        label: As tables head it.
        formula: From sums of which ``count`` is not 0; None where it is not defined.
        best: Whether a low value is the best, a high one, or that nearest to zero.
        shown: Whether tables of scores have a grid of it; the CSV has every metric.
    """

    label: str
    formula: Callable[[Sums], float | None]
    best: Literal["low", "high", "zero"] = "low"
    shown: bool = False

    def loss(self, value: float) -> float:
        """What is the lower the better a value is."""
        return {"low": value, "high": -value, "zero": abs(value)}[self.best]


def _r2(sums: Sums) -> float | None:
    rounding = sums.count * (ROUNDING * sums.target_absolute / sums.count) ** 2
    return 1 - sums.square / sums.target_spread if sums.target_spread > rounding else None


METRICS: Final[Mapping[str, Metric]] = {
    "mae": Metric(label="MAE", formula=lambda s: s.absolute / s.count, shown=True),
    "rmse": Metric(label="RMSE", formula=lambda s: math.sqrt(s.square / s.count), shown=True),
    "mape": Metric(label="MAPE, %", formula=lambda s: 100 * s.ratio / s.ratio_count if s.ratio_count else None),
    "wape": Metric(
        label="WAPE, %", formula=lambda s: 100 * s.absolute / s.target_absolute if s.target_absolute else None
    ),
    "r2": Metric(label="R²", formula=_r2, best="high"),
}
SHOWN: Final = tuple(name for name, metric in METRICS.items() if metric.shown)


class Score(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One metric in three cuts, as a record has it; None where nothing was counted."""

    overall: float | None
    per_step: list[float | None]
    per_channel: list[float | None]


@dataclass(frozen=True)
class WindowSums:
    """Sums per window.

    Attributes:
        sums: ``[N, F, C, S]`` float64, the last axis as in ``FIELDS``.
    """

    sums: NDArray[np.float64]

    def scores(self, *, pooled: bool = True) -> dict[str, Score]:
        """Every metric overall, per step and per channel; per channel alone where these may not be ``pooled``."""
        total = _added(self.sums, axis=0)  # [F, C, S]
        channels = [_sums(row) for row in _added(total, axis=0)]
        steps = [_sums(row) if pooled else None for row in _added(total, axis=1)]
        overall = _sums(_added(_added(total, axis=1), axis=0)) if pooled else None
        return {
            name: Score(
                overall=_value(metric, overall),
                per_step=[_value(metric, step) for step in steps],
                per_channel=[_value(metric, channel) for channel in channels],
            )
            for name, metric in METRICS.items()
        }

    def scaled(self, scale: NDArray[np.float64]) -> WindowSums:
        """The sums of errors and targets that are divided by their channel's ``scale [C]``, a size in its unit."""
        powers = np.array([POWERS.get(name, 0) for name in FIELDS])
        return WindowSums(self.sums / scale[:, None] ** powers)

    @property
    def count(self) -> int:
        """Number of target values that count."""
        return int(self.sums[..., 0].sum())

    def per_window(self, field: str) -> NDArray[np.float64]:
        """One of ``FIELDS``, summed over steps and channels, ``[N]``."""
        values: NDArray[np.float64] = self.sums[..., FIELDS.index(field)].sum(axis=(1, 2))
        return values


def _added(sums: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    """Sums over one axis of ``[..., S]``.

    The spread is that around the common mean: within the parts and between them (Chan, Golub and LeVeque, "Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979).
    """
    total: NDArray[np.float64] = sums.sum(axis=axis)
    parts, whole = (_means(values) for values in (sums, np.expand_dims(total, axis)))
    between = sums[..., FIELDS.index("count")] * (parts - whole) ** 2
    total[..., FIELDS.index("target_spread")] += between.sum(axis=axis)
    return total


def _means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the targets, ``[...]`` for ``[..., S]``; 0 where there is none."""
    means: NDArray[np.float64] = sums[..., FIELDS.index("target")] / sums[..., FIELDS.index("count")].clip(1)
    return means


def _sums(row: NDArray[np.float64]) -> Sums:
    return Sums(*map(float, row))


def _value(metric: Metric, sums: Sums | None) -> float | None:
    return metric.formula(sums) if sums and sums.count else None
