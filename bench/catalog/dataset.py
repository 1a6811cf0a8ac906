"""A data set as a person looks at it, and the times of its slots."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bench.clock import clock_at, moment_of, times_from
from bench.types import DatasetCard, SpatioTemporalData


@dataclass(frozen=True, kw_only=True, repr=False)
class Dataset(SpatioTemporalData):
    """A canonical data set with the times of its slots, and a text that is short."""

    @classmethod
    def of(cls, data: SpatioTemporalData) -> Dataset:
        """The same data."""
        return cls(**{field.name: getattr(data, field.name) for field in fields(data)})

    @property
    def times(self) -> NDArray[np.datetime64] | None:
        """The time of each slot, ``[T]``; None where the calendar is unknown or there is a gap in time."""
        return times_of(self.card, self.clock, np.arange(len(self.clock)))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in zip("TCHW", self.values.shape, strict=True))
        times = self.times
        span = "" if times is None else f", {times[0]} to {times[-1]}"
        missing = "" if self.mask is None else f", {1 - self.mask.mean():.2%} missing"
        made = ", synthetic" if self.identity.synthetic else ""
        return (
            f"Dataset({self.card.name}: {sizes}{span}, in {', '.join(dict.fromkeys(self.card.units))}{missing}{made})"
        )


def times_of(card: DatasetCard, clock: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.datetime64] | None:
    """The times of slots, counted from the start of the data; None where the clock does not bear them out.

    That is so where the calendar is unknown, and behind a gap in time, whose length nothing tells.

    Args:
        card: The data set's.
        clock: Of these slots, ``[N, 2]``.
        slots: ``[N]``.
    """
    if card.start is None:
        return None
    times = times_from(moment_of(card.start), card.interval, slots)
    return times.astype("datetime64[s]") if np.array_equal(clock_at(times, card.interval), clock) else None
