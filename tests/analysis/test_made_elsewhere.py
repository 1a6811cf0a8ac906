"""Forecasts made elsewhere beside runs: marked wherever they stand, never ranked, and nothing is claimed of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from records import in_cities, record, results_of, suite

from bench.analysis.formats.latex import latex
from bench.analysis.leaderboard import leaderboard
from bench.analysis.report.audits import audits, findings
from bench.analysis.report.facts import models
from bench.analysis.reproduction import reproduction
from bench.analysis.standings import standing
from bench.errors import StoreError
from bench.records.frame import to_frame
from bench.records.mlflow_address import default_uri
from bench.records.mlflow_store import EXPERIMENT
from bench.records.record import dump, parse
from bench.records.tracking import records_from, sync
from bench.records.upgrade import upgraded
from bench.runs.estimate import paces_from_records
from bench.runs.suite import load_suite

SHORT = load_suite("short_term")


def elsewhere(**choices: Any) -> Any:
    return record(**{"model": "mine", "mae": 0.5, "external": True} | choices)


@pytest.fixture
def results():
    return results_of([*suite(), elsewhere(), elsewhere(dataset="taxibj", synthetic=True)])


def test_tables_mark_them_and_explain_the_mark_and_rank_the_others(results):
    file = results.table("short_term")
    (table, *_) = file.tables
    names = [header.text for header in (*table.rows, *table.columns)]
    assert "mine ★" in names
    text = str(file)
    assert "★ forecasts made elsewhere: scored here, not audited, not ranked" in text
    cells = dict(zip([header.name for header in table.columns], table.cells[0], strict=True))
    assert (cells["mine"].value, cells["mine"].rank) == ("0.500 (n=1)", "")
    assert cells["model_00"].rank == "best"
    assert r"mine $^{\star}$" in latex("short_term", file)


def test_the_csv_says_so_too(results):
    frames = (results.table(name).csv[""] for name in ("short_term", "per_horizon"))
    scores, steps = frames
    assert set(scores[scores.method == "mine"]["flags"]) == {"external", "synthetic;external"}
    assert set(steps[steps.external]["method"]) == {"mine"}
    frame = to_frame(results.records)
    assert set(frame[frame.external]["model"]) == {"mine"}
    assert frame[frame.external]["wall_s"].isna().all()


def test_they_stand_beside_every_group_of_their_task_as_naive_baselines_do():
    both = [record(model="stid", profile=profile) for profile in ("paper", "laptop")]
    groups = results_of([*both, elsewhere()]).groups(SHORT)
    assert len(groups) == 2
    for group in groups.values():
        assert {method.name for method in group.methods} == {"stid", "mine"}
    (alone,) = results_of([elsewhere()]).groups(SHORT).values()
    assert [method.name for method in alone.methods] == ["mine"]


def test_they_are_not_beside_runs_of_other_windows():
    made = [record(model="stid", profile="quick", scored=13), elsewhere()]
    assert [len(group.methods) for group in results_of(made).groups(SHORT).values()] == [1, 1]


def test_no_ranking_and_no_claim_takes_them_in():
    cities = in_cities()
    external = [elsewhere(dataset=f"city{city}", mae=0.1) for city in range(10)]
    (group,) = results_of([*cities, *external]).groups(SHORT).values()
    (without,) = results_of(cities).groups(SHORT).values()
    ranked = standing(group)
    assert ranked.scores.equals(standing(without).scores)
    assert ranked.left_out == ("mine (made elsewhere)",)


def test_a_leaderboard_shows_them_marked_and_without_seconds():
    (group,) = results_of([record(model="last_value", mae=2.0), elsewhere()]).groups(SHORT).values()
    board = leaderboard(group)
    assert [header.text for header in board.rows] == ["mine ★", "last_value"]
    assert [cell.value for cell in board.cells[0]] == ["0.500", "75.0", "—"]


def test_a_leaderboard_gives_them_no_rank_and_the_others_those_that_they_have_without_them():
    cities = in_cities(4, {"good": 1.0, "poor": 2.5})
    external = [elsewhere(dataset=f"city{city}", mae=0.1) for city in range(4)]
    boards = [leaderboard(results_of(made).groups(SHORT).popitem()[1]) for made in (cities, [*cities, *external])]
    without, beside = (
        {header.text: cells[0].value for header, cells in zip(board.rows, board.cells, strict=True)} for board in boards
    )
    assert beside == {**without, "mine ★": "—"}
    assert list(beside)[-1] == "mine ★"


def test_suites_of_variants_take_no_forecasts_for_a_run_of_theirs():
    (name,) = {variant.model for variant in load_suite("controls").variants}
    assert results_of([elsewhere(model=name)]).groups(load_suite("controls")) == {}


def test_a_name_that_a_model_has_too_is_told_apart():
    (group,) = results_of([record(model="mine"), elsewhere()]).groups(SHORT).values()
    board = leaderboard(group)
    assert {header.text for header in board.rows} == {"mine", "mine (made elsewhere) ★"}


def test_they_cost_nothing_and_no_pace_follows_from_them(results):
    assert all("mine" not in str(table.rows) for table in results.table("efficiency").tables)
    assert paces_from_records([elsewhere()], "cpu") == {}


def test_the_report_counts_them_and_no_audit_is_theirs(results):
    sentence = "2 of the records are of forecasts that were made elsewhere: their model never ran here"
    assert any(sentence in finding for finding in findings(results.runs))
    assert all("mine" not in header.name for header in audits(results.runs).rows)
    (row,) = [header for header in models(results.runs).rows if header.name == "mine"]
    assert row.flags == ("external",)
    (only,) = [found for found in findings(results_of([elsewhere()]).runs) if "made elsewhere" in found]
    assert only.startswith("1 of the records is of forecasts")


def test_no_command_reproduces_them():
    assert "mine" not in "".join(suite.text for suite in reproduction([record(), elsewhere()]))


def test_a_record_of_them_has_neither_cost_nor_audit_and_that_of_a_run_has_both():
    made = elsewhere()
    assert parse(dump(made), "here") == made
    assert upgraded(dump(made)) is None
    for wrong, what in ((record(), {"audit": None}), (record(), {"cost": None}), (made, {"audit": record().audit})):
        with pytest.raises(ValueError, match=r"\$\.(audit|cost)"):
            msgspec.structs.replace(wrong, **what).__post_init__()
    text = dump(record()).replace(b'"cost": {', b'"cost": null, "other": {')
    with pytest.raises(StoreError):
        parse(text, "here")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
def test_mlflow_carries_them_with_a_tag(tmp_path):
    from mlflow import MlflowClient

    uri, made = default_uri(tmp_path), elsewhere()
    assert sync([made], uri, tmp_path) == (1, 0)
    assert records_from(uri) == [made]
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.data.tags["stbench.external"] == "true"
    assert run.data.metrics["test_mae"] == 0.5
