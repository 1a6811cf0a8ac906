"""What tests look at in a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from records import results_of

from bench.analysis.figures._files import figures_of
from bench.records.record import Record
from bench.runs.suite import load_suite

SHORT = load_suite("short_term")


def plot(name: str, records: Iterable[Record], code: Any = None) -> list[Figure]:
    """The figures of a name, of the short-term suite alone."""
    return figures_of(results_of(records, code, suites=[SHORT]), name)


def drawn(name: str, records: Iterable[Record], code: Any = None) -> tuple[Figure, list[Axes]]:
    """The only figure of a name, and its panels."""
    (figure,) = plot(name, records, code)
    return figure, panels(figure)


def panels(figure: Figure) -> list[Axes]:
    """Those that are not empty."""
    return [axis for axis in figure.axes if axis.axison]


def caption(figure: Figure) -> str:
    """Without line breaks."""
    return " ".join(figure.get_supxlabel().split())


def names(figure: Figure) -> list[str]:
    """In the legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]
