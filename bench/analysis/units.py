"""Units of errors and lengths of steps, in words, from what records and cards say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.analysis.groups import DataKey, Group, Summary
from bench.analysis.headers import told_apart
from bench.catalog.titles import step_of
from bench.clock import span
from bench.types import MINUTES_PER_DAY


def unit_of(cells: Iterable[Summary]) -> str:
    """The unit of the errors of one data set, or of the one channel that they are of; empty where it is not known."""
    units = {
        channel.unit
        for cell in cells
        for run in cell.runs
        for number, channel in enumerate(run.channels)
        if cell.channel in (None, number)
    }
    return units.pop() if len(units) == 1 else ""


def units_of(group: Group) -> dict[DataKey, str]:
    """The unit of the errors of each data set."""
    return {data: unit_of(group.of(data).values()) for data in group.datasets}


def measured(label: str, unit: str) -> str:
    """What an axis or a corner shows, with its unit: "MAE, trips"."""
    return f"{label}, {unit}" if unit else label


def units_note(group: Group, labels: Iterable[str]) -> str:
    """In which units these metrics are, in a sentence; empty where no record says."""
    known = {
        data: unit for data, unit in units_of(group).items() if unit and not data.channel
    }  # a channel's name has its unit
    return _listed(f"{' and '.join(labels)} in", known)


def steps_note(group: Group) -> str:
    """How long a step is, in a sentence; empty where nobody knows."""
    known = {data: minutes_of(group, data) for data in group.datasets}
    return _listed("A step is", {data: span(minutes) for data, minutes in known.items() if minutes})


def minutes_of(group: Group, data: DataKey) -> int:
    """Of a slot: as a record says, or the card of a data set of ours, or a map beside it; 0 where none does."""
    runs = [run for cell in group.of(data).values() for run in cell.runs]
    recorded = next((run.label.interval for run in runs if run.label.interval), 0) or step_of(data.dataset)
    per_day = next((run.forecast_map.per_day for run in runs if run.forecast_map), 0)
    return recorded or (MINUTES_PER_DAY // per_day if per_day else 0)


def _listed(begin: str, known: Mapping[DataKey, str]) -> str:
    """What is alike said once: "… 30 min (BikeNYC, TaxiNYC), 1 h (T-Drive)."."""
    titles = told_apart({data.dataset: data.title for data in known})
    alike: dict[str, list[str]] = {}
    for data, text in known.items():
        if titles[data.dataset] not in (names := alike.setdefault(text, [])):
            names.append(titles[data.dataset])
    if not alike:
        return ""
    if len(alike) == 1:
        return f"{begin} {next(iter(alike))}."
    parts = (f"{text} ({', '.join(names)})" for text, names in alike.items())
    return f"{begin} {', '.join(parts)}."
