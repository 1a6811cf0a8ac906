"""The files that tables and figures are written to: what must stand in a folder, and what of it does not."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from bench.analysis.choice import AS_IT_IS, Choice
from bench.analysis.formats.latex import TWO_COLUMNS, latex
from bench.analysis.formats.markdown import markdown
from bench.analysis.results import Results
from bench.errors import unwritten
from bench.files import atomic_write
from bench.plain_text import no_formulas

ENDINGS = (".md", ".tex", ".csv", "_differences.csv", "_in_use.csv")
ROUNDED: Final = 1e-9  # by which two numbers may differ that are the same on two processors
LEFT_OUT: Final = (".tex", ".pdf")  # files that anyone makes who wants them: a folder to commit has none


def table_files(
    results: Results, names: Iterable[str], choice: Choice = AS_IT_IS, paper: str = TWO_COLUMNS
) -> dict[str, bytes | None]:
    """The files of tables: ``<name>.md``, ``.tex`` and ``.csv``, and ``_differences.csv`` of one that compares.

    ``_in_use.csv`` has these differences without idle cells, where that is known.

    Args:
        results: What they are about.
        names: Of suites and tables.
        choice: What of them is shown.
        paper: One of ``bench.analysis.formats.latex.PAPERS``.

    Raises:
        UnknownNameError: If there is no table of a name.
        StoreError: If window errors that are to be compared are not of the same windows.
    """
    files: dict[str, bytes | None] = {}
    for name in names:
        table = results.chosen_table(name, choice)
        texts = {".md": markdown(table), ".tex": latex(name, table, paper)} if table.tables else {}
        for ending, frame in table.csv.items() if table.tables else ():
            texts[f"{ending}.csv"] = no_formulas(frame).to_csv(index=False, lineterminator="\n")
        files |= {name + ending: texts[ending].encode() if ending in texts else None for ending in ENDINGS}
    return files


def write_files(folder: Path, files: Mapping[str, bytes | None]) -> list[Path]:
    """Write each file whole or not at all, and remove those that must not be, whose content is None.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            if content is None:
                (folder / name).unlink(missing_ok=True)
            else:
                with atomic_write(folder / name) as part:
                    part.write_bytes(content)
    except OSError as error:
        raise unwritten(f"a file in {folder}", error) from error
    return [folder / name for name, content in files.items() if content is not None]


def differences(folder: Path, files: Mapping[str, bytes | None]) -> dict[str, str]:
    """What is wrong with each file that ``write_files`` would change, create or remove, after its name."""
    return {name: told for name, content in files.items() if (told := _difference(folder / name, content))}


def _difference(path: Path, content: bytes | None) -> str:
    if not path.exists():
        return "" if content is None else "is absent"
    if content is None:
        return "is left over: the records make no such file"
    there = path.read_bytes()
    if there == content or (path.suffix == ".csv" and _same_numbers(there, content)):
        return ""
    return "differs from the records"


def _same_numbers(some: bytes, others: bytes) -> bool:
    """Whether two tables say the same; libraries of another processor round the last digits otherwise."""
    rows = [list(csv.reader(text.decode(errors="replace").splitlines())) for text in (some, others)]
    if [len(row) for row in rows[0]] != [len(row) for row in rows[1]]:
        return False
    return all(map(_same_cell, chain.from_iterable(rows[0]), chain.from_iterable(rows[1])))


def _same_cell(some: str, other: str) -> bool:
    if some == other:
        return True
    try:
        return math.isclose(float(some), float(other), rel_tol=ROUNDED, abs_tol=ROUNDED)
    except ValueError:
        return False


def not_kept(folder: Path, files: Mapping[str, bytes | None]) -> list[str]:
    """Endings of files to be made by whoever wants them, of which a folder holds none at all."""
    made = {Path(name).suffix for name, content in files.items() if content is not None}
    return [ending for ending in LEFT_OUT if ending in made and not any(folder.glob(f"*{ending}"))]
