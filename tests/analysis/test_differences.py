"""Tables of variants: who is compared with whom, and what a reader is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from records import CODE, record, results_of
from variants import LOSS, controls, variant

from bench.analysis.formats.files import table_files, write_files
from bench.analysis.formats.latex import latex
from bench.analysis.formats.markdown import markdown
from bench.analysis.table import MINUS, Table, TableFile
from bench.clock import MONTH
from bench.runs.suite import Suite, load_suites

CONTROLS, ABLATION, SHORT = load_suites(["controls", "ablation", "short_term"])
QUESTION = "Does the pre-trained vision model matter?"
BETTER = "Does ST-VFM forecast better than the others?"


def file_of(
    records: list[Any], suite: Suite = CONTROLS, code: Mapping[tuple[str, str], str] | None = None
) -> TableFile:
    """Without the tables of other measures, which have tests of their own."""
    made = results_of(records, code, [suite]).table(suite.name)
    return dataclasses.replace(made, tables=tuple(table for table in made.tables if table.key != "measures"))


def tables(records: list[Any], suite: Suite = CONTROLS) -> list[Table]:
    """The first table under each heading, without those of what would settle an open comparison."""
    return [first for _, (first, *_) in file_of(records, suite).by_heading() if first.key != "settle"]


def columns(table: Table) -> list[list[str]]:
    return [[cell.text for cell in column] for column in zip(*table.cells, strict=True)]


def cells(records: list[Any], suite: Suite = CONTROLS) -> dict[str, str]:
    """The column of the first data set in the last table: method → text."""
    table = tables(records, suite)[-1]
    return dict(zip((header.text for header in table.rows), columns(table)[0], strict=True))


def test_every_variant_is_compared_with_the_reference() -> None:
    found = cells(controls("pretrained"))
    assert list(found) == ["shuffled tokens ¶", "no backbone", "one trained block"]
    assert found["no backbone"] == "+20.0 [+17.3, +22.7]"
    assert found["one trained block"].startswith(f"{MINUS}10.0")


def test_without_pre_trained_runs_the_table_says_that_the_question_is_open() -> None:
    scores, compared = tables(controls())
    assert [header.text for header in scores.rows][:2] == ["last_value", "random, frozen ‡"]
    assert scores.notes[-1] == (
        "Not run: window_mean; historical_average; pre-trained, frozen; matched random, frozen; permuted, frozen; "
        "trained from scratch."
    )
    assert compared.heading.startswith(f"{QUESTION} Difference from “random, frozen” ‡.")
    assert compared.notes[0].startswith("No current run of “pre-trained, frozen” is there, so this does not answer")
    assert not any("does not answer" in note for note in tables(controls("pretrained"))[1].notes)


def test_pre_trained_runs_are_the_reference_of_random_ones() -> None:
    found = cells([*controls("pretrained"), *(variant(1.05, seed=seed, weights="random") for seed in range(3))])
    assert found["random, frozen ‡"].startswith("+4.0")


@pytest.mark.parametrize(("weights", "row"), [("matched", "matched random, frozen"), ("permuted", "permuted, frozen")])
def test_weights_drawn_by_pre_trained_ones_are_random_weights_in_a_row_of_their_own(weights: str, row: str) -> None:
    made = [*controls("pretrained"), *(variant(1.05, seed=seed, weights=weights) for seed in range(3))]
    assert [name for name in cells(made) if name.startswith(row) and "‡" in name]
    assert "random weights" in str(made[-1])


def test_a_method_is_compared_with_the_reference_of_its_own_weights() -> None:
    made = [variant(1.0, weights="random"), variant(2.0, weights="pretrained")]
    made += [variant(1.5, overrides={"model.flow": False}, weights=weights) for weights in ("random", "pretrained")]
    found = {name: text[:5] for name, text in cells(made, ABLATION).items()}
    assert found == {"without flow (pretrained) ¶": f"{MINUS}25.0", "without flow (random) ‡": "+50.0"}


def test_what_agrees_is_bold_and_counted() -> None:
    table = tables(controls("pretrained"))[-1]
    assert [row[0].rank for row in table.cells] == ["best", "best", "best"]
    assert table.columns[-1].name == "reference better / worse / equivalent / open"
    assert columns(table)[-1] == ["1 / 0 / 0 / 0", "1 / 0 / 0 / 0", "0 / 1 / 0 / 0"]


@pytest.mark.parametrize("profile", ["quick", "laptop"])
def test_a_profile_of_short_training_claims_nothing(profile: str) -> None:
    table = tables(controls("pretrained", profile=profile))[-1]
    assert {row[0].rank for row in table.cells} == {""}
    assert columns(table)[-1] == ["0 / 0 / 0 / 0"] * 3
    assert set(file_of(controls("pretrained", profile=profile)).csv["_differences"]["verdict"]) == {""}


def test_the_laptop_profile_says_why_it_claims_nothing_and_shows_its_intervals() -> None:
    table = tables(controls("pretrained", profile="laptop"))[-1]
    assert any(note.startswith("Laptop profile: training is short") for note in table.notes)
    assert all("[" in row[0].value for row in table.cells)
    assert not any("Laptop profile" in note for note in tables(controls("pretrained"))[-1].notes)


def test_the_reference_profile_gives_verdicts_and_says_of_what_training_they_hold() -> None:
    table = tables(controls("pretrained", profile="reference"))[-1]
    assert columns(table)[-1] == ["1 / 0 / 0 / 0", "1 / 0 / 0 / 0", "0 / 1 / 0 / 0"]
    assert any(
        note.startswith("Reference profile: what is claimed holds of small models trained for") for note in table.notes
    )


def test_a_synthetic_data_set_proves_nothing() -> None:
    made = [*controls("pretrained"), *controls("pretrained", dataset="taxibj", synthetic=True)]
    table = tables(made)[-1]
    assert [header.text for header in table.columns][:2] == ["bikenyc", "taxibj †"]
    assert [row[1].rank for row in table.cells] == ["", "", ""]
    assert columns(table)[-1][0] == "1 / 0 / 0 / 0"


def test_planted_data_are_judged_although_they_are_synthetic() -> None:
    planted = CONTROLS.model_copy(update={"planted": True})
    table = tables(controls("pretrained", synthetic=True), planted)[-1]
    assert [row[0].rank for row in table.cells] == ["best", "best", "best"]
    assert columns(table)[-1] == ["1 / 0 / 0 / 0", "1 / 0 / 0 / 0", "0 / 1 / 0 / 0"]
    assert any("synthetic on purpose" in note for note in table.notes)
    assert not any("Only real data" in note for note in table.notes)
    quick = tables(controls("pretrained", synthetic=True, profile="quick"), planted)[-1]
    assert {row[0].rank for row in quick.cells} == {""}


def test_what_cannot_be_compared_says_so() -> None:
    made = [*controls("pretrained"), variant(1.0, dataset="taxinyc", weights="pretrained")]
    made += [variant(1.0, name, dataset="taxinyc", seed=seed) for name, seed in (("identity", 5), ("attention", 0))]
    made.append(variant(1.0, "shuffled", dataset="taxinyc", weights="pretrained", failed=True))
    assert columns(tables(made)[-1])[1] == ["✗", "0.0 (n=1)", "0.0 (n=1)"]


def test_a_data_set_without_the_reference_is_not_in_the_comparison() -> None:
    made = [*controls("pretrained"), variant(1.0, "identity", dataset="taxinyc")]
    assert [header.name for header in tables(made)[-1].columns][:-1] == ["bikenyc"]


def test_a_failed_seed_is_seen_beside_the_difference() -> None:
    made = [run for run in controls("pretrained") if run.run_id != controls("pretrained")[2].run_id]
    made.append(variant(1.0, "identity", failed=True))
    assert cells(made)["no backbone"].endswith("(n=2) ✗")


def test_what_a_day_means_is_said_where_the_season_is_the_year() -> None:
    made = [replace(run, label=replace(run.label, interval=MONTH)) for run in controls("pretrained")]
    said = "(bikenyc) a year stands for each day: noise may be halved in up to 2 years"
    assert any(said in note for note in tables(made)[-1].notes)
    assert not any("stands for each day" in note for note in tables(controls("pretrained"))[-1].notes)


def test_too_few_days_are_named() -> None:
    two_days = {"per_day": 48}
    made = [replace(run, windows=replace(run.windows, **two_days)) for run in controls("pretrained")]
    compared = tables(made)[-1]
    assert compared.notes[-1].startswith("A test period of less than 7 days supports no claim")
    assert compared.notes[-1].endswith(": bikenyc.")
    assert columns(compared)[-1][0] == "0 / 0 / 0 / 1"
    assert [table.key for table in file_of(made).tables][-1] == "difference", "a table of dashes would say nothing"


def seeds_of(errors: Mapping[str, Sequence[float]], **facts: Any) -> list[Any]:
    """Pre-trained ST-VFM and controls of it, by the control's name, with these errors, seed by seed."""
    made = []
    for control, values in errors.items():
        for seed, mae in enumerate(values):
            weights = "pretrained" if control == "none" else "none"
            made.append(variant(mae, control, seed=seed, weights=weights, **facts))
    return made


SIX = (0.998, 0.999, 1.0, 1.0, 1.001, 1.002)
THREE = (0.97, 1.0, 1.03)


def test_methods_that_hardly_differ_are_equivalent_and_the_margin_is_said() -> None:
    made = seeds_of({"none": SIX, "identity": [1.001 * mae for mae in SIX], "attention": [1.05 * mae for mae in SIX]})
    table = tables(made)[-1]
    assert columns(table)[0] == [f"+0.1 [{MINUS}0.1, +0.3] equivalent", "+5.0 [+4.8, +5.2]"]
    assert [row[0].rank for row in table.cells] == ["", "best"]
    assert columns(table)[-1] == ["0 / 0 / 1 / 0", "1 / 0 / 0 / 0"]
    assert any("within ± 1 %, the suite's margin" in note for note in table.notes)
    assert "+0.1 [$-$0.1, +0.3] equivalent &" in latex("controls", file_of(made))


def test_a_smaller_margin_of_the_suite_leaves_the_same_difference_open() -> None:
    made = seeds_of({"none": SIX, "identity": [1.001 * mae for mae in SIX]})
    strict = CONTROLS.model_copy(update={"margin": 0.2})
    assert cells(made, strict)["no backbone"] == f"+0.1 [{MINUS}0.1, +0.3] open (0.3)"


def test_an_open_comparison_says_what_it_could_have_shown_and_how_many_seeds_would_settle_it() -> None:
    made = seeds_of({"none": THREE, "identity": [1.02 * mae for mae in THREE]})
    text = cells(made)["no backbone"]
    assert text == f"+2.0 [{MINUS}4.7, +9.2] open (9.7)"
    settle = file_of(made).tables[-1]
    assert settle.heading.startswith("What would settle what is open? Does the pre-trained")
    assert settle.corner == "Seeds of each to show: the difference seen / one of 1 %"
    assert columns(settle) == [["38 / 144"]]


@pytest.mark.parametrize("number", [1, 2])
def test_one_or_two_seeds_of_a_trained_model_support_no_claim_whatever_the_difference(number: int) -> None:
    made = seeds_of({"none": SIX, "identity": (2.0,) * number})
    table = tables(made)[-1]
    assert columns(table) == [[f"+100.0 (n={number})"], ["0 / 0 / 0 / 1"]]
    assert "(n=k): a trained model with fewer than 3 seeds supports no claim." in table.notes
    assert columns(file_of(made).tables[-1]) == [["3 or more"]]


def test_seeds_of_two_methods_are_not_paired() -> None:
    other = [1.02 * mae for mae in THREE]
    first, second = (seeds_of({"none": THREE, "identity": order}) for order in (other, other[::-1]))
    assert cells(first)["no backbone"] == cells(second)["no backbone"]
    apart = [replace(run, spec=replace(run.spec, seed=run.spec.seed + 9)) for run in first if run.label.overrides]
    assert cells([*(run for run in first if not run.label.overrides), *apart]) == cells(first)


def test_where_no_number_of_seeds_would_do_a_sentence_says_so_and_no_table_of_dashes() -> None:
    wild = seeds_of({"none": (1.0, 3.0, 9.0), "identity": (1.1, 3.1, 9.0)})
    (compared,) = [table for table in file_of(wild).tables if table.key == "difference"]
    assert "settle" not in {table.key for table in file_of(wild).tables}
    assert compared.notes[-1].startswith("No number of seeds up to 200 would settle what is open here")
    one_of_two = seeds_of({"none": THREE, "identity": [1.02 * mae for mae in THREE]})
    assert not any("No number of seeds" in note for table in file_of(one_of_two).tables for note in table.notes)


def test_what_is_settled_has_no_table_of_seeds() -> None:
    made = seeds_of({"none": SIX, "identity": [1.05 * mae for mae in SIX]})
    assert "settle" not in {table.key for table in file_of(made).tables}
    assert "settle" not in {table.key for table in file_of(controls(profile="quick")).tables}


def test_a_plain_run_alone_makes_no_table_of_variants() -> None:
    assert tables([record(model="last_value"), variant(1.0, weights="random")]) == []
    assert len(tables([variant(1.1, "identity")])) == 1
    assert len(tables([variant(1.0, weights="random"), variant(1.1, "identity")])) == 2


def test_shared_changes_of_settings_and_recipe_make_groups_of_their_own() -> None:
    more = {"model.backbone": "vit_base", "train.epochs": 9}
    made = [*controls(), *(variant(1.0, control, overrides=more) for control in LOSS)]
    titles = [table.heading for table in tables(made)]
    assert titles[0].endswith("profile paper")
    assert titles[-1].endswith("profile paper, all with model.backbone=vit_base, all with train.epochs=9")


def test_a_setting_asked_for_that_is_a_variant_makes_no_second_group() -> None:
    asked = [variant(1.2, "identity", seed=seed, base={"model.control": "identity"}) for seed in range(3)]
    made = [run for run in controls() if "identity" not in str(run.label)]
    assert len(tables([*made, *asked])) == 2
    assert cells([*made, *asked])["no backbone"].startswith("+18.8")


def test_naive_baselines_serve_the_groups_of_other_recipes_and_make_none_of_their_own() -> None:
    naive = record(model="last_value", mae=3.0)
    made = [naive, record(mae=1.0, overrides={"train.epochs": 9}), record(mae=1.1, overrides={"train.epochs": 8})]
    groups = tables(made, SHORT)
    assert [table.heading.rpartition("=")[2] for table in groups] == ["8", "9"]
    assert all([header.name for header in table.columns] == ["last_value", "stid"] for table in groups)


def test_naive_baselines_stand_on_no_data_set_that_only_another_group_has_models_on() -> None:
    made = [record(city, "last_value", mae=3.0) for city in ("bikenyc", "taxinyc", "crowd")]
    made += [record(mae=1.0), record("taxinyc", mae=1.1, overrides={"train.epochs": 8})]
    datasets = [[header.name for header in table.rows] for table in tables(made, SHORT)]
    assert datasets == [["bikenyc", "crowd"], ["taxinyc"]]  # crowd has no model at all


def test_a_variant_stands_in_its_own_table_alone() -> None:
    made = [variant(1.0, weights="random"), variant(1.1, "identity"), record(model="stid")]
    table, compared = tables(made, SHORT)
    assert [header.text for header in table.columns] == ["stid", "stvfm ‡"]
    assert compared.heading.startswith(f"{BETTER} Difference from “stvfm” ‡.")
    assert [header.text for header in compared.rows] == ["stid"]
    asked = variant(1.1, "identity", base={"model.control": "identity"})
    assert [header.text for header in tables([asked], SHORT)[0].columns] == ["stvfm (model.control=identity)"]


def test_a_stale_or_failed_run_is_not_compared() -> None:
    made = [run for run in controls("pretrained") if "identity" not in str(run.label)]
    made += [variant(1.2, "identity", seed=seed, code="0" * len(CODE)) for seed in range(3)]
    made.append(variant(1.0, "scratch", failed=True))
    table = file_of(made, code={("bikenyc", "stvfm"): CODE}).tables[-1]
    assert [header.name for header in table.rows] == ["shuffled tokens", "one trained block"]


def test_the_csv_has_every_comparison_at_full_precision() -> None:
    rows = file_of([*controls("pretrained"), *controls(dataset="taxinyc")]).csv["_differences"]
    first = rows.query("dataset == 'bikenyc' and method == 'no backbone'").iloc[0]
    assert (first.reference, first.reference_weights) == ("pre-trained, frozen", "pretrained")
    assert first.seeds == "18.8119;20;21.1881"
    assert first.percent == pytest.approx(20, rel=1e-6)
    assert (rows["holm"] >= rows["p"]).all()


def test_a_question_with_odd_signs_reaches_no_reader_as_markup() -> None:
    question = "Is 50 % of a_b ^ \\x ~ <b>\n\n# better?"
    file = file_of(controls(), CONTROLS.model_copy(update={"question": question}))
    assert r"## Is 50 % of a_b ^ \\x ~ \<b\> # better?" in markdown(file)
    escaped = (
        r"50~\% of a\_b \textasciicircum{} \textbackslash{}x \textasciitilde{} \textless{}b\textgreater{} \# better?"
    )
    assert escaped in latex("controls", file)


def test_latex_and_markdown_carry_the_differences() -> None:
    file = file_of(controls("pretrained"))
    assert "| no backbone | **+20.0 [+17.3, +22.7]** | 1 / 0 / 0 / 0 |" in markdown(file)
    text = latex("controls", file)
    assert r"\textbf{$-$10.0 [$-$12.0, $-$8.0]}" in text
    assert "``pre-trained, frozen''" in text
    assert text.count(r"\begin{table}") == 2


def test_what_is_too_wide_for_a_page_comes_in_parts_of_equal_width() -> None:
    made = [each for name in ("aaa", "bbb", "ccc", "ddd") for each in controls("pretrained", dataset=name)]
    parts = latex("controls", file_of(made)).split(r"\begin{table*}")[3:]
    heads = [next(line for line in part.splitlines() if line.startswith(" & ")) for part in parts]
    assert [head.count("&") for head in heads] == [2, 3]
    assert r"\label{tab:controls-2-difference-2}" in parts[1]


def test_a_mark_in_a_heading_is_explained() -> None:
    table = tables([variant(1.0, weights="random"), variant(1.1, "identity")])[-1]
    assert "‡" in table.heading
    assert table.flags == {"random_weights"}


def test_files_appear_and_disappear_with_their_runs(tmp_path: Path) -> None:
    many, few = (results_of(made, suites=[CONTROLS]) for made in (controls(), controls()[:2]))
    written = write_files(tmp_path, table_files(many, ["controls"]))
    assert [path.name for path in written] == [
        "controls.md",
        "controls.tex",
        "controls.csv",
        "controls_differences.csv",
    ]
    assert write_files(tmp_path, table_files(few, ["controls"])) == []
    assert list(tmp_path.iterdir()) == []
