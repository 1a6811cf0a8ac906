from __future__ import annotations

import csv
import io
import random
import statistics
from typing import Any

import pytest
from grids import ALL, cell, results, short_term, table_rows, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from records import CODE, record, results_of, suite

from bench.analysis.formats.files import table_files
from bench.analysis.formats.latex import latex
from bench.analysis.formats.markdown import markdown
from bench.analysis.measures import measures
from bench.metrics import METRICS, SHOWN, Metric, Score

OLD = "0" * 12


# Cells --------------------------------------------------------------------------------------------------------------


def test_a_cell_is_mean_and_sample_deviation_over_seeds() -> None:
    made = [record(seed=seed, mae=mae) for seed, mae in enumerate((1.0, 1.1, 1.5))]
    assert cell(made, "bikenyc", "stid") == "1.20 ± 0.26"


def test_one_seed_has_no_deviation() -> None:
    assert cell([record(mae=1.234)], "bikenyc", "stid") == "1.23"


def test_fewer_seeds_than_others_are_counted() -> None:
    made = [*(record(seed=seed) for seed in range(3)), record(model="convlstm", mae=2.0)]
    assert cell(made, "bikenyc", "convlstm") == "<u>2.00 (n=1)</u>"


def test_small_numbers_are_printed_with_three_digits() -> None:
    assert cell([record(mae=0.05432), record(model="b", mae=12.3)], "bikenyc", "b") == "<u>12.3000</u>"
    assert cell([record(mae=0.0)], "bikenyc", "stid") == "0.00"


def test_a_stale_run_is_left_out_once_a_current_one_exists_and_marked_until_then() -> None:
    old, new = record(mae=9.0, code=OLD), record(mae=1.0)
    assert cell([old, new], "bikenyc", "stid", stid=CODE) == "1.00"
    assert cell([old, record(model="b", mae=10.0)], "bikenyc", "stid", stid=CODE) == "9.00 §"


def test_stale_runs_of_different_code_never_share_a_mean() -> None:
    made = [record(mae=1.0, code="1" * 12), *(record(mae=2.0, code="2" * 12, seed=seed) for seed in range(2))]
    assert cell(made, "bikenyc", "stid", stid=CODE) == "2.00 ± 0.00 §"


def test_runs_of_different_settings_under_one_name_get_rows_of_their_own() -> None:
    made = [record(mae=1.0, epochs=2), record(mae=2.0, epochs=3, seed=1)]
    header = table_rows(text_of(made))["**MAE**"]
    assert len(header) == 2
    assert all(name.startswith("stid (settings ") for name in header)


def test_different_data_under_one_name_get_rows_of_their_own() -> None:
    made = [record(), record(sha256="e" * 64, seed=1), record(synthetic=True, seed=2)]
    rows = list(table_rows(text_of(made)))
    assert rows[1:] == ["bikenyc (npz-1, dddddd)", "bikenyc (npz-1, eeeeee)", "bikenyc †"]


def test_variants_and_weights_are_rows_of_their_own() -> None:
    made = [record(), record(overrides={"width": 64})]
    made += [record(model="stvfm", weights="random"), record(model="stvfm", weights="pretrained")]
    header = table_rows(text_of(made))["**MAE**"]
    assert header == ["stid", "stid (width=64)", "stvfm (pretrained) ¶", "stvfm (random) ‡"]


def test_a_failed_seed_is_marked_beside_the_mean_of_the_others() -> None:
    made = [record(), record(seed=1), record(seed=2, failed=True)]
    assert cell(made, "bikenyc", "stid") == "1.25 ± 0.00 ✗"
    assert cell([record(failed=True), record(model="b")], "bikenyc", "stid") == "✗"


def test_a_failure_that_was_mended_is_not_marked() -> None:
    failed = record(code=OLD, failed=True)
    assert cell([failed, record()], "bikenyc", "stid", stid=CODE) == "1.25"


def test_what_was_not_run_is_a_dash() -> None:
    assert cell([record(), record("taxibj", model="b")], "bikenyc", "b") == "—"


# Naive baselines and ranks ------------------------------------------------------------------------------------------


def test_naive_baselines_come_first_in_italics() -> None:
    made = [record(model="a"), record(model="window_mean"), record(model="last_value")]
    assert table_rows(text_of(made))["**MAE**"] == [
        "*last_value*",
        "*window_mean*",
        "a",
    ]


def test_only_a_model_worse_than_the_best_naive_is_flagged() -> None:
    made = [record(model="last_value", mae=3.0), record(model="window_mean", mae=5.0)]
    made += [record(model="a", mae=4.0), record(model="b", mae=2.0), record(model="c", mae=3.0)]
    rows = table_rows(text_of(made))
    assert rows["bikenyc"] == ["3.00", "5.00", "4.00 ▼", "**2.00**", "3.00"]


def test_a_model_is_flagged_in_the_metrics_alone_in_which_a_naive_baseline_is_better() -> None:
    made = [record(model="last_value", mae=3.0, rmse=9.0), record(model="window_mean", mae=5.0, rmse=6.0)]
    made += [record(model="a", mae=4.0, rmse=5.0), record(model="b", mae=2.0, rmse=7.0)]
    table = short_term(made)
    text = markdown(table)
    assert table_rows(text)["bikenyc"] == ["<u>3.00</u>", "5.00", "4.00 ▼", "**2.00**"]
    assert table_rows(text, "RMSE")["bikenyc"] == ["9.00", "<u>6.00</u>", "**5.00**", "7.00 ▼"]
    assert text.splitlines()[-1] == "▼ worse than the best naive baseline in this metric"
    flags = {(row.model, row.metric): row.flags for row in table.csv[""].itertuples()}
    assert [flags["a", metric] for metric in ("mae", "rmse", "r2")] == ["below_naive", "", "below_naive"]
    assert [flags["b", metric] for metric in ("mae", "rmse", "r2")] == ["", "below_naive", ""]


def test_a_failed_naive_baseline_is_still_one() -> None:
    made = [record(model="last_value"), record("taxibj", model="last_value", failed=True), record("taxibj", mae=9.0)]
    assert table_rows(text_of(made))["**MAE**"] == ["*last_value*", "stid"]


def test_a_naive_baseline_made_under_another_profile_serves_all() -> None:
    naive = record(model="last_value", mae=1.0, profile="quick")
    markdown = text_of([naive, record(mae=2.0), record("taxibj", mae=2.0)])
    assert table_rows(markdown)["bikenyc"] == ["**1.00**", "<u>2.00</u> ▼"]
    assert table_rows(markdown)["taxibj"] == ["—", "2.00"]


def test_seeds_are_those_of_what_is_trained() -> None:
    naive = [record(model="last_value", mae=9.0, profile="laptop", seed=seed) for seed in range(6)]
    made = [record(seed=seed) for seed in range(2)]
    text = text_of([*naive, *made])
    assert "over 2 seeds" in text
    assert "(n=" not in table_rows(text)["bikenyc"][1]
    assert "over 6 seeds" in text_of([*naive, record(failed=True, profile="laptop")])


@given(st.lists(st.integers(100, 110), min_size=2, max_size=6))
@settings(deadline=None, max_examples=30)
def test_bold_and_underlined_are_the_best_two_and_never_a_tie(cents: list[int]) -> None:
    made = [record(model=f"m{number}", mae=value / 100) for number, value in enumerate(cents)]
    row = table_rows(text_of(made))["bikenyc"]
    order = sorted(cents)
    for value, text in zip(cents, row, strict=True):
        alone = cents.count(value) == 1
        best = alone and value == order[0]
        second = alone and value == order[1] and order[0] != order[1]
        assert text == (
            f"**{value / 100:.2f}**" if best else f"<u>{value / 100:.2f}</u>" if second else f"{value / 100:.2f}"
        )


def test_values_that_print_alike_are_a_tie() -> None:
    made = [record(model="a", mae=1.001), record(model="b", mae=1.004), record(model="c", mae=2.0)]
    assert table_rows(text_of(made))["bikenyc"] == ["1.00", "1.00", "2.00"]


def test_a_stale_result_is_not_ranked() -> None:
    made = [record(mae=1.0, code=OLD), record(model="b", mae=2.0), record(model="c", mae=3.0)]
    text = text_of(made, {("bikenyc", "stid"): CODE})
    assert table_rows(text)["bikenyc"] == ["**2.00**", "<u>3.00</u>", "1.00 §"]


def test_a_single_model_is_not_called_best() -> None:
    assert "**1.25" not in text_of([record()])


def test_the_quick_profile_has_no_ranks_and_says_that_they_mean_nothing() -> None:
    markdown = text_of(suite("quick"))
    assert "the ranks mean nothing" in markdown
    assert "<u>" not in markdown
    assert "the ranks mean nothing" not in text_of(suite())


# Groups, captions and forms -----------------------------------------------------------------------------------------


def test_whatever_must_not_be_compared_stands_in_a_group_of_its_own() -> None:
    made = [record(), record(protocol="unist"), record(profile="quick"), record(leaky_scaler=True), record(clamp=True)]
    headings = [heading for heading, _ in short_term(made).by_heading()]
    assert sorted(headings) == [
        "Task short: 6 → 6 steps, protocol strict, profile paper",
        "Task short: 6 → 6 steps, protocol strict, profile paper, forecasts clamped to the data's range",
        "Task short: 6 → 6 steps, protocol strict, profile paper, scaler fitted on all data (leaky)",
        "Task short: 6 → 6 steps, protocol strict, profile quick",
        "Task short: 6 → 6 steps, protocol unist, profile paper",
    ]


def test_each_table_holds_its_own_tasks() -> None:
    made = results([record(task=task) for task in ("short", "long", "few1", "few5")])
    assert [len(made.table(name).by_heading()) for name in ALL] == [1, 1, 2]
    assert "last 1 % of the training windows" in markdown(made.table("few_shot"))


def test_the_legend_explains_the_marks_that_occur_and_no_others() -> None:
    plain = text_of([record()])
    assert not set("†‡▼§✗—") & set(plain)
    full = text_of(suite()).splitlines()[-1]
    assert [part.split()[0] for part in full.split("; ")] == ["†", "‡", "▼", "✗", "—"]


def test_many_models_run_down_the_page_and_few_run_across() -> None:
    few = table_rows(text_of(suite(models=2)))
    many = table_rows(text_of(suite(models=16)))
    assert list(few)[1:] == ["bikenyc", "taxibj †", "taxinyc"]
    assert many["**MAE**"] == list(few)[1:]
    assert len(many) == 1 + 20
    assert many["model_00"][0] == few["bikenyc"][few["**MAE**"].index("model_00")]


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_the_csv_has_the_numbers_at_full_precision(maes: list[float]) -> None:
    made = [record(seed=seed, mae=mae) for seed, mae in enumerate(maes)]
    text = short_term(made).csv[""].to_csv()
    [row] = [row for row in csv.DictReader(io.StringIO(text)) if row["metric"] == "mae"]
    assert float(row["mean"]) == statistics.fmean(maes)
    assert int(row["n"]) == len(maes)
    assert row["std"] == "" if len(maes) == 1 else float(row["std"]) == pytest.approx(statistics.stdev(maes), abs=1e-9)


def test_the_csv_carries_the_flags() -> None:
    long = short_term(suite()).csv[""].query("metric == 'mae'")
    flags = {(row.dataset, row.model): row.flags for row in long.itertuples()}
    assert flags["taxibj", "last_value"] == "synthetic"
    assert flags["bikenyc", "stvfm"] == "random_weights;below_naive"
    assert flags["taxinyc", "convlstm"] == "failed"


def test_latex_escapes_names_and_sets_naive_baselines_apart() -> None:
    made = [*suite(), record(overrides={"a_b": "50%&$"})]
    text = latex("short_term", short_term(made))
    assert r"@{}r@{}}stid\\(a\_b=50\%\&\$)\end{tabular}" in text
    assert r"\textit{last\_value} & \textit{window\_mean}" in text
    assert r"rr@{\qquad}r" in text
    assert r"\underline{1.51 $\pm$ 0.01}" in text
    assert r"\textbf{1.25 (n=1)}" in text
    assert not set("†‡▼§✗—±→") & set(text)
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2 * len(SHOWN)  # in two parts each
    assert text.count("{") == text.count("}")


def test_latex_rules_off_the_naive_baselines_when_models_run_down_the_page() -> None:
    lines = latex("short_term", short_term(suite(models=16))).splitlines()
    last = max(number for number, line in enumerate(lines[:25]) if r"\textit{" in line)
    assert lines[last + 1] == r"\midrule"
    assert lines[last + 2].startswith("convlstm")


def test_markdown_survives_a_variant_with_its_own_marks() -> None:
    rows = table_rows(text_of([record(overrides={"x": "a|b*c\nd"})]))
    assert rows["**MAE**"] == [r"stid (x=a\|b\*c d)"]


def test_every_form_has_the_same_bytes_whatever_the_order_of_records() -> None:
    made = suite() + suite("quick", seeds=1)
    one = table_files(results(made), ALL)
    random.Random(0).shuffle(made)
    assert table_files(results(made), ALL) == one


def test_in_latex_every_grid_explains_its_own_marks_alone() -> None:
    made = [record(model="last_value", mae=3.0, rmse=9.0), record(mae=4.0, rmse=5.0)]
    mae, rmse, *others = latex("short_term", short_term(made)).split(r"\begin{table}")[1:]
    assert len(others) == len(SHOWN) - 2
    assert "worse than the best naive baseline in this metric" in mae
    assert "worse than the best naive baseline in this metric" not in rmse


def test_seeds_made_on_different_devices_are_marked() -> None:
    made = [record(seed=0), record(seed=1, device="H200"), record(model="b"), record(model="b", seed=1)]
    text = text_of(made)
    assert table_rows(text)["bikenyc"] == ["1.25 ± 0.00", "1.25 ± 0.00 ◇"]
    assert text.splitlines()[-1] == "◇ seeds on different devices or library versions"
    assert "±$ 0.00 $^{\\diamond}$" in latex("short_term", short_term(made)).replace(r"\pm", "±")
    flags = {row.model: row.flags for row in short_term(made).csv[""].itertuples()}
    assert flags == {"stid": "mixed", "b": ""}


def test_a_model_that_is_random_on_purpose_is_marked() -> None:
    made = [record(), record(model="z")]
    drawn = replace(made[1].audit, forecasts=replace(made[1].audit.forecasts, draws=5))
    text = text_of([made[0], replace(made[1], audit=drawn)])
    assert table_rows(text)["bikenyc"] == ["1.25", "1.25 ⊕"]
    assert text.splitlines()[-1] == "⊕ random on purpose: each forecast is the mean of seeded draws"


# Metrics ------------------------------------------------------------------------------------------------------------


def test_a_metric_that_is_added_is_a_grid_and_rows_of_the_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    added = {
        **METRICS,
        "skill": Metric(label="Skill, %", formula=METRICS["r2"].formula, best="high", shown=True),
    }
    for module in ("bench.analysis.groups", "bench.analysis.grouping", "bench.records.record"):
        monkeypatch.setattr(f"{module}.METRICS", added)
    for module in ("suite", "_notes"):
        monkeypatch.setattr(f"bench.analysis.tables.{module}.MEASURES", measures(added))
    monkeypatch.setattr("bench.analysis.choice.SHOWN", ("mae", "rmse", "skill"))
    made = [
        with_skill(record(model=name, mae=mae), 50 - mae) for name, mae in (("a", 1.0), ("b", 2.0), ("last_value", 1.5))
    ]
    text = text_of(made)
    assert table_rows(text, "Skill, %")["bikenyc"] == ["<u>48.50</u>", "**49.00**", "48.00 ▼"]
    means = {row.model: row.mean for row in short_term(made).csv[""].query("metric == 'skill'").itertuples()}
    assert means == {"a": 49.0, "b": 48.0, "last_value": 48.5}


def with_skill(made: Any, value: float) -> Any:
    score = Score(overall=value, per_step=[value] * 6, per_channel=[value] * 2)
    return replace(made, scores={split: {**scores, "skill": score} for split, scores in made.scores.items()})


def test_runs_of_different_numbers_of_threads_are_told_in_a_note():
    def notes(*threads):
        made = [record(model=name) for name in ("stid", "dlinear", "ridge")]
        places = [replace(run.environment, threads=count) for run, count in zip(made, threads, strict=True)]
        runs = [replace(run, environment=place) for run, place in zip(made, places, strict=True)]
        return " ".join(results_of(runs).table("short_term").tables[0].notes)

    assert "The runs had 1 or 4 threads, on which scores depend a little." in notes(4, 1, None)
    assert "threads" not in notes(1, 1, None)


def test_forecasts_made_elsewhere_had_no_threads_of_ours():
    here, given = record(), record(model="mine", external=True)
    given = replace(given, environment=replace(given.environment, threads=4))
    here = replace(here, environment=replace(here.environment, threads=1))
    assert "threads" not in " ".join(results_of([here, given]).table("short_term").tables[0].notes)
