from __future__ import annotations

import csv
import io
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CODE, record, runs_of, suite

from bench.analysis.results import Runs
from bench.analysis.table import Table
from bench.analysis.tables.scores import check_tables, make_table, write_tables
from bench.records.frame import frame_from_records
from bench.runs.layout import Layout

OLD = "0" * 12
SHORT = Layout(name="short_term", title="Short-term", tasks=("short",))
LONG = Layout(name="long_term", title="Long-term", tasks=("long",))
FEW = Layout(name="few_shot", title="Few-shot", tasks=("few1", "few5"))
ALL = (SHORT, LONG, FEW)


def short_term(runs: Runs) -> Table:
    return make_table(runs, SHORT)


def table_rows(markdown: str, metric: str = "MAE") -> dict[str, list[str]]:
    """The first grid of a metric: row name → cells; the header row under its own name."""
    lines = markdown[markdown.index(f"| **{metric}**") :].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("| ---")]
    return {row[0]: row[1:] for row in rows}


def cell(records: list[dict[str, Any]], dataset: str, model: str, **current: str) -> str:
    runs = runs_of(records, {("bikenyc", name): code for name, code in current.items()})
    rows = table_rows(short_term(runs).to_markdown())
    return rows[dataset][rows["**MAE**"].index(model)]


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


def test_runs_of_different_settings_under_one_name_get_lines_of_their_own() -> None:
    made = [record(mae=1.0, epochs=2), record(mae=2.0, epochs=3, seed=1)]
    header = table_rows(short_term(runs_of(made)).to_markdown())["**MAE**"]
    assert len(header) == 2
    assert all(name.startswith("stid (settings ") for name in header)


def test_different_data_under_one_name_get_rows_of_their_own() -> None:
    made = [record(), record(sha256="e" * 64, seed=1), record(stand_in=True, seed=2)]
    rows = list(table_rows(short_term(runs_of(made)).to_markdown()))
    assert rows[1:] == ["bikenyc (npz-1, dddddd)", "bikenyc (npz-1, eeeeee)", "bikenyc †"]


def test_variants_and_weights_are_lines_of_their_own() -> None:
    made = [record(), record(overrides={"width": 64})]
    made += [record(model="stvfm", weights="random"), record(model="stvfm", weights="pretrained")]
    header = table_rows(short_term(runs_of(made)).to_markdown())["**MAE**"]
    assert header == ["stid", "stid (width=64)", "stvfm (pretrained)", "stvfm (random) ‡"]


def test_a_failed_seed_is_marked_beside_the_mean_of_the_others() -> None:
    made = [record(), record(seed=1), record(seed=2, failed=True)]
    assert cell(made, "bikenyc", "stid") == "1.25 ± 0.00 ✗"
    assert cell([record(failed=True), record(model="b")], "bikenyc", "stid") == "✗"


def test_a_failure_that_was_mended_is_not_marked() -> None:
    failed = record(code=OLD, failed=True)
    assert cell([failed, record()], "bikenyc", "stid", stid=CODE) == "1.25"


def test_what_was_not_run_is_a_dash() -> None:
    assert cell([record(), record("taxibj", model="b")], "bikenyc", "b") == "—"


# Floors and ranks ---------------------------------------------------------------------------------------------------


def test_floors_come_first_in_italics() -> None:
    made = [record(model="a"), record(model="window_mean"), record(model="last_value")]
    assert table_rows(short_term(runs_of(made)).to_markdown())["**MAE**"] == [
        "*last_value*",
        "*window_mean*",
        "a",
    ]


def test_only_a_model_worse_than_the_best_floor_is_flagged() -> None:
    made = [record(model="last_value", mae=3.0), record(model="window_mean", mae=5.0)]
    made += [record(model="a", mae=4.0), record(model="b", mae=2.0), record(model="c", mae=3.0)]
    rows = table_rows(short_term(runs_of(made)).to_markdown())
    assert rows["bikenyc"] == ["3.00", "5.00", "4.00 ▼", "**2.00**", "3.00"]


def test_a_model_is_flagged_in_the_metrics_alone_in_which_a_floor_is_better() -> None:
    made = [record(model="last_value", mae=3.0, rmse=9.0), record(model="window_mean", mae=5.0, rmse=6.0)]
    made += [record(model="a", mae=4.0, rmse=5.0), record(model="b", mae=2.0, rmse=7.0)]
    table = short_term(runs_of(made))
    markdown = table.to_markdown()
    assert table_rows(markdown)["bikenyc"] == ["<u>3.00</u>", "5.00", "4.00 ▼", "**2.00**"]
    assert table_rows(markdown, "RMSE")["bikenyc"] == ["9.00", "<u>6.00</u>", "**5.00**", "7.00 ▼"]
    assert markdown.splitlines()[-1] == "▼ below the best floor: worse than it in this metric"
    flags = {(row.model, row.metric): row.flags for row in table.long.itertuples()}
    assert [flags["a", metric] for metric in ("mae", "rmse", "r2")] == ["below_floor", "", "below_floor"]
    assert [flags["b", metric] for metric in ("mae", "rmse", "r2")] == ["", "below_floor", ""]


def test_a_failed_floor_is_still_a_floor() -> None:
    made = [record(model="last_value"), record("taxibj", model="last_value", failed=True), record("taxibj", mae=9.0)]
    assert table_rows(short_term(runs_of(made)).to_markdown())["**MAE**"] == ["*last_value*", "stid"]


def test_a_floor_made_under_another_profile_serves_all() -> None:
    floor = record(model="last_value", mae=1.0, profile="quick")
    markdown = short_term(runs_of([floor, record(mae=2.0), record("taxibj", mae=2.0)])).to_markdown()
    assert table_rows(markdown)["bikenyc"] == ["**1.00**", "<u>2.00</u> ▼"]
    assert table_rows(markdown)["taxibj"] == ["—", "2.00"]


@given(st.lists(st.integers(100, 110), min_size=2, max_size=6))
@settings(deadline=None, max_examples=30)
def test_bold_and_underlined_are_the_best_two_and_never_a_tie(cents: list[int]) -> None:
    made = [record(model=f"m{number}", mae=value / 100) for number, value in enumerate(cents)]
    row = table_rows(short_term(runs_of(made)).to_markdown())["bikenyc"]
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
    assert table_rows(short_term(runs_of(made)).to_markdown())["bikenyc"] == ["1.00", "1.00", "2.00"]


def test_a_stale_result_is_not_ranked() -> None:
    made = [record(mae=1.0, code=OLD), record(model="b", mae=2.0), record(model="c", mae=3.0)]
    runs = runs_of(made, {("bikenyc", "stid"): CODE})
    assert table_rows(short_term(runs).to_markdown())["bikenyc"] == ["**2.00**", "<u>3.00</u>", "1.00 §"]


def test_a_single_model_is_not_called_best() -> None:
    assert "**1.25" not in short_term(runs_of([record()])).to_markdown()


def test_the_quick_profile_has_no_ranks_and_says_that_they_mean_nothing() -> None:
    markdown = short_term(runs_of(suite("quick"))).to_markdown()
    assert "the ranks mean nothing" in markdown
    assert "<u>" not in markdown
    assert "the ranks mean nothing" not in short_term(runs_of(suite())).to_markdown()


# Blocks, captions and forms -----------------------------------------------------------------------------------------


def test_whatever_must_not_be_compared_stands_in_a_block_of_its_own() -> None:
    made = [record(), record(protocol="unist"), record(profile="quick"), record(leaky_scaler=True), record(clamp=True)]
    titles = [block.title for block in short_term(runs_of(made)).blocks]
    assert sorted(titles) == [
        "Task short: 6 → 6 steps, protocol strict, profile paper",
        "Task short: 6 → 6 steps, protocol strict, profile paper, forecasts clamped to the data's range",
        "Task short: 6 → 6 steps, protocol strict, profile paper, scaler fitted on all data (leaky)",
        "Task short: 6 → 6 steps, protocol strict, profile quick",
        "Task short: 6 → 6 steps, protocol unist, profile paper",
    ]


def test_each_table_holds_its_own_tasks() -> None:
    runs = runs_of([record(task=task) for task in ("short", "long", "few1", "few5")])
    assert [len(make_table(runs, layout).blocks) for layout in ALL] == [1, 1, 2]
    assert "first 1 % of the training windows" in make_table(runs, FEW).to_markdown()


def test_the_legend_explains_the_marks_that_occur_and_no_others() -> None:
    plain = short_term(runs_of([record()])).to_markdown()
    assert not set("†‡▼§✗—") & set(plain)
    full = short_term(runs_of(suite())).to_markdown().splitlines()[-1]
    assert [part.split()[0] for part in full.split("; ")] == ["†", "‡", "▼", "✗", "—"]


def test_many_models_run_down_the_page_and_few_run_across() -> None:
    few = table_rows(short_term(runs_of(suite(models=2))).to_markdown())
    many = table_rows(short_term(runs_of(suite(models=16))).to_markdown())
    assert list(few)[1:] == ["bikenyc", "taxibj †", "taxinyc"]
    assert many["**MAE**"] == list(few)[1:]
    assert len(many) == 1 + 20
    assert many["model_00"][0] == few["bikenyc"][few["**MAE**"].index("model_00")]


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_the_csv_has_the_numbers_at_full_precision(maes: list[float]) -> None:
    made = [record(seed=seed, mae=mae) for seed, mae in enumerate(maes)]
    text = short_term(runs_of(made)).to_csv()
    [row] = [row for row in csv.DictReader(io.StringIO(text)) if row["metric"] == "mae"]
    assert float(row["mean"]) == statistics.fmean(maes)
    assert int(row["n"]) == len(maes)
    assert row["std"] == "" if len(maes) == 1 else float(row["std"]) == pytest.approx(statistics.stdev(maes), abs=1e-9)


def test_the_csv_carries_the_flags() -> None:
    long = short_term(runs_of(suite())).long.query("metric == 'mae'")
    flags = {(row.dataset, row.model): row.flags for row in long.itertuples()}
    assert flags["taxibj", "last_value"] == "stand_in"
    assert flags["bikenyc", "stvfm"] == "random_weights;below_floor"
    assert flags["taxinyc", "convlstm"] == "failed"


def test_latex_escapes_names_and_sets_floors_apart() -> None:
    made = [*suite(), record(overrides={"a_b": "50%&$"})]
    latex = short_term(runs_of(made)).to_latex()
    assert r"stid (a\_b=50\%\&\$)" in latex
    assert r"\textit{last\_value} & \textit{window\_mean}" in latex
    assert r"rr@{\qquad}r" in latex
    assert r"\underline{1.51 $\pm$ 0.01}" in latex
    assert r"\textbf{1.25 (n=1)}" in latex
    assert not set("†‡▼§✗—±→") & set(latex)
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 2
    assert latex.count("{") == latex.count("}")


def test_latex_rules_off_the_floors_when_models_run_down_the_page() -> None:
    lines = short_term(runs_of(suite(models=16))).to_latex().splitlines()
    last = max(number for number, line in enumerate(lines[:25]) if r"\textit{" in line)
    assert lines[last + 1] == r"\midrule"
    assert lines[last + 2].startswith("convlstm")


def test_markdown_survives_a_variant_with_its_own_marks() -> None:
    rows = table_rows(short_term(runs_of([record(overrides={"x": "a|b*c\nd"})])).to_markdown())
    assert rows["**MAE**"] == [r"stid (x=a\|b\*c d)"]


def test_every_form_has_the_same_bytes_whatever_the_order_of_records() -> None:
    made = suite() + suite("quick", seeds=1)
    one = short_term(runs_of(made))
    runs = Runs(frame_from_records(made).sample(frac=1, random_state=0))
    other = short_term(runs)
    assert (one.to_markdown(), one.to_latex(), one.to_csv()) == (other.to_markdown(), other.to_latex(), other.to_csv())


# Files --------------------------------------------------------------------------------------------------------------


def test_tables_with_rows_are_written_and_then_checked(tmp_path: Path) -> None:
    runs = runs_of(suite())
    written = write_tables(runs, tmp_path / "tables", ALL)
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == sorted(path.name for path in written)
    assert [path.suffix for path in written] == [".md", ".tex", ".csv"]
    assert check_tables(runs, tmp_path / "tables", ALL) == []
    more = runs_of([*suite(), record(task="long")])
    changed = [path.name for path in check_tables(more, tmp_path / "tables", ALL)]
    assert changed == ["long_term.md", "long_term.tex", "long_term.csv"]
    assert [path.name for path in check_tables(runs_of(suite()[1:]), tmp_path / "tables", ALL)] != []


def test_a_table_that_lost_its_rows_does_not_stay_behind(tmp_path: Path) -> None:
    write_tables(runs_of([record(task="long"), record()]), tmp_path, ALL)
    write_tables(runs_of([record()]), tmp_path, ALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short_term.csv", "short_term.md", "short_term.tex"]


def test_one_table_can_be_written_alone(tmp_path: Path) -> None:
    runs = runs_of([record(task="long"), record()])
    assert [path.stem for path in write_tables(runs, tmp_path, [LONG])] == ["long_term"] * 3


def test_no_records_make_no_files(tmp_path: Path) -> None:
    assert write_tables(runs_of([]), tmp_path / "tables", ALL) == []
    assert check_tables(runs_of([]), tmp_path / "tables", ALL) == []
