"""The table ``efficiency``: what every model costs. Runs of different devices never stand together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from bench.analysis.grouping import BLOCK, DATA, Entries, Entry, Key
from bench.analysis.results import Runs
from bench.analysis.table import Block, Cell, Header, Score, Table
from bench.analysis.tables.scores import block_title, dataset_headers, line_headers
from bench.runs.layout import Layout

NAME, TITLE = "efficiency", "What does each model cost?"
COSTS: Mapping[str, str] = {
    "parameters": "parameters",
    "trainable_parameters": "trained",
    "train_s": "training, s",
    "flops": "GFLOPs a window",
    "ms_per_window": "ms a window",
    "peak_mb": "peak memory, MB",
}
UNITS = {"flops": 1e9}
"""What a printed number is divided by; those of the CSV are as they were measured."""
LONG = (*BLOCK, "device", "dataset", "stand_in", "line", "floor", *COSTS, "mae", "seeds")
NOTE = (
    "Means over seeds, then over the data sets that a model was run on, whose number stands last; one device. A "
    "dash: not measured. GFLOPs: billions of floating-point operations to forecast a window, as torch counts them "
    "(matrix products, convolutions and attention; 0: none of these). Training ends when validation no longer "
    "improves, so its seconds are no speed."
)


def make_efficiency(runs: Runs, layouts: Sequence[Layout]) -> Table:
    """The table of all layouts that do not compare variants or lay published numbers beside."""
    import pandas as pd

    found = by_device(runs, layouts)
    return Table(
        name=NAME,
        title=TITLE,
        blocks=tuple(_block(place, device, entries) for (place, device), entries in found.items()),
        long=pd.DataFrame(
            [row for (place, device), entries in found.items() for row in _rows(place, device, entries)],
            columns=list(LONG),
        ),
    )


def by_device(runs: Runs, layouts: Sequence[Layout]) -> dict[tuple[Key, str], Entries]:
    """The cells with runs of every plain suite's block, device by device."""
    found: dict[tuple[Key, str], Entries] = {}
    for place, entries in runs.plain_cells(layouts).items():
        for device in sorted({run["device"] for entry in entries.values() for run in entry.runs}):
            own = {key: _on(entry, device) for key, entry in entries.items()}
            found[place, device] = {key: entry for key, entry in own.items() if entry.runs}
    return found


def cost(entry: Entry, name: str) -> float:
    """Mean over the runs that measured it; NaN without any."""
    values = [float(run[name]) for run in entry.runs if not math.isnan(run[name])]
    return fmean(values) if values else math.nan


def _on(entry: Entry, device: str) -> Entry:
    return replace(entry, runs=tuple(run for run in entry.runs if run["device"] == device))


def _block(place: Key, device: str, entries: Entries) -> Block:
    floors = {line for (_, line), entry in entries.items() if entry.floor}
    lines = sorted({line for _, line in entries}, key=lambda line: (line not in floors, line))
    data = sorted({key for key, _ in entries})
    columns = [[_mean(entries, line, name) for line in lines] for name in COSTS]
    counts = [sum((key, line) in entries for key in data) for line in lines]
    texts = [[_text(name, value) for value in column] for name, column in zip(COSTS, columns, strict=True)]
    texts += [[str(count) for count in counts]]
    stale = {line for (_, line), entry in entries.items() if "stale" in entry.flags}
    names = ", ".join(header.text for header in dataset_headers(data))
    return Block(
        title=f"{block_title(place)}, on {device or 'an unknown device'}",
        notes=(NOTE, f"Data sets: {names}."),
        datasets=tuple(Header(name=name) for name in (*COSTS.values(), "data sets")),
        models=line_headers(lines, floors),
        cells=tuple(
            tuple(
                Cell(scores={"cost": Score(text=text, flags=("stale",) if line in stale else ())})
                for line, text in zip(lines, column, strict=True)
            )
            for column in texts
        ),
        metrics={"cost": "Cost"},
        models_down=True,
    )


def _mean(entries: Entries, line: Key, name: str) -> float:
    values = [cost(entry, name) for (_, other), entry in entries.items() if other == line]
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _text(name: str, value: float) -> str:
    return f"{value:,.0f}" if "parameters" in name and value >= 0 else _number(value / UNITS.get(name, 1))


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    if math.isnan(value):
        return "—"
    places = 0 if value >= 100 or value == 0 else max(0, min(6, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{places}f}"


def _rows(place: Key, device: str, entries: Entries) -> list[dict[str, Any]]:
    lines = sorted({line for _, line in entries})
    names = dict(zip(lines, (header.name for header in line_headers(lines)), strict=True))
    return [
        {
            **dict(zip(BLOCK, place, strict=True)),
            **{name: value for name, value in zip(DATA, data, strict=True) if name in LONG},
            **{name: cost(entry, name) for name in COSTS},
            "device": device,
            "line": names[line],
            "floor": entry.floor,
            "mae": entry.mean("mae"),
            "seeds": entry.seeds,
        }
        for (data, line), entry in entries.items()
    ]
