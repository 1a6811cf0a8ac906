"""What the measurements share: ratios of paired times, and a table that is printed, and written if a folder is given.

Times of a busy machine mean little, ratios of times that were taken in turn mean more. So whatever is compared here is
timed in turn, in one command, and the ratio of each pair is kept.
"""

from __future__ import annotations

import os
import statistics
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec
import typer

from bench.errors import BenchError
from bench.files import atomic_write

Out: TypeAlias = Annotated[
    Path | None, typer.Option("--out", help="A folder: the table is written there too, as Markdown and as JSON.")
]
Threads: TypeAlias = Annotated[
    list[int] | None, typer.Option("--threads", min=1, help="Threads of torch, one row for each: 1 and 2 by default.")
]


WIDTH = 120
Taken = TypeVar("Taken")


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Ratios of paired times.

    Attributes:
        median: Of all pairs.
        low, high: The quartiles, between which half of the pairs lie; the only ones of few pairs.
        pairs: How many there are.
    """

    median: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


Cell: TypeAlias = Ratio | str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A table of what was measured.

    Attributes:
        name: Of the script and of its files.
        title: What the rows say, in one sentence.
        rows: By column, the same columns in each.
        facts: What else the reader of the JSON may want.
    """

    name: str
    title: str
    rows: Sequence[Mapping[str, Cell]]
    facts: Mapping[str, object]


def ratio_of(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """The ratios of times that were taken in turn.

    Raises:
        ValueError: If they are not as many, or none.
    """
    ratios = [one / other for one, other in zip(numerators, denominators, strict=True)]
    if len(ratios) == 1:
        return Ratio(median=ratios[0], low=ratios[0], high=ratios[0], pairs=1)
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(median=median, low=low, high=high, pairs=len(ratios))


def in_turn(rounds: int, *timed: Callable[[], Taken]) -> list[list[Taken]]:
    """The times of several things, A B B A, for each of them a list: every other round they go in reverse order."""
    times: list[list[Taken]] = [[] for _ in timed]
    for number in range(rounds):
        places = range(len(timed)) if number % 2 == 0 else reversed(range(len(timed)))
        for place in places:
            times[place].append(timed[place]())
    return times


def run(main: Callable[..., None]) -> None:
    """Run a script's command; a user's mistake is one sentence and exit code 2, as of ``stbench``."""
    try:
        typer.run(main)
    except BenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def report(measurement: Measurement, out: Path | None) -> None:
    """Print the table; with a folder, write it there as well."""
    text = markdown(measurement)
    typer.echo(text)
    if out is not None:
        about = {"title": measurement.title, **machine(), **measurement.facts, "rows": list(measurement.rows)}
        encoded = msgspec.json.format(msgspec.json.encode(about), indent=2)
        for ending, content in ((".md", text.encode()), (".json", encoded + b"\n")):
            with atomic_write(out / f"{measurement.name}{ending}") as part:
                part.write_bytes(content)


def markdown(measurement: Measurement) -> str:
    """The title, a pipe table with numbers to the right, and what it was measured on."""
    columns = list(measurement.rows[0])
    sides = ["---:" if type(measurement.rows[0][column]) in (int, float) else "---" for column in columns]
    lines = [*textwrap.wrap(measurement.title, WIDTH), "", _line(columns), _line(sides, padded=False)]
    lines += [_line([_text(row[column]) for column in columns]) for row in measurement.rows]
    known = machine()
    return "\n".join([*lines, "", f"Measured on {known['cores']} cores with torch {known['torch']}.", ""])


def machine() -> dict[str, Cell]:
    """What a reader needs to know of the machine: cores that this process may use, and the version of torch."""
    from importlib.metadata import version

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": usable, "torch": version("torch").partition("+")[0]}


def _line(cells: Sequence[str], *, padded: bool = True) -> str:
    return f"| {' | '.join(cells)} |" if padded else f"|{'|'.join(cells)}|"


def _text(value: Cell) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value).replace("|", "\\|")
