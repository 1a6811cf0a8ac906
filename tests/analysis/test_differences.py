"""Tables and figures of variants: who is compared with whom, and what a reader is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.image import imread
from records import record, runs_of

from bench.analysis.figures.differences import difference_figures, write_figures
from bench.analysis.results import Runs
from bench.analysis.table import MINUS
from bench.analysis.tables.scores import make_table, write_tables
from bench.errors import StoreError
from bench.records.frame import frame_from_records
from bench.runs.suite import layouts

CONTROLS, ABLATION, SHORT = layouts(["controls", "ablation", "short_term"])
LOSS = {"identity": 1.2, "attention": 0.9, "shuffled": 1.1}


def variant(mae: float, control: str = "none", **facts: Any) -> dict[str, Any]:
    overrides: Mapping[str, Any] = {} if control == "none" else {"model.control": control}
    base = facts.pop("overrides", {})
    shared = facts.pop("base", base)
    return record(model="stvfm", mae=mae, overrides={**overrides, **base}, base=shared, **facts)


def controls(weights: str = "random", **shared: Any) -> list[dict[str, Any]]:
    made = [record(model="last_value", mae=3.0, **shared)]
    for seed in range(3):
        made.append(variant(1 + seed / 100, seed=seed, weights=weights, **shared))
        for control, factor in LOSS.items():
            kind = weights if control == "shuffled" else "none"
            made.append(variant(factor * (1 + seed / 100), control, seed=seed, weights=kind, **shared))
    return made


def blocks(records: list[dict[str, Any]], layout=CONTROLS):
    return make_table(runs_of(records), layout).blocks


def cells(records: list[dict[str, Any]]) -> dict[str, str]:
    """The column of the first data set in the last block: line → text."""
    block = blocks(records)[-1]
    return {header.text: cell.text("difference") for header, cell in zip(block.models, block.cells[0], strict=True)}


def test_every_variant_is_compared_with_the_reference() -> None:
    found = cells(controls("pretrained"))
    assert list(found) == ["shuffled tokens", "no backbone", "one trained block"]
    assert found["no backbone"] == "+20.0 [+20.0, +20.0]"
    assert found["one trained block"].startswith(f"{MINUS}10.0")


def test_without_pre_trained_runs_the_table_says_that_the_question_is_open() -> None:
    scores, compared = blocks(controls())
    assert [header.text for header in scores.models][:2] == ["last_value", "random, frozen ‡"]
    assert scores.notes[-1] == "Not run: pre-trained, frozen; trained from scratch."
    assert compared.title.startswith("Does the pre-trained vision model matter? Difference from “random, frozen” ‡.")
    assert compared.notes[0].startswith("No current run of “pre-trained, frozen” is there, so this does not answer")
    assert not any("does not answer" in note for note in blocks(controls("pretrained"))[1].notes)


def test_pre_trained_runs_are_the_reference_of_random_ones() -> None:
    found = cells([*controls("pretrained"), *(variant(1.05, seed=seed, weights="random") for seed in range(3))])
    assert found["random, frozen ‡"].startswith("+4.0")


def test_a_line_is_compared_with_the_reference_of_its_own_weights() -> None:
    made = [variant(1.0, weights="random"), variant(2.0, weights="pretrained")]
    made += [variant(1.5, overrides={"model.flow": False}, weights=weights) for weights in ("random", "pretrained")]
    block = blocks(made, ABLATION)[-1]
    found = {
        header.text: cell.text("difference")[:5] for header, cell in zip(block.models, block.cells[0], strict=True)
    }
    assert found == {"without flow (pretrained)": f"{MINUS}25.0", "without flow (random) ‡": "+50.0"}


def test_what_agrees_is_bold_and_counted() -> None:
    block = blocks(controls("pretrained"))[-1]
    assert [cell.rank("difference") for cell in block.cells[0]] == ["best", "best", "best"]
    assert block.datasets[-1].name == "reference better / worse / open"
    assert [cell.text("difference") for cell in block.cells[-1]] == ["1 / 0 / 0", "1 / 0 / 0", "0 / 1 / 0"]


def test_the_quick_profile_claims_nothing() -> None:
    block = blocks(controls(profile="quick"))[-1]
    assert {cell.rank("difference") for cell in block.cells[0]} == {""}
    assert block.cells[-1][0].text("difference") == "0 / 0 / 1"
    runs = runs_of(controls(profile="quick"))
    assert not make_table(runs, CONTROLS).differences["claimed"].any()


def test_a_stand_in_proves_nothing() -> None:
    made = [*controls("pretrained"), *controls("pretrained", dataset="taxibj", stand_in=True)]
    block = blocks(made)[-1]
    assert [header.text for header in block.datasets][:2] == ["bikenyc", "taxibj †"]
    assert [cell.rank("difference") for cell in block.cells[1]] == ["", "", ""]
    assert block.cells[-1][0].text("difference") == "1 / 0 / 0"


def test_what_cannot_be_compared_says_so() -> None:
    made = [*controls("pretrained"), variant(1.0, dataset="taxinyc", weights="pretrained")]
    made += [variant(1.0, name, dataset="taxinyc", seed=seed) for name, seed in (("identity", 5), ("attention", 0))]
    made.append(variant(1.0, "shuffled", dataset="taxinyc", weights="pretrained", failed=True))
    column = blocks(made)[-1].cells[1]
    assert [cell.text("difference") for cell in column] == ["✗", "no reference", "0.0 [0.0, 0.0] (n=1)"]


def test_a_data_set_without_the_reference_is_not_in_the_comparison() -> None:
    made = [*controls("pretrained"), variant(1.0, "identity", dataset="taxinyc")]
    assert [header.name for header in blocks(made)[-1].datasets][:-1] == ["bikenyc"]


def test_a_failed_seed_is_seen_beside_the_difference() -> None:
    made = [row for row in controls("pretrained") if row["run_id"] != controls("pretrained")[2]["run_id"]]
    made.append(variant(1.0, "identity", failed=True))
    assert cells(made)["no backbone"].endswith("(n=2) ✗")


def test_too_few_days_are_named() -> None:
    made = controls("pretrained")
    for row in made:
        row["windows"]["per_day"] = 48  # two days
    compared = blocks(made)[-1]
    assert compared.notes[-1] == "Too few days for the test to reach p < 0.05, whatever the truth: bikenyc."
    assert compared.cells[-1][0].text("difference") == "0 / 0 / 1"


def test_a_plain_run_alone_makes_no_table_of_variants() -> None:
    assert blocks([record(model="last_value"), variant(1.0, weights="random")]) == ()
    assert len(blocks([variant(1.1, "identity")])) == 1
    assert len(blocks([variant(1.0, weights="random"), variant(1.1, "identity")])) == 2


def test_shared_changes_of_settings_and_recipe_make_blocks_of_their_own() -> None:
    more = {"model.backbone": "vit_base", "train.epochs": 9}
    made = [*controls(), *(variant(1.0, control, overrides=more) for control in LOSS)]
    titles = [block.title for block in blocks(made)[::2]]
    assert titles[0].endswith("profile paper")
    assert titles[1].endswith("profile paper, all with model.backbone=vit_base, all with train.epochs=9")


def test_a_setting_asked_for_that_is_a_variant_makes_no_second_block() -> None:
    asked = [variant(1.2, "identity", seed=seed, base={"model.control": "identity"}) for seed in range(3)]
    made = [row for row in controls() if "identity" not in str(row["label"])]
    assert len(blocks([*made, *asked])) == 2
    assert cells([*made, *asked])["no backbone"].startswith("+18.8")


def test_floors_serve_the_blocks_of_other_recipes_and_make_none_of_their_own() -> None:
    floor = record(model="last_value", mae=3.0)
    made = [floor, record(mae=1.0, overrides={"train.epochs": 9}), record(mae=1.1, overrides={"train.epochs": 8})]
    found = blocks(made, SHORT)
    assert [block.title.rpartition("=")[2] for block in found] == ["8", "9"]
    assert all([header.name for header in block.models] == ["last_value", "stid"] for block in found)


def test_floors_stand_on_no_data_set_that_only_another_block_has_models_on() -> None:
    made = [record(city, "last_value", mae=3.0) for city in ("bikenyc", "taxinyc", "crowd")]
    made += [record(mae=1.0), record("taxinyc", mae=1.1, overrides={"train.epochs": 8})]
    found = {
        block.title.rpartition("=")[2]: [header.name for header in block.datasets] for block in blocks(made, SHORT)
    }
    assert list(found.values()) == [["bikenyc", "crowd"], ["taxinyc"]]  # crowd has no model at all


def test_a_variant_stands_in_its_own_table_alone() -> None:
    made = [variant(1.0, weights="random"), variant(1.1, "identity"), record(model="stid")]
    (block,) = blocks(made, SHORT)
    assert [header.text for header in block.models] == ["stid", "stvfm ‡"]
    asked = variant(1.1, "identity", base={"model.control": "identity"})
    assert [header.text for header in blocks([asked], SHORT)[0].models] == ["stvfm (model.control=identity)"]


def test_a_stale_or_failed_run_is_not_compared() -> None:
    made = [*controls("pretrained"), variant(1.0, "scratch", failed=True)]
    runs = Runs(frame_from_records(made).assign(stale=lambda frame: frame["changes"].map(str).str.contains("identity")))
    block = make_table(runs, CONTROLS).blocks[-1]
    assert [header.name for header in block.models] == ["shuffled tokens", "one trained block"]


def test_the_csv_has_every_comparison_at_full_precision() -> None:
    table = make_table(runs_of([*controls("pretrained"), *controls(dataset="taxinyc")]), CONTROLS)
    rows = table.differences
    assert isinstance(rows, pd.DataFrame)
    first = rows.query("dataset == 'bikenyc' and line == 'no backbone'").iloc[0]
    assert (first.reference, first.reference_weights) == ("pre-trained, frozen", "pretrained")
    assert first.seeds == "0:20;1:20;2:20"
    assert first.percent == pytest.approx(20, rel=1e-6)
    assert (rows["holm"] >= rows["p"]).all()


def test_a_broken_window_error_is_one_sentence_that_names_the_run() -> None:
    made = controls()
    made[1]["windows"]["absolute"] = "AAAA"
    with pytest.raises(StoreError, match=made[1]["run_id"]):
        blocks(made)


def test_a_question_with_odd_signs_reaches_no_reader_as_markup() -> None:
    question = "Is 50 % of a_b ^ \\x ~ <b>\n\n# better?"
    table = make_table(runs_of(controls()), replace(CONTROLS, question=question))
    assert r"## Is 50 % of a_b ^ \\x ~ \<b\> # better?" in table.to_markdown()
    assert r"50~\% of a\_b \textasciicircum \space \textbackslash x \textasciitilde \space" in table.to_latex()


def test_latex_and_markdown_carry_the_differences() -> None:
    table = make_table(runs_of(controls("pretrained")), CONTROLS)
    assert "| no backbone | **+20.0 [+20.0, +20.0]** | 1 / 0 / 0 |" in table.to_markdown()
    latex = table.to_latex()
    assert r"\textbf{$-$10.0 [$-$10.0, $-$10.0]}" in latex
    assert "``pre-trained, frozen''" in latex
    assert latex.count(r"\begin{table}") == 3


def test_what_is_too_wide_for_a_page_comes_in_parts_of_equal_width() -> None:
    made = [each for name in ("aaa", "bbb", "ccc", "ddd") for each in controls("pretrained", dataset=name)]
    latex = make_table(runs_of(made), CONTROLS).to_latex()
    parts = latex.split(r"\begin{table}")[3:]
    heads = [next(line for line in part.splitlines() if line.startswith(" & ")) for part in parts]
    assert [head.count("&") for head in heads] == [3, 2]
    assert r"\label{tab:controls-2-difference-2}" in parts[1]


# Files --------------------------------------------------------------------------------------------------------------


def test_files_appear_and_disappear_with_their_runs(tmp_path: Path) -> None:
    many, few = runs_of(controls()), runs_of(controls()[:2])
    written = [*write_tables(many, tmp_path, [CONTROLS]), *write_figures(many, tmp_path, [CONTROLS])]
    names = [path.name for path in written]
    assert names == [
        "controls.md",
        "controls.tex",
        "controls.csv",
        "controls_differences.csv",
        "controls-1.png",
        "controls-1.pdf",
    ]
    assert write_tables(few, tmp_path, [CONTROLS]) == write_figures(few, tmp_path, [CONTROLS]) == []
    assert list(tmp_path.iterdir()) == []


def test_figures_have_the_same_bytes_for_the_same_runs_in_any_order(tmp_path: Path) -> None:
    frame = frame_from_records([*controls(), *controls(dataset="taxinyc")])
    for folder, rows in (("a", frame), ("b", frame.sample(frac=1, random_state=0))):
        write_figures(Runs(rows), tmp_path / folder, [CONTROLS])
    for name in ("controls-1.png", "controls-1.pdf"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_figure_has_a_panel_per_data_set_and_a_row_per_line(tmp_path: Path) -> None:
    made = [*controls(), *controls(dataset="taxinyc"), variant(1.3, "scratch")]
    (figure,) = difference_figures(runs_of(made), CONTROLS)
    assert [axis.get_title() for axis in figure.axes] == ["bikenyc", "taxinyc"]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["shuffled tokens ‡", "no backbone", "one trained block", "trained from scratch"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["—"]
    caption = " ".join(figure.get_supxlabel().split())
    assert "No current run of “pre-trained, frozen” is there, so this does not answer the question." in caption
    assert caption.endswith("‡ random instead of pre-trained weights.")
    (path, _) = write_figures(runs_of(made), tmp_path, [CONTROLS])
    assert imread(path).std() > 0.05


def test_what_is_taller_than_a_page_comes_in_several_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.analysis.figures.differences.TALL", 0.3)  # one row of panels
    cities = [f"city{number}" for number in range(6)]
    made = [each for city in cities for each in controls(dataset=city)]
    figures = difference_figures(runs_of(made), CONTROLS)
    assert [[axis.get_title() for axis in figure.axes if axis.axison] for figure in figures] == [cities[:4], cities[4:]]
