"""Published numbers beside ours."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from records import record, results_of

from bench.analysis.formats.latex import latex
from bench.analysis.formats.markdown import markdown
from bench.errors import ConfigError, UnknownNameError
from bench.records.channels import Channel
from bench.records.inputs import Inputs
from bench.runs import published
from bench.runs.published import load_published
from bench.runs.suite import load_suites

(PUBLISHED,) = load_suites(["published"])


def file_of(records):
    return results_of(records, suites=[PUBLISHED]).table("published")


def beside(records):
    """By metric and row the texts of our numbers and the published ones."""
    (_, tables) = file_of(records).by_heading()[-1]
    return {
        table.key: {
            header.name: [cell.text for cell in cells] for header, cells in zip(table.rows, table.cells, strict=True)
        }
        for table in tables
    }


def made(**facts):
    return record(**{"protocol": "unist", **facts})


def test_every_row_of_the_suite_but_our_naive_baseline_and_stvfm_is_published():
    names = {method.name for method in PUBLISHED.methods} - {"historical_average", "ST-VFM, pre-trained"}
    assert names <= load_published("unist_short").mae.keys()


def test_ours_and_theirs_stand_row_by_row_with_the_gap_in_brackets():
    records = [made(seed=seed, mae=1.4 + seed / 100, rmse=4.0) for seed in range(3)]
    rows = beside(records)
    assert rows["mae"]["stid"] == ["1.41 ± 0.01 (\N{MINUS SIGN}8.4)"]  # 1.41 / 1.54
    assert rows["rmse"]["stid"] == ["4.00 ± 0.00 (\N{MINUS SIGN}1.5)"]
    assert rows["mae"]["stid, published"] == ["1.54"]
    assert rows["rmse"]["stid, published"] == ["4.06"]
    assert "stresnet" not in rows["mae"]
    assert rows["mae"]["stresnet, published"] == ["4.98"]
    assert file_of(records).tables[-1].notes[0].startswith("Published: Yuan et al., UniST")


@pytest.mark.parametrize(
    "facts", [{"protocol": "strict"}, {"synthetic": True}, {"dataset": "bikenyc2"}, {"horizon": 12}]
)
def test_what_cannot_be_laid_beside_makes_no_table(facts):
    assert file_of([made(**facts)]).tables == ()


def test_a_model_of_ours_that_they_do_not_have_stands_last_without_a_gap():
    ours = [made(model="stvfm", weights="pretrained", seed=seed, mae=1.2 + seed / 100) for seed in range(3)]
    rows = beside([made(mae=1.4), *ours, made(model="historical_average", mae=1.5)])["mae"]
    assert [*rows][-3:] == ["UniST, published", "historical_average", "ST-VFM, pre-trained"]
    assert (rows["historical_average"], rows["ST-VFM, pre-trained"]) == (["1.50"], ["1.21 ± 0.01"])


def of_two_channels(seed, mae, start):
    run = made(seed=seed, mae=mae)
    test = {**run.scores["test"], "mae": replace(run.scores["test"]["mae"], per_channel=[start, 2 * mae - start])}
    channels = [Channel(name=name, unit="bikes per half hour") for name in ("start", "end")]
    return replace(run, scores={**run.scores, "test": test}, channels=channels)


def test_ours_of_each_channel_stand_beside_theirs_of_one_that_is_not_named():
    file = file_of([of_two_channels(seed, 1.4, 1.5 + seed / 100) for seed in range(3)])
    (_, tables) = file.by_heading()[-1]
    mae = next(table for table in tables if table.key == "mae")
    assert [header.name for header in mae.columns] == ["bikenyc", "bikenyc: start", "bikenyc: end"]
    rows = {header.name: [cell.text for cell in cells] for header, cells in zip(mae.rows, mae.cells, strict=True)}
    assert rows["stid"] == [
        "1.40 ± 0.00 (\N{MINUS SIGN}9.1)",
        "1.51 ± 0.01 (\N{MINUS SIGN}1.9)",
        "1.29 ± 0.01 (\N{MINUS SIGN}16.2)",
    ]
    assert rows["HA (mean of the window), published"] == ["3.43"] * 3
    assert any("do not say which" in note for note in mae.notes)


def test_a_data_set_whose_numbers_are_of_all_channels_has_no_column_for_each():
    run = replace(of_two_channels(0, 1.4, 1.5), spec=made(dataset="crowd").spec)
    assert [len(row) for row in beside([run])["mae"].values()] == [1] * len(beside([run])["mae"])


def test_what_each_of_ours_read_stands_beside_theirs():
    run = replace(made(), inputs=Inputs(calendar=True, days_back=(1, 7), place=False))
    wanted = "Read beside the 6 steps of history: calendar, days before (1, 7) (stid)."
    assert wanted in file_of([run]).tables[-1].notes


def test_a_data_set_without_our_run_is_a_dash_and_a_failure_a_cross():
    rows = beside([made(), made(dataset="taxibj", model="stresnet", failed=True)])["mae"]
    assert rows["stid"] == ["1.25 (\N{MINUS SIGN}18.8)", "—"]
    assert rows["stresnet"] == ["—", "✗"]


def test_the_table_is_written_in_every_form():
    file = file_of([made()])
    assert "| stid, published | 1.54 |" in markdown(file)
    assert "In brackets: how much more ours is than published, in percent, where they have the model." in latex(
        "published", file
    )


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


def test_notes_beside_one_channel_tell_what_the_shown_methods_read():
    read = Inputs(calendar=True, days_back=(), place=True)
    runs = [replace(of_two_channels(seed, 1.4, 1.5), inputs=read) for seed in range(3)]
    results = results_of([*runs, made(model="ridge")], suites=[PUBLISHED])
    for choice in ({}, {"rows": ["stid"], "columns": ["bikenyc: start"]}):
        (*_, table) = results.table("published", **choice).tables
        assert table.notes[-1] == "Read beside the 6 steps of history: calendar, place (stid)."


def test_fewer_seeds_than_others_have_are_counted_beside_published_numbers_too():
    ours = [made(model="stvfm", weights="pretrained", seed=seed, mae=1.2) for seed in range(3)]
    records = [made(mae=1.54), *ours, made(model="historical_average", mae=1.5)]
    rows = beside(records)["mae"]
    assert rows["stid"] == ["1.54 (n=1) (0.0)"]
    assert (rows["historical_average"], rows["ST-VFM, pre-trained"]) == (["1.50"], ["1.20 ± 0.00"])
    assert "over 3 seeds, (n=k) where there are fewer." in " ".join(file_of(records).tables[-1].notes)
