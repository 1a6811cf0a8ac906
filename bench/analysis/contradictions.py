"""Whether a record agrees with itself: its scores are of errors that it also has window by window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

from bench.metrics import METRICS
from bench.records.arrays import CellErrors, WindowErrors, values_of
from bench.records.record import DoneRun, Record

ROUNDED: Final = 1e-6  # relative; each window's sum is kept as float32, which rounds it by 6e-8 at most
MEANS: Final = frozenset(("mae", "rmse", "mape", "wape"))  # over all they lie between their parts
NOTHING: Final = 1e-15  # an error so small may be kept as 0


def contradictions(records: Iterable[Record]) -> list[str]:
    """A sentence for each finished run whose record contradicts itself."""
    return [
        f"{record.dataset}/{record.model}/{record.run_id}.json contradicts itself: {told}"
        for record in records
        if isinstance(record, DoneRun) and (told := contradiction(record))
    ]


def contradiction(record: DoneRun) -> str:
    """Figures that are not those of the record's own windows or of their parts; empty if all are.

    Scores of channels whose units differ are not held against windows, whose errors are in the scaler's units.
    """
    kept: dict[str, WindowErrors | CellErrors | None] = {"windows": record.windows, "cells": record.windows.cells}
    wrong = [
        f"its {name} on test is {value:.8g}, by the errors of its {parts} {found:.8g}"
        for parts, errors in kept.items()
        if errors
        for name, value, found in _told(record, errors)
        if value is not None and not math.isclose(value, found, rel_tol=ROUNDED, abs_tol=NOTHING)
    ]
    return "; ".join([*wrong, *_idle_apart(record.windows), *_beyond_their_parts(record)])


def _idle_apart(windows: WindowErrors) -> Iterator[str]:
    """What the errors of idle cells are by window and by cell, if it is not the same."""
    if (cells := windows.cells) is None or not cells.idle_absolute:
        return
    of_windows, every = values_of(cells.idle_absolute), values_of(windows.absolute)
    told, found = (float(sums.sum()) for sums in (of_windows, values_of(cells.absolute)[cells.idle_map.ravel()]))
    if not math.isclose(told, found, rel_tol=ROUNDED, abs_tol=NOTHING):
        yield f"the absolute errors of its idle cells are {told:.8g} by window, {found:.8g} by cell"
    if (of_windows > every * (1 + ROUNDED) + NOTHING).any():
        yield "its idle cells have more error in a window than all cells together"


def _told(record: DoneRun, errors: WindowErrors | CellErrors) -> list[tuple[str, float | None, float]]:
    """What is told of all errors, its value in the record, and that of their sums."""
    count, absolute, square = (float(values_of(sums).sum()) for sums in (errors.count, errors.absolute, errors.square))
    told: list[tuple[str, float | None, float]] = [("number of values", record.counts.test_values, count)]
    if count:
        of_parts = {"mae": absolute / count, "rmse": math.sqrt(square / count)}
        told += [(METRICS[name].label, record.score(name), value) for name, value in of_parts.items()]
    return told


def _beyond_their_parts(record: DoneRun) -> Iterator[str]:
    """Errors over all that do not lie between those of the steps, or of the channels, whose means they are."""
    for split, scores in record.scores.items():
        for name in MEANS & scores.keys():
            score = scores[name]
            for parts, values in {"steps": score.per_step, "channels": score.per_channel}.items():
                known = [value for value in values if value is not None]
                if score.overall is None or not known:
                    continue
                low, high = min(known) * (1 - ROUNDED) - NOTHING, max(known) * (1 + ROUNDED) + NOTHING
                if not low <= score.overall <= high:
                    yield f"its {METRICS[name].label} on {split} is {score.overall:.8g}, which its {parts} do not make"
