"""The names of tables, and their files: written whole, checked, and gone with their rows."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from records import record, results_of, suite

import bench.analysis.tables
from bench.analysis.formats.files import differences, table_files, write_files
from bench.analysis.results import Results, artefacts
from bench.analysis.table import Cell, Header, Table, TableFile
from bench.errors import StoreError, UnknownNameError
from bench.runs.suite import load_suites

ALL = ("short_term", "long_term", "few_shot")
NAMES = ["efficiency", "per_horizon", "ranks", "tuning_ledger"]


def results(records: list[Any]) -> Results:
    return results_of(records, suites=load_suites(ALL))


def test_the_tables_that_no_suite_has_alone() -> None:
    assert artefacts("tables") == NAMES


def test_a_module_dropped_into_the_folder_is_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from bench.analysis.table import TableFile\n"
        "def make(results):\n    return TableFile(title=f'{len(results.runs)} runs', tables=())\n"
    )
    (tmp_path / "_helper.py").write_text("")
    monkeypatch.setattr(bench.analysis.tables, "__path__", [*bench.analysis.tables.__path__, str(tmp_path)])
    assert artefacts("tables") == sorted([*NAMES, "mine"])
    assert results([record()]).table("mine").title == "1 runs"


def test_a_table_of_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ranks'"):
        results([]).table("rank")


def test_tables_with_rows_are_written_and_then_checked(tmp_path: Path) -> None:
    folder, files = tmp_path / "tables", table_files(results(suite()), ALL)
    written = write_files(folder, files)
    assert sorted(folder.iterdir()) == sorted(written)
    names = ["short_term.md", "short_term.tex", "short_term.csv", "short_term_differences.csv"]
    assert [path.name for path in written] == names
    assert differences(folder, files) == {}
    more = table_files(results([*suite(), record(task="long")]), ALL)
    changed = list(differences(folder, more))
    assert changed == ["long_term.md", "long_term.tex", "long_term.csv"]
    assert differences(folder, table_files(results(suite()[1:]), ALL)) != {}


def test_texts_of_others_are_nothing_but_texts_in_every_format(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "=cmd|'/C calc'!A0\x1b[2J\x07"
    cells = ((Cell(value=hostile),),)
    table = Table(
        key="k",
        heading=hostile,
        corner=hostile,
        rows=(Header(name=hostile),),
        columns=(Header(name=hostile),),
        cells=cells,
    )
    csv = {"": pd.DataFrame({"method": [hostile, "stid"], "mae": [-1.0, 2.0]})}
    file = TableFile(title=hostile, tables=(table,), csv=csv)
    monkeypatch.setattr(Results, "chosen_table", lambda *_: file)
    files = {name: (content or b"").decode() for name, content in table_files(results([]), ["mine"]).items()}
    assert all(re.sub(r"\n", "", text).isprintable() for text in files.values())
    assert not set("␛␇") & set(files["mine.tex"]), "LaTeX has no such signs"
    read = pd.read_csv(io.StringIO(files["mine.csv"]))
    assert read["method"][0].startswith("'=cmd|")
    assert read["mae"].tolist() == [-1.0, 2.0]


def test_a_table_that_lost_its_rows_does_not_stay_behind(tmp_path: Path) -> None:
    write_files(tmp_path, table_files(results([record(task="long"), record()]), ALL))
    write_files(tmp_path, table_files(results([record()]), ALL))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short_term.csv", "short_term.md", "short_term.tex"]


def test_one_table_can_be_written_alone(tmp_path: Path) -> None:
    files = table_files(results([record(task="long"), record()]), ["long_term"])
    assert [path.stem for path in write_files(tmp_path, files)] == ["long_term"] * 3


def test_no_records_make_no_files(tmp_path: Path) -> None:
    files = table_files(results([]), ALL)
    assert write_files(tmp_path / "tables", files) == []
    assert differences(tmp_path / "tables", files) == {}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(StoreError, match=r"a file in .*tables cannot be written") as caught:
        write_files(tmp_path / "tables", {"a.md": b"a"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ("name,low\nSTID,-22.70379673841937\n", True),  # as another processor rounds it
        ("name,low\nSTID,-22.7037967\n", False),
        ("name,low\nSTID,nan\n", False),
        ("name,low\nRidge,-22.703796738419346\n", False),
        ("name,low\nSTID,-22.703796738419346,1\n", False),
        ("name,low\n", False),
    ],
)
def test_a_table_that_another_processor_has_made_is_that_of_the_records(tmp_path: Path, there: str, same: bool) -> None:
    made = {"short_term.csv": b"name,low\nSTID,-22.703796738419346\n"}
    (tmp_path / "short_term.csv").write_text(there)
    assert differences(tmp_path, made) == ({} if same else {"short_term.csv": "differs from the records"})
