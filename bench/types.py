"""The values that the harness and its plug-ins exchange.

Letters: B batch, P history steps, F horizon steps, C channels, H x W grid, T time. Data are ``[T, C, H, W]`` float32 in
physical units; "scaled" means what the task's scaler made. This module imports no torch, so that planning is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

MINUTES_PER_DAY = 24 * 60
MINUTES_PER_YEAR = 525_960  # on average
Segments: TypeAlias = tuple[tuple[int, int], ...]
"""Half-open ranges of slots without a gap in time."""


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One file of a data set as its authors publish it.

    Attributes:
        name: Path below ``<data dir>/<data set>/``, with forward slashes.
        sha256: Digest of the authors' file, or None when it is not known.
        url: Stable https address, or None when there is none.
    """

    name: str
    sha256: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """Everything a caption needs to say of one data set.

    Attributes:
        name: Registry name, the file name of the data set's module.
        grid: (H, W).
        source: Whose measurements they are, where several data sets share them. Data sets of one city or of one source
            are related: no two of them are independent witnesses of a claim.
        interval: Minutes per slot: of which a day holds a whole number; or ``WEEK`` or ``MONTH`` of ``bench.clock``.
        start: ISO date-time of the first slot, or None when the calendar is unknown. The clock then starts at
            midnight of a day called Monday: a week has its rhythm but not its name.
        slots: T of the official span.
        channels: Names, in order.
        unit: Physical unit of the values, and of MAE and RMSE: one for all channels, or one for each in their order.
            Scores are never pooled over channels whose units differ.
        domain: For instance "taxi flow".
        how_to_get: What to download from where, and where to put it, in one sentence.
        formats: The raw layouts its reader understands, one line each.
        files: Files of the preferred layout, with digest and address where known.
        nonnegative: Whether a negative value is an error in the file.
        zero_is_missing: Whether a zero means that the sensor was silent.
        mape_threshold: MAPE counts only targets of at least this size, in ``unit``, and never a target of 0.
    """

    name: str
    title: str
    city: str
    domain: str
    grid: tuple[int, int]
    interval: int
    start: str | None
    slots: int
    channels: tuple[str, ...]
    unit: str | tuple[str, ...]
    licence: str
    citation: str
    homepage: str
    how_to_get: str
    formats: tuple[str, ...]
    files: tuple[RawFile, ...] = ()
    nonnegative: bool = True
    zero_is_missing: bool = False
    mape_threshold: float = 10.0
    source: str = ""

    @property
    def yearly(self) -> bool:
        """Whether the season is the year, as it is where a slot is a week or a month; else it is the day."""
        return self.interval > MINUTES_PER_DAY

    @property
    def slots_per_day(self) -> int:
        """Slots of a season: those of a day, or the 52 weeks or 12 months of a year."""
        return (MINUTES_PER_YEAR if self.yearly else MINUTES_PER_DAY) // self.interval

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each channel."""
        return (self.unit,) * len(self.channels) if isinstance(self.unit, str) else self.unit

    @property
    def units_differ(self) -> bool:
        return len(set(self.units)) > 1


@dataclass(frozen=True, kw_only=True)
class RawSeries:
    """What a reader returns: the official raw files as arrays, not yet checked against the card.

    Attributes:
        values: ``[T, C, H, W]``, any float or integer type; NaN where a value is missing.
        clock: ``[T, 2]`` integers: slot of day, day of week (Monday is 0); or slot of year and 0.
        layout: Which of the card's formats was found, a short word such as "npz" or "stdn".
        segments: Half-open ranges of slots without a gap in time; None means one piece.
        cell_mask: ``[H, W]``, False on padding cells of a canvas; None means all True.
    """

    values: NDArray[Any]
    clock: NDArray[np.int64]
    layout: str
    segments: Segments | None = None
    cell_mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """Which numbers a run saw: enters the run's identity.

    Attributes:
        version: Layout and reader version of real data, or "synthetic-<n>".
        sha256: Digest of the canonical arrays.
        synthetic: Whether the data are synthetic.
    """

    name: str
    version: str
    sha256: str
    synthetic: bool


@dataclass(frozen=True, kw_only=True)
class SpatioTemporalData:
    """A canonical data set.

    Attributes:
        values: ``[T, C, H, W]`` float32, physical units, finite (0 where missing).
        mask: ``[T, C, H, W]``, False where a value is missing; None when none is.
        cell_mask: ``[H, W]``, False on padding cells.
        clock: ``[T, 2]`` int64: slot of day, day of week (Monday is 0); where the season is the year, slot of year
            and 0.
        segments: Half-open ranges without a gap in time; no window crosses a border.
    """

    card: DatasetCard
    identity: DataIdentity
    values: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    cell_mask: NDArray[np.bool_]
    clock: NDArray[np.int64]
    segments: Segments


@dataclass(frozen=True, kw_only=True)
class TaskShape:
    """What a model may know when it is built: sizes, no values.

    Attributes:
        slots_per_day: Steps of a season: those of a day, or the 52 weeks or 12 months of a year.
        days_back: The days before that ``Window.past`` has values of; those of a model's ``DAYS_BACK`` that the task
            withholds are blank there.
        season: What goes round in ``slots_per_day`` steps. Where it is the year, days before are years before, and
            those that are weeks (7, 14, ...) are blank.
    """

    history: int
    horizon: int
    channels: int
    grid: tuple[int, int]
    slots_per_day: int
    days_back: tuple[int, ...] = ()
    season: Literal["day", "year"] = "day"

    @property
    def cells(self) -> int:
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A batch of model inputs; it holds no target.

    Attributes:
        history: ``[B, P, C, H, W]`` float32, scaled; the training mean where a value is missing.
        history_valid: Same shape, bool: False where a value is missing or the cell is padding.
        history_clock: ``[B, P, 2]`` int64: slot of day, day of week (or slot of year and 0); 0 throughout in a task
            without calendar.
        horizon_clock: ``[B, F, 2]`` int64, of the steps to forecast.
        past: ``[B, K, F, C, H, W]`` float32, scaled, for a model whose file declares K ``DAYS_BACK``, such as (1, 7):
            the values at each step to forecast so many days before (seasons, where ``TaskShape.season`` is the year),
            or the next multiple of them that lies before the origin; the training mean where a value is missing, before
            the data begin, or on days that the task withholds. None for all others.
        past_valid: Same shape, bool: False where ``past`` has no observed value.
        past_clock: ``[B, K, F, 2]`` int64, as ``history_clock``.
    """

    history: torch.Tensor
    history_valid: torch.Tensor
    history_clock: torch.Tensor
    horizon_clock: torch.Tensor
    past: torch.Tensor | None = None
    past_valid: torch.Tensor | None = None
    past_clock: torch.Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """The training part of a data set, for models that are fitted in closed form.

    Attributes:
        values: ``[T, C, H, W]`` float32, scaled.
        clock: ``[T, 2]`` int64.
        mask: ``[T, C, H, W]`` bool, False where a value is missing.
        origins: ``[N]`` int64, ascending: where the target of each training window begins, as a slot of this series.
            Its history ends there, and no window crosses a gap in time, as a cut of one's own could.
    """

    values: torch.Tensor
    clock: torch.Tensor
    mask: torch.Tensor
    origins: torch.Tensor


class ModelPlugin(Protocol):
    """What a model's file offers; it may also say ``DAYS_BACK``, as ``Window.past`` describes it.

    A file that says ``STOCHASTIC = True`` declares that its model is random in evaluation: every window is then
    forecast by itself, as the mean of several draws that are seeded by the run's seed and the window's origin. With any
    other the same window gives the same forecast, whatever stands beside it in its batch and was forecast before.

    A ``Model`` with a method ``fit(series)`` is not trained by gradient: it sees the training series once.
    """

    @property
    def Config(self) -> type[Any]: ...  # noqa: N802 - a class

    @property
    def Model(self) -> Callable[[TaskShape, Any], torch.nn.Module]: ...  # noqa: N802 - a class
