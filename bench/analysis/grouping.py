"""Which runs make a cell of a table: numbers of different data, budgets, settings or code never share a mean.

Rows are those of ``bench.records.frame`` as plain dicts, with ``stale`` and their place in a layout. A cell is one data
set, with its very data, and one line: a model with its changes and weights.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np

from bench.analysis.table import SHOWN, Flag

TASK = ("task", "protocol", "history", "horizon", "fraction", "leaky_scaler", "clamp")
BLOCK = (*TASK, "profile", "recipe", "base")
DATA = ("dataset", "stand_in", "data_version", "data_sha256")
LINE = ("order", "line", "model", "variant", "weights")
METRICS = (*SHOWN, "mape", "wape", "r2")
HIGHER_IS_BETTER = ("r2",)

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One cell before it is text.

    Attributes:
        runs: The done runs in its means; may be empty.
        flags: What is to be said of it.
        floor: Whether its model is a floor.
        below: The metrics in which it is worse than the best floor on the same data.
    """

    runs: tuple[Row, ...]
    flags: tuple[Flag, ...]
    floor: bool
    below: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        return len(self.runs)

    @property
    def ranked(self) -> bool:
        return bool(self.runs) and "stale" not in self.flags

    def mean(self, metric: str) -> float:
        """Mean over seeds in physical units; NaN without a finite value."""
        return self._means[metric]

    def std(self, metric: str) -> float:
        """Sample standard deviation over seeds; NaN for fewer than two."""
        values = self._values(metric)
        return spread(values)

    def flags_of(self, metric: str) -> tuple[Flag, ...]:
        """What is to be said of one of its numbers."""
        return ("below_floor", *self.flags) if metric in self.below else self.flags

    @cached_property
    def _means(self) -> dict[str, float]:
        found = {metric: self._values(metric) for metric in METRICS}
        return {metric: statistics.fmean(values) if values else math.nan for metric, values in found.items()}

    def _values(self, metric: str) -> list[float]:
        values = (float(run[f"test_{metric}"]) for run in self.runs)
        return [value for value in values if math.isfinite(value)]


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation; NaN for fewer than two values. numpy's, as statistics' takes ten times as long."""
    return float(np.std(values, ddof=1)) if len(values) >= 2 else math.nan


Entries = dict[tuple[Key, Key], Entry]
"""By the values of ``DATA`` and of ``LINE + ("split",)``: the settings' digest where they must be told apart."""


def blocks(rows: Sequence[Row]) -> dict[Key, Entries]:
    """The cells of every block, by the values of ``BLOCK``; sorted, whatever the order of the rows.

    Floors are not trained, so those of one block serve all others of its task; floors that others show make none, and
    stand on no data set that only others have models on.
    """
    trained = {_key(row, (*TASK, *DATA)) for row in rows if not _is_floor(row)}
    found = {key: _of_models(own, trained) for key, own in grouped(rows, BLOCK).items()}
    found = {key: own for key, own in found.items() if own}
    served = {_key(row, (*TASK, *DATA)) for own in found.values() if not all(map(_is_floor, own)) for row in own}
    floors = [row for row in rows if _is_floor(row) and row["status"] == "done"]
    floors.sort(key=lambda row: (row["stale"], row["profile"], row["run_id"]))
    return {
        key: _entries([*own, *_borrowed_floors(floors, own)])
        for key, own in found.items()
        if not all(_is_floor(row) and row["status"] == "done" and _key(row, (*TASK, *DATA)) in served for row in own)
    }


def _of_models(own: Sequence[Row], trained: Container[Key]) -> list[Row]:
    """Without finished floors on data that have models, but none in this block."""
    mine = {_key(row, DATA) for row in own if not _is_floor(row)}
    return [
        row
        for row in own
        if not _is_floor(row)
        or row["status"] != "done"
        or _key(row, DATA) in mine
        or _key(row, (*TASK, *DATA)) not in trained
    ]


def _borrowed_floors(floors: Iterable[Row], own: Sequence[Row]) -> list[Row]:
    """Of these floors, in their order of preference, those of the blocks beside this one."""
    place, block = _key(own[0], TASK), _key(own[0], BLOCK)
    data = {_key(row, DATA) for row in own}
    taken = {_key(row, (*DATA, *LINE, "seed")) for row in own if row["status"] == "done" and not row["stale"]}
    found = []
    for row in floors:
        fits = _key(row, TASK) == place and _key(row, DATA) in data
        if fits and _key(row, BLOCK) != block and (key := _key(row, (*DATA, *LINE, "seed"))) not in taken:
            taken.add(key)
            found.append(row)
    return found


def _entries(rows: Iterable[Row]) -> Entries:
    chosen = {key: _chosen(cell) for key, cell in grouped(rows, (*DATA, *LINE)).items()}
    mixed = {key[len(DATA) :] for key, cell in chosen.items() if _differ(cell)}
    split = [
        row | {"split": row["settings"] if _key(row, LINE) in mixed else ""} for cell in chosen.values() for row in cell
    ]
    groups = grouped(split, (*DATA, *LINE, "split"))
    entries = {(key[: len(DATA)], key[len(DATA) :]): _entry(cell) for key, cell in groups.items()}
    return {key: _compared(entry, _floors(entries, key[0])) for key, entry in entries.items()}


def _chosen(cell: Sequence[Row]) -> list[Row]:
    """Done runs of one code, today's if there are any, and today's failures of the seeds that are not among them."""
    done = [row for row in cell if row["status"] == "done"]
    pool = [row for row in done if not row["stale"]] or done
    votes = Counter(row["code"] for row in pool)
    code = max(votes, key=lambda code: (votes[code], code), default="")
    shown = [row for row in pool if row["code"] == code]
    seeds = {row["seed"] for row in shown if not row["stale"]}
    failed = [row for row in cell if row["status"] == "failed" and row["seed"] not in seeds]
    current = [row for row in failed if not row["stale"]]
    return shown + (current if shown or current else failed)


def _differ(cell: Sequence[Row]) -> bool:
    """Whether runs of one name were made with different settings; a floor's training settings do nothing."""
    return not _is_floor(cell[0]) and len({row["settings"] for row in cell}) > 1


def _entry(rows: Sequence[Row]) -> Entry:
    done = tuple(row for row in rows if row["status"] == "done")
    flags: list[Flag] = ["stale"] if any(row["stale"] for row in done) else []
    flags += ["failed"] if len(done) < len(rows) else []
    return Entry(runs=done, flags=tuple(flags), floor=_is_floor(rows[0]))


def _is_floor(row: Row) -> bool:
    return bool(row["role"] == "floor")


def _floors(entries: Entries, data: Key) -> list[Entry]:
    return [entry for (place, _), entry in entries.items() if place == data and entry.floor]


def _compared(entry: Entry, floors: Sequence[Entry]) -> Entry:
    """Note where a model is worse than every floor's best, each metric by itself."""
    if entry.floor:
        return entry
    return replace(entry, below=tuple(metric for metric in METRICS if _below(entry, floors, metric)))


def _below(entry: Entry, floors: Sequence[Entry], metric: str) -> bool:
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    means = (sign * floor.mean(metric) for floor in floors)
    return sign * entry.mean(metric) > min((mean for mean in means if math.isfinite(mean)), default=math.inf)


def grouped(rows: Iterable[Row], keys: Sequence[str]) -> dict[Key, list[Row]]:
    """Rows by their values of these keys, two at least; sorted by them."""
    groups: dict[Key, list[Row]] = {}
    key = itemgetter(*keys)
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))


def _key(row: Row, keys: Sequence[str]) -> Key:
    return tuple(row[key] for key in keys)
