"""The table ``ranks`` on planted suites."""

from __future__ import annotations

from msgspec.structs import replace
from records import CODE, in_cities, record, results_of, suite

from bench.analysis.formats.files import differences, table_files, write_files
from bench.analysis.formats.markdown import markdown
from bench.runs.suite import load_suites

SHORT, CONTROLS = load_suites(["short_term", "controls"])


def results(records, suites=(SHORT,), **current):
    return results_of(records, {("city0", name): code for name, code in current.items()}, suites)


def ranked(records, **current):
    return markdown(results(records, **current).table("ranks"))


def grid(text):
    """By model its cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return {
        cells[0]: cells[1:] for cells in ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    }


def test_planted_winners_ties_and_skill_stand_in_the_table():
    assert grid(ranked(in_cities())) == {
        "good": ["1.00", "1.00", "30 / 0 / 0", "50.0", "first"],
        "even": ["2.50", "2.50", "10 / 10 / 10", "40.0", "0.012"],
        "level": ["2.50", "2.50", "10 / 10 / 10", "40.0", "0.012"],
        "poor": ["4.00", "4.00", "0 / 0 / 30", "25.0", "0.012"],
    }


def test_the_rank_by_rmse_stands_beside_and_the_claim_stays_by_mae():
    records = [
        record(f"city{city}", name, mae=1 + mae, rmse=9 - mae) for city in range(3) for mae, name in enumerate("ab")
    ]
    assert {name: cells[:3] for name, cells in grid(ranked(records)).items()} == {
        "a": ["1.00", "2.00", "3 / 0 / 0"],
        "b": ["2.00", "1.00", "0 / 0 / 3"],
    }


def test_where_an_rmse_is_missing_nobody_is_ranked_by_it():
    records = [record(f"city{city}", name, mae=1 + mae) for city in range(3) for mae, name in enumerate("ab")]
    scores = records[1].scores["test"]
    unknown = replace(scores["rmse"], overall=None)
    records[1] = replace(records[1], scores={**records[1].scores, "test": {**scores, "rmse": unknown}})
    assert [cells[:2] for cells in grid(ranked(records)).values()] == [["1.00", "—"], ["2.00", "—"]]


def test_the_notes_say_what_was_tested_and_how_many_data_sets_a_claim_needs():
    text = ranked(in_cities())
    assert "on 10 data sets: city0, city1" in text
    assert "Friedman's test that all are alike: p < 0.001" in text
    assert "critical difference of two average ranks at 0.05: 1.48" in text
    assert "With 6 pairs to compare, a claim needs 8 data sets at least, and all must agree; here are 10." in text
    two = ranked(in_cities(quality={"good": 1.0, "poor": 2.0}))
    assert "With 1 pair to compare, a claim needs 6 data sets at least, and all must agree; here are 10." in two
    few = ranked(in_cities(number=7))
    assert "with 7 no p can fall below 0.05, whatever the truth" in few


def test_synthetic_data_sets_never_enter():
    extra = [record("city99", "good", mae=9.0, synthetic=True), record("city99", "poor", mae=1.0, synthetic=True)]
    text = ranked([*in_cities(), *extra])
    assert grid(text) == grid(ranked(in_cities()))
    assert "1 of 11 data sets (synthetic)" in text


def test_a_model_with_gaps_is_left_out_and_said_to_be():
    text = ranked([*in_cities(), record("city0", "new", mae=0.1), record("city1", "new", failed=True)])
    assert list(grid(text)) == ["good", "even", "level", "poor"]
    assert "Left out: new (current runs on 1 of 10 data sets)." in text


def test_a_data_set_that_most_models_lack_is_left_out_and_said_to_be():
    text = ranked([*in_cities(), record("city99", "good", mae=9.0)])
    assert grid(text)["good"][0] == "1.00"
    assert "Left out: city99 (current runs of 1 of 4 models)." in text


def test_stale_runs_do_not_count():
    assert "city0 (current runs of 3 of 4 models)" in ranked(in_cities(), good="f" * len(CODE))


def test_two_versions_of_a_data_set_count_once():
    again = [record("city0", name, mae=9.0, sha256="e" * 64) for name in ("good", "poor")]
    assert grid(ranked([*in_cities(), *again])) == grid(ranked(in_cities()))


def test_without_a_naive_baseline_there_is_no_skill():
    rows = grid(ranked([run for run in in_cities() if not run.naive]))
    assert [row[3] for row in rows.values()] == ["—"] * 4


def test_one_real_data_set_or_the_quick_profile_make_a_sentence_instead():
    one = ranked([*in_cities(number=1), *in_cities(number=3, synthetic=True)])
    assert "No ranking: it takes 2 real data sets on which 2 models have current runs; there is 1 with 4." in one
    quick = ranked(in_cities(profile="quick"))
    assert "Quick profile: the budgets are small, so nothing is ranked." in quick
    assert "|" not in one + quick


def test_the_table_is_written_and_checked_by_name_in_all_its_forms(tmp_path):
    files = table_files(results(in_cities()), ["ranks"])
    assert [path.name for path in write_files(tmp_path, files)] == ["ranks.md", "ranks.tex", "ranks.csv"]
    assert differences(tmp_path, files) == {}
    assert len(differences(tmp_path, table_files(results(in_cities(number=9)), ["ranks"]))) == 3
    assert "good,1.0,1.0,30,0,0,0.5,,,good,city0" in (tmp_path / "ranks.csv").read_text(encoding="utf-8")


def test_tables_that_compare_variants_are_no_source():
    assert results(suite(), suites=[CONTROLS]).table("ranks").tables == ()


def test_naive_baselines_alone_make_a_sentence_and_no_error():
    text = ranked(in_cities(number=2, quality={}))
    assert "No ranking: it takes 2 real data sets on which 2 models have current runs; there are 2 with 0." in text
