"""Published numbers beside ours."""

from __future__ import annotations

import pytest
from records import record, runs_of

from bench.analysis.tables.scores import make_table
from bench.errors import ConfigError, UnknownNameError
from bench.runs import published
from bench.runs.published import load_published
from bench.runs.suite import layouts

(PUBLISHED,) = layouts(["published"])


def last_block(records):
    return make_table(runs_of(records), PUBLISHED).blocks[-1]


def made(**facts):
    return record(**{"protocol": "unist", **facts})


def test_every_line_of_the_suite_but_the_floor_of_ours_is_published():
    lines = {line.name for line in PUBLISHED.lines} - {"historical_average"}
    assert lines <= load_published("unist_short").mae.keys()


def test_ours_and_theirs_stand_row_by_row_with_the_gap_in_brackets():
    block = last_block([made(seed=seed, mae=1.4 + seed / 100, rmse=4.0) for seed in range(3)])
    rows = dict(zip((header.name for header in block.models), block.cells[0], strict=True))
    assert rows["stid"].text("mae") == "1.41 ± 0.01 (-8)"  # 1.41 / 1.54
    assert rows["stid"].text("rmse") == "4 ± 0 (-1)"
    assert rows["stid, published"].text("mae") == "1.54"
    assert rows["stid, published"].text("rmse") == "4.06"
    assert "stresnet" not in rows
    assert rows["stresnet, published"].text("mae") == "4.98"
    assert block.notes[0].startswith("Published: Yuan et al., UniST")


@pytest.mark.parametrize(
    "facts", [{"protocol": "strict"}, {"stand_in": True}, {"dataset": "bikenyc2"}, {"horizon": 12}]
)
def test_what_cannot_be_laid_beside_makes_no_table(facts):
    assert make_table(runs_of([made(**facts)]), PUBLISHED).blocks == ()


def test_a_data_set_without_our_run_is_a_dash_and_a_failure_a_cross():
    block = last_block([made(), made(dataset="taxibj", model="stresnet", failed=True)])
    rows = dict(zip((header.name for header in block.models), zip(*block.cells, strict=True), strict=True))
    assert [cell.text("mae") for cell in rows["stid"]] == ["1.25 (-19)", "—"]
    assert [cell.text("mae") for cell in rows["stresnet"]] == ["—", "✗"]


def test_the_table_is_written_in_every_form():
    table = make_table(runs_of([made()]), PUBLISHED)
    assert "| stid, published | 1.54 |" in table.to_markdown()
    assert "In brackets: how much more ours is than published, in percent." in table.to_latex()


@pytest.mark.parametrize("text", ["source = 1", 'x = "y"', "rows", "\x00"])
def test_a_broken_file_is_named(tmp_path, monkeypatch, text):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"mine.toml is no published table"):
        load_published("mine")
    with pytest.raises(UnknownNameError, match="did you mean 'mine'"):
        load_published("mime")


def test_rows_of_different_lengths_are_refused(tmp_path, monkeypatch):
    text = (published.FOLDER / "unist_short.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("[53.77, ", "["), encoding="utf-8")
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="rows of different lengths"):
        load_published("mine")
