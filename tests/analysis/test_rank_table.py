"""The table ``ranks`` on planted suites."""

from __future__ import annotations

from records import CODE, in_cities, record, runs_of, suite

from bench.analysis.tables.overviews import overviews
from bench.analysis.tables.ranks import make_ranks
from bench.analysis.tables.scores import check_tables, write_tables
from bench.runs.layout import Layout

SHORT = Layout(name="short_term", title="Short-term", tasks=("short",))


def ranked(records, **current):
    runs = runs_of(records, {("city0", name): code for name, code in current.items()})
    return make_ranks(runs, [SHORT])


def grid(table):
    """By model its cells."""
    lines = [line for line in table.to_markdown().splitlines() if line.startswith("| ")][2:]
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
    records[1]["scores"]["test"]["rmse"]["overall"] = None
    assert [cells[:2] for cells in grid(ranked(records)).values()] == [["1.00", "—"], ["2.00", "—"]]


def test_the_notes_say_what_was_tested_and_how_many_data_sets_a_claim_needs():
    text = ranked(in_cities()).to_markdown()
    assert "on 10 data sets: city0, city1" in text
    assert "Friedman's test that all are alike: p < 0.001" in text
    assert "critical difference of two average ranks at 0.05: 1.48" in text
    assert "With 6 pairs to compare, a claim needs 8 data sets at least, and all must agree; here are 10." in text
    few = ranked(in_cities(number=7)).to_markdown()
    assert "with 7 no p can fall below 0.05, whatever the truth" in few


def test_stand_ins_never_enter():
    extra = [record("city99", "good", mae=9.0, stand_in=True), record("city99", "poor", mae=1.0, stand_in=True)]
    table = ranked([*in_cities(), *extra])
    assert grid(table) == grid(ranked(in_cities()))
    assert "1 of 11 data sets (stand-ins)" in table.to_markdown()


def test_a_model_with_gaps_is_left_out_and_said_to_be():
    table = ranked([*in_cities(), record("city0", "new", mae=0.1), record("city1", "new", failed=True)])
    assert list(grid(table)) == ["good", "even", "level", "poor"]
    assert "Left out: new (current runs on 1 of 10 data sets)." in table.to_markdown()


def test_a_data_set_that_most_models_lack_is_left_out_and_said_to_be():
    table = ranked([*in_cities(), record("city99", "good", mae=9.0)])
    assert grid(table)["good"][0] == "1.00"
    assert "Left out: city99 (current runs of 1 of 4 models)." in table.to_markdown()


def test_stale_runs_do_not_count():
    table = ranked(in_cities(), good="f" * len(CODE))
    assert "city0 (current runs of 3 of 4 models)" in table.to_markdown()


def test_two_versions_of_a_data_set_count_once():
    again = [record("city0", name, mae=9.0, sha256="e" * 64) for name in ("good", "poor")]
    assert grid(ranked([*in_cities(), *again])) == grid(ranked(in_cities()))


def test_without_a_floor_there_is_no_skill():
    rows = grid(ranked([each for each in in_cities() if each["role"] == "model"]))
    assert [row[3] for row in rows.values()] == ["—"] * 4


def test_one_real_data_set_or_the_quick_profile_make_a_sentence_instead():
    one = ranked([*in_cities(number=1), *in_cities(number=3, stand_in=True)]).to_markdown()
    assert "No ranking: it takes 2 real data sets on which 2 models have current runs; there are 1 with 4." in one
    quick = ranked(in_cities(profile="quick")).to_markdown()
    assert "Quick profile: the budgets are small, so nothing is ranked." in quick
    assert "|" not in one + quick


def test_the_table_is_written_and_checked_by_name_in_all_its_forms(tmp_path):
    runs, (over,) = runs_of(in_cities()), overviews(["short_term", "ranks"], [SHORT])
    assert [path.name for path in write_tables(runs, tmp_path, [], [over])] == ["ranks.md", "ranks.tex", "ranks.csv"]
    assert check_tables(runs, tmp_path, [], [over]) == []
    other = check_tables(runs_of(in_cities(number=9)), tmp_path, [], [over])
    assert len(other) == 3
    assert "good,1.0,1.0,30,0,0,0.5,,,good,city0" in (tmp_path / "ranks.csv").read_text(encoding="utf-8")


def test_tables_that_compare_variants_are_no_source():
    versus = Layout(name="controls", title="Controls", tasks=("short",), references=("pre-trained",))
    assert make_ranks(runs_of(suite()), [versus]).blocks == ()


def test_floors_alone_make_a_sentence_and_no_error():
    text = ranked(in_cities(number=2, quality={})).to_markdown()
    assert "No ranking: it takes 2 real data sets on which 2 models have current runs; there are 2 with 0." in text
