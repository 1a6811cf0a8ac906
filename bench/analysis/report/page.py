"""The report: one HTML file with all that the results say, which loads nothing and sends nothing.

It has no date and no path, so equal results give equal bytes. A policy in its head allows its own style and script by
their digests, pictures inside it, and nothing else.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from bench.analysis.formats.html import environment, html
from bench.analysis.report.audits import audits, findings
from bench.analysis.report.facts import environments, facts, models_by_commit
from bench.analysis.report.headline import headline
from bench.analysis.reproduction import folders_text, reproduction
from bench.analysis.results import Results, artefacts
from bench.catalog import registry
from bench.catalog.own_files import VARIABLE

if TYPE_CHECKING:
    from bench.analysis.figures._files import Picture

SCALE = 0.48  # of a pixel of a figure on a screen
LEDGER = "tuning_ledger"


def shown(results: Results, folder: str, suites: Sequence[str] = ()) -> list[str]:
    """The names of what a report shows: of these suites, or of all, and what no suite has alone."""
    return [*(suites or [suite.name for suite in results.suites]), *artefacts(folder)]


def report(results: Results, pictures: Iterable[Picture], suites: Sequence[str] = (), folder: str = "") -> str:
    """The whole document.

    Args:
        results: All that it is about.
        pictures: The figures ``shown``, as PNG at least.
        suites: Whose tables are shown; all of the results if there are none.
        folder: Where its commands find the suites, with a slash behind it.

    Raises:
        StoreError: If window errors that are to be compared are not of the same windows.
    """
    files_of_tables = {name: results.table(name) for name in shown(results, "tables", suites)}
    tables = {name: file for name, file in files_of_tables.items() if file.tables}
    reproduced = reproduction(results.records, folder)
    style, script = _asset("report.css"), _asset("report.js")
    return (
        environment()
        .get_template("report.html")
        .render(
            style=style,
            script=script,
            policy=_policy(style, script),
            head=headline(results, [suite for suite in results.suites if not suites or suite.name in suites]),
            facts=facts(results.runs),
            titles={name: file.title for name, file in tables.items() if name != LEDGER},
            sections={name: html(name, file) for name, file in tables.items()},
            ledger=LEDGER,
            tuned=any(record.spec.tuned for record in results.records),
            images=[_image(picture) for picture in pictures],
            findings=findings(results.runs),
            audits=audits(results.runs),
            environments=environments(results.runs),
            commits=models_by_commit(results.records),
            folders=folders_text(reproduced) + _own_text(results),
            reproduced=reproduced,
        )
    )


def _own_text(results: Results) -> str:
    """How models and data sets of the user's own are found; empty where there are none."""
    own = any(registry.needs_own_file(record) for record in results.records if not record.external)
    return f" List the files of your own models and data sets in ${VARIABLE} first, as A.py:B.py." if own else ""


def encoded(text: str) -> bytes:
    """UTF-8; half of a surrogate pair, which a file's name may hold and UTF-8 may not, is written out."""
    return text.encode("utf-8", "backslashreplace")


def _image(picture: Picture) -> dict[str, str | int]:
    """A picture as a data URI, with its size on a screen, a text for those who do not see it, and what it asks."""
    content = picture.files[".png"]
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
    return {
        "name": picture.name,
        "title": picture.title,
        "question": "".join(picture.title.partition("?")[:2]),
        "caption": picture.caption,
        "uri": f"data:image/png;base64,{b64encode(content).decode()}",
        "width": round(width * SCALE),
        "height": round(height * SCALE),
    }


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
