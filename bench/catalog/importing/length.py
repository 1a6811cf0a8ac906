"""Whether a series is long enough to be forecast: its import says so by the rule that refuses it in a run."""

from __future__ import annotations

from itertools import count

from bench.settings import TASKS, TaskSettings, chronological_split
from bench.types import DatasetCard


def doubt_about_length(card: DatasetCard, task: TaskSettings = TASKS["short"]) -> str:
    """A sentence where a split of a series in one piece holds no window of a task; else empty."""
    history, horizon = task.history, task.horizon
    shortest = min(stop - start for start, stop in chronological_split(card.slots).values())
    if shortest >= history + horizon or _holds_windows(card.slots, history, horizon):
        return ""
    wanted = _fewest_slots(history, horizon)
    text = (
        f"{card.name} has too few slots ({card.slots}) for the task '{task.name}' of {history} -> {horizon} steps, "
        f"which needs {wanted}, so that each of the splits for training, validation and test holds a window"
    )
    for steps in range(min(history, horizon), 0, -1):
        if _holds_windows(card.slots, steps, steps):
            return (
                f"{text}; bring more, or run with --set task.history={steps} --set task.horizon={steps}, or settings="
            )
    return f"{text}; bring more, since no task does with fewer than {_fewest_slots(1, 1)}"


def _fewest_slots(history: int, horizon: int) -> int:
    return next(slots for slots in count(1) if _holds_windows(slots, history, horizon))


def _holds_windows(slots: int, history: int, horizon: int) -> bool:
    """Whether each split has a window, by the function that cuts them, which brings torch along."""
    from bench.windows import origins

    return all(
        len(origins(bounds, segments=((0, slots),), history=history, horizon=horizon, protocol="strict"))
        for bounds in chronological_split(slots).values()
    )
