"""Tables of three small suites, and their rows as a reader sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from records import results_of

from bench.analysis.formats.markdown import markdown
from bench.analysis.results import Results
from bench.analysis.table import TableFile
from bench.runs.suite import Suite

KNOWN: Mapping[str, Any] = {"protocol": "strict", "datasets": ("bikenyc",), "extras": True}
SHORT = Suite(name="short_term", title="Short-term", tasks=("short",), **KNOWN)
LONG = Suite(name="long_term", title="Long-term", tasks=("long",), **KNOWN)
FEW = Suite(name="few_shot", title="Few-shot", tasks=("few1", "few5"), **KNOWN)
ALL = ("short_term", "long_term", "few_shot")


def results(records: list[Any], code: Mapping[tuple[str, str], str] | None = None) -> Results:
    return results_of(records, code, [SHORT, LONG, FEW])


def short_term(records: list[Any], code: Mapping[tuple[str, str], str] | None = None) -> TableFile:
    return results(records, code).table("short_term")


def text_of(records: list[Any], code: Mapping[tuple[str, str], str] | None = None) -> str:
    return markdown(short_term(records, code))


def table_rows(markdown: str, metric: str = "MAE") -> dict[str, list[str]]:
    """The first grid of a metric: row name → cells; the header row under its own name."""
    lines = markdown[markdown.index(f"| **{metric}**") :].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("| ---")]
    return {row[0]: row[1:] for row in rows}


def cell(records: list[Any], dataset: str, model: str, **current: str) -> str:
    rows = table_rows(text_of(records, {("bikenyc", name): code for name, code in current.items()}))
    return rows[dataset][rows["**MAE**"].index(model)]
