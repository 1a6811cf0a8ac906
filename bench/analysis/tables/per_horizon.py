"""The table ``per_horizon``: the error at every step of the forecast, by data set and model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from bench.analysis.grouping import BLOCK, DATA, Entries, Entry, Key, Row, spread
from bench.analysis.results import Runs
from bench.analysis.table import Block, Cell, Header, Score, Table
from bench.analysis.tables.scores import best_two, block_title, dataset_headers, digits, line_headers
from bench.errors import StoreError
from bench.runs.layout import Layout

NAME, TITLE = "per_horizon", "How does the error grow with the step of the forecast?"
MOST = 8  # steps side by side; of longer horizons the powers of two
LONG = (*BLOCK, "dataset", "stand_in", "line", "floor", "step", "mean", "std", "n")


def make_per_horizon(runs: Runs, layouts: Sequence[Layout]) -> Table:
    """The table of all layouts that do not compare variants or lay published numbers beside."""
    import pandas as pd

    found = by_block(runs, layouts)
    return Table(
        name=NAME,
        title=TITLE,
        blocks=tuple(
            _block(place, data, entries)
            for place, entries in found.items()
            for data in sorted({key[0] for key in entries})
        ),
        long=pd.DataFrame(
            [row for place, entries in found.items() for row in _rows(place, entries)], columns=list(LONG)
        ),
    )


def by_block(runs: Runs, layouts: Sequence[Layout]) -> dict[Key, Entries]:
    """The cells of every plain suite's block that have errors by step."""
    return {
        place: {key: entry for key, entry in entries.items() if curves(entry)}
        for place, entries in runs.plain_cells(layouts).items()
    }


def curves(entry: Entry) -> list[tuple[float, ...]]:
    """MAE by step, one curve per run; NaN at a step without any target.

    Raises:
        StoreError: If the errors of a record are no numbers.
    """
    return [_curve(run) for run in entry.runs if run["test_mae_steps"]]


def _curve(run: Row) -> tuple[float, ...]:
    try:
        return tuple(math.nan if value is None else float(value) for value in run["test_mae_steps"])
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the errors by step of the record {run['run_id']} cannot be read ({error}); move it away and run again"
        ) from error


def mean_curve(entry: Entry) -> tuple[float, ...]:
    """Mean over seeds by step; NaN where a seed has none."""
    return tuple(statistics.fmean(values) for values in zip(*curves(entry), strict=True))


def shown_steps(horizon: int) -> list[int]:
    """Which steps stand in the table, counted from 1."""
    if horizon <= MOST:
        return list(range(1, horizon + 1))
    return [*(2**power for power in range(horizon.bit_length()) if 2**power < horizon), horizon]


def _block(place: Key, data: Key, entries: Entries) -> Block:
    own = {line: entry for (key, line), entry in entries.items() if key == data}
    lines = sorted(own, key=lambda line: (not own[line].floor, line))
    means = {line: mean_curve(own[line]) for line in lines}
    steps = shown_steps(min(map(len, means.values())))
    quick = dict(zip(BLOCK, place, strict=True))["profile"] == "quick"
    (name,) = dataset_headers([data])
    return Block(
        title=f"{name.name}: {block_title(place)}",
        notes=("MAE at each step alone, means over seeds. Floors in italics.",),
        datasets=tuple(Header(name=f"step {step}", flags=name.flags) for step in steps),
        models=line_headers(lines, {line for line in lines if own[line].floor}),
        cells=tuple(_column({line: means[line][step - 1] for line in lines}, own, quick=quick) for step in steps),
        metrics={"mae": "MAE"},
        models_down=True,
    )


def _column(values: dict[Key, float], own: dict[Key, Entry], *, quick: bool) -> tuple[Cell, ...]:
    """One step; precision and ranks are those of its own best values."""
    finite = {line: value for line, value in values.items() if math.isfinite(value)}
    places = digits(min(finite.values(), default=1.0))
    texts = {line: f"{value:.{places}f}" for line, value in finite.items()}
    best = {} if quick else best_two({line: float(text) for line, text in texts.items() if own[line].ranked})
    return tuple(
        Cell(scores={"mae": Score(text=texts[line], rank=best.get(line, ""), flags=own[line].flags)})
        if line in texts
        else Cell(flags=own[line].flags)
        for line in values
    )


def _rows(place: Key, entries: Entries) -> list[dict[str, Any]]:
    lines = sorted({line for _, line in entries})
    names = dict(zip(lines, (header.name for header in line_headers(lines)), strict=True))
    return [
        {
            **dict(zip(BLOCK, place, strict=True)),
            **{name: value for name, value in zip(DATA, data, strict=True) if name in LONG},
            "line": names[line],
            "floor": entry.floor,
            "step": step,
            "mean": statistics.fmean(values),
            "std": spread(values),
            "n": len(values),
        }
        for (data, line), entry in entries.items()
        for step, values in enumerate(zip(*curves(entry), strict=True), start=1)
    ]
