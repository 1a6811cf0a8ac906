"""The report: one HTML file with all that the results say, which loads nothing and sends nothing.

It has no date and no path, so equal runs give equal bytes. A policy in its head allows its own style and script by
their digests, pictures inside it, and nothing else.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.figures.differences import Overview as Drawing
from bench.analysis.figures.differences import pictures
from bench.analysis.figures.style import FORMATS, Picture, Step
from bench.analysis.figures.tuning import study_pictures
from bench.analysis.formats.html import Sheet, environment
from bench.analysis.grouping import Row
from bench.analysis.report import facts
from bench.analysis.report.certificates import certificate_sheet, proofs
from bench.analysis.report.headline import headline
from bench.analysis.results import Runs
from bench.analysis.table import Table
from bench.analysis.tables.scores import Overview, make_table
from bench.errors import StoreError
from bench.files import whole
from bench.runs.layout import Layout
from bench.tuning.study import Study

if TYPE_CHECKING:
    from markupsafe import Markup

SCALE = 0.72  # of a pixel of a figure on a screen


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a report shows beside the runs.

    Attributes:
        layouts: The suites; those without rows are passed over.
        overviews: Tables over several suites.
        drawings: Figures over several suites.
        ledger: What tuning gave and found.
        studies: The trials of each study, by the name of its figure.
        commands: What makes the runs again.
        files: What the commands read, by name.
    """

    layouts: Sequence[Layout]
    overviews: Sequence[Overview] = ()
    drawings: Sequence[Drawing] = ()
    ledger: Table | None = None
    studies: Mapping[str, Study] = field(default_factory=dict)
    commands: Sequence[str] = ()
    files: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture as a data URI.

    Attributes:
        text: Its question and its caption, for those who do not see it.
        width, height: On a screen, in CSS pixels.
    """

    name: str
    title: str
    text: str
    uri: str
    width: int
    height: int


def all_pictures(
    runs: Runs, contents: Contents, *, formats: Sequence[str] = FORMATS, step: Step = lambda _: None
) -> Iterator[Picture]:
    """Every figure of ``stbench plots``; ``step`` is told what is being drawn, as that takes seconds."""
    yield from pictures(runs, contents.layouts, contents.drawings, formats=formats, step=step)
    yield from study_pictures(contents.studies, formats=formats, step=step)


def make_report(runs: Runs, contents: Contents, drawn: Iterable[Picture]) -> str:
    """The whole document.

    Args:
        runs: All that it is about.
        contents: What to show.
        drawn: Its figures, as ``all_pictures`` makes them, PNG at least.

    Raises:
        StoreError: If window errors that are to be compared cannot be read.
    """
    rows = runs.rows
    suites = [make_table(runs, layout) for layout in contents.layouts]
    tables = [table for table in (*suites, *(make(runs) for make in contents.overviews)) if table.blocks]
    ledger = contents.ledger if contents.ledger and contents.ledger.blocks else None
    images = list(map(_image, drawn))
    style, script = _asset("report.css"), _asset("report.js")
    return (
        environment()
        .get_template("report.html")
        .render(
            style=style,
            script=script,
            policy=_policy(style, script),
            head=headline(rows, contents.layouts, tables),
            runs=_sheets(rows),
            tables=tables,
            sections={table.name: _section(table) for table in (*tables, *([ledger] if ledger else []))},
            images=images,
            proofs=proofs(rows),
            certificates=certificate_sheet(rows),
            ledger=ledger,
            environments=facts.environment_sheet(rows),
            commits=facts.commits(rows),
            commands=contents.commands,
            files=contents.files,
        )
    )


def write_report(text: str, path: Path) -> None:
    """Write a report whole or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    try:
        with whole(path) as part:
            part.write_bytes(encoded(text))
    except OSError as error:
        raise StoreError(
            f"the report {path} cannot be written ({error}); check the folder's space and rights, or choose another "
            "place with --out"
        ) from error


def encoded(text: str) -> bytes:
    """UTF-8; half of a surrogate pair, which a record may hold and UTF-8 may not, is written out."""
    return text.encode("utf-8", "backslashreplace")


def _sheets(rows: Sequence[Row]) -> list[Sheet]:
    made = (facts.data_sheet, facts.model_sheet, facts.recipe_sheet, facts.settings_sheet)
    found = [make(rows) for make in (*made, facts.failed_sheet, facts.stale_sheet)]
    return [each for each in found if each.rows]


def _section(table: Table) -> Markup:
    from markupsafe import Markup

    return Markup(table.to_html())  # noqa: S704 - escaped by its template


def _image(each: Picture) -> Image:
    content = each.files[".png"]
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
    return Image(
        name=each.name,
        title=each.title,
        text=f"{each.title} {each.caption}".strip(),
        uri=f"data:image/png;base64,{b64encode(content).decode()}",
        width=round(width * SCALE),
        height=round(height * SCALE),
    )


def _asset(name: str) -> str:
    return (files("bench.analysis.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and no style or script runs but these two."""
    style_digest, script_digest = (
        b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_digest}'; script-src 'sha256-{script_digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
