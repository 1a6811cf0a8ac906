"""What tables of errors can show: the metrics of a record, and the error in units of the naive baseline's.

The **scaled MAE** of a method on a data set is its MAE divided by that of the best naive baseline: of those in the same
group that have the smallest mean MAE over the same target values of the same test windows. It has no unit; below 1 a
method is better than every naive baseline that was run, and 1 less it is the skill that is ranked. It is like Hyndman
and Koehler's MASE (2006), which divides by a naive forecast's error within the training part instead. It is made of
scores that every record has, when tables are made, and so is the same for records of any age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bench.metrics import METRICS, Metric

SCALED: Final = "scaled_mae"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a table shows of an error.

    Attributes:
        label: As tables head it.
        best: Whether a low value is the best, a high one, or that nearest to zero.
        unit: Whether it is in the unit of the data.
        decimals: How many it has at the least.
    """

    label: str
    best: Literal["low", "high", "zero"] = "low"
    unit: bool = False
    decimals: int = 2

    def loss(self, value: float) -> float:
        """What is the lower the better a value is."""
        return {"low": value, "high": -value, "zero": abs(value)}[self.best]


IN_UNITS: Final = ("mae", "rmse")


def measures(metrics: Mapping[str, Metric]) -> dict[str, Measure]:
    """The metrics of records, and what is made of them."""
    recorded = {
        name: Measure(label=metric.label, best=metric.best, unit=name in IN_UNITS) for name, metric in metrics.items()
    }
    return {**recorded, SCALED: Measure(label="Scaled MAE", decimals=3)}


MEASURES: Final[Mapping[str, Measure]] = measures(METRICS)
SHOWN: Final = tuple(name for name, metric in METRICS.items() if metric.shown)
