"""What the rows of a table were shown, in words, from what their records say."""

from __future__ import annotations

from collections.abc import Iterable

from bench.analysis.groups import Group, MethodKey, Summary
from bench.analysis.headers import method_headers
from bench.records.record import DoneRun
from bench.types import MINUTES_PER_DAY

UNKNOWN = "not recorded"


def inputs_of(summaries: Iterable[Summary]) -> str:
    """What runs read beside the history, such as "calendar, place"; " or " between those that differ."""
    texts = {_in_words(run) for summary in summaries for run in summary.runs}
    return " or ".join(sorted(texts)) or UNKNOWN


def _in_words(run: DoneRun) -> str:
    season = "year" if run.label.interval > MINUTES_PER_DAY else "day"
    return run.inputs.in_words(season) if run.inputs else UNKNOWN


def inputs_note(group: Group) -> str:
    """A sentence on what each method read, methods that read the same together; empty if no record says."""
    headers = method_headers(group.methods)
    alike: dict[str, list[str]] = {}
    for method in group.methods:
        alike.setdefault(inputs_of(_cells(group, method)), []).append(headers[method].name)
    if not alike.keys() - {UNKNOWN}:
        return ""
    parts = [f"{text} ({', '.join(_quoted(name) for name in names)})" for text, names in sorted(alike.items())]
    return f"Read beside the {group.key.history} steps of history: {'; '.join(parts)}."


def _quoted(name: str) -> str:
    """A name with a comma would look like two."""
    return f"“{name}”" if "," in name else name


def _cells(group: Group, method: MethodKey) -> list[Summary]:
    return [summary for (_, other), summary in group.cells.items() if other == method]
