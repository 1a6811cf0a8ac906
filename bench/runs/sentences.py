"""What an audit says of a model that fails it. Words move no number, so this file is in no digest of code."""

from __future__ import annotations

from typing import Final

RANDOM: Final = (
    "the audit found randomness in evaluation: the same window forecast twice gives values that differ by {by:.2g}"
    "{training}; turn dropout and noise off when self.training is False, or write STOCHASTIC = True into the model's "
    "file or class, so that the mean of several seeded draws is scored"
)
COUNTED: Final = (
    "the audit found memory across calls: the same window forecast twice gives values that differ by {by:.2g}, even "
    "with the same random numbers{training}; keep nothing between forecasts, and draw from global generators only"
)
MEMORY: Final = (
    "the audit found memory across calls: what was scored differs by {by:.2g} from what the same weights forecast of "
    "the same windows afresh or once more, or the weights or buffers changed meanwhile{training}; keep nothing between "
    "forecasts, neither in the model nor in its module"
)
STATISTICS: Final = (
    "the audit found that a forecast depends on the other windows of its batch, in whatever order, as statistics of a "
    "batch do: it differs by {by:.2g} when its window is alone{training}; normalise each window by itself, or by "
    "statistics of training"
)
PLACE: Final = (
    "the audit found that a forecast depends on its neighbours in the batch: it differs by {by:.2g} when its window is "
    "alone, and changes with the order of the batch{training}; the rows beside it may hold its target, so read no other"
)
APART: Final = (
    "the audit found memory across calls, or that forecasts depend on the process that trained the model: in a fresh "
    "process the same weights forecast nothing ({reason}); keep nothing outside the model"
)
