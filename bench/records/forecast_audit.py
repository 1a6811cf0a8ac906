"""What a record says of the audit of its model."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from bench.records.plain import Whole


class ForecastAudit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the forecasts that were scored are from those of the same windows asked for in other ways.

    Differences are the largest of any value of scaled forecasts, relative where a forecast's largest value is above 1.

    Attributes:
        windows: How many test windows were probed alone, in up to three batches of those scored.
        tolerance: A run with a larger difference fails.
        draws: Of a model that is random on purpose, scored as the mean of so many seeded draws; 0 for any other.
        fresh_in: Where the fresh copy forecast: in a process of its own, or beside the model that was scored.
        fresh: From a fresh copy with the same weights, each window alone, on test and as many windows of validation.
        alone: From each window alone.
        repeated: Between two calls for the same window.
        reordered: From the same batch in another order.
        after_others: From the same batch after windows whose histories go on into its targets, of a few of them to the
            end, where the test part has such windows.
    """

    windows: Whole
    tolerance: float
    draws: Whole
    fresh_in: Literal["process", "copy"]
    fresh: float
    alone: float
    repeated: float
    reordered: float
    after_others: float

    @property
    def largest(self) -> float:
        return max(self.fresh, self.alone, self.repeated, self.reordered, self.after_others)
