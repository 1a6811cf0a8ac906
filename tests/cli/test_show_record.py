"""``show`` of a run: its scores and its audit, from its record alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from records import record
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import StoreError, UnknownNameError
from bench.records.command import command_of
from bench.records.mlflow_address import default_uri
from bench.records.record import dump
from bench.records.store import ResultStore
from bench.records.tracking import sync


def shown(*words: object) -> str:
    """What the command prints, on one line."""
    answer = CliRunner().invoke(app, ["show", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "300"})
    return " ".join(answer.output.split())


def test_a_run_is_shown_by_its_id_and_by_the_path_of_its_record(tmp_path: Path) -> None:
    made = record(mae=1.25)
    ResultStore(tmp_path).write(made)
    (path,) = tmp_path.rglob(f"{made.run_id}.json")
    by_id, by_path = shown(made.run_id, "--results", tmp_path), shown(path)
    assert by_id == by_path
    assert made.spec.data.sha256 in by_id
    assert "MAE 1.25" in by_id
    assert made.audit is not None
    assert made.audit.forecasts is not None
    assert f"largest difference {made.audit.forecasts.largest:.3g}, allowed" in by_id
    start, stop = made.audit.scaler_fitted_on
    assert f"scaler fitted on {start} to {stop}" in by_id


def test_a_failed_run_is_shown_with_its_reason(tmp_path: Path) -> None:
    made = record(failed=True)
    ResultStore(tmp_path).write(made)
    assert str(made.error) in shown(made.run_id, "--results", tmp_path)


def test_the_json_of_a_run_is_its_whole_record(tmp_path: Path) -> None:
    made = record()
    ResultStore(tmp_path).write(made)
    answer = CliRunner().invoke(app, ["show", made.run_id, "--results", str(tmp_path), "--json"])
    assert json.loads(answer.output) == json.loads(dump(made))


def test_an_audit_that_is_not_there_is_said(tmp_path: Path) -> None:
    made = record()
    assert made.audit is not None
    older = msgspec.structs.replace(made, audit=msgspec.structs.replace(made.audit, forecasts=None))
    ResultStore(tmp_path).write(older)
    assert "of the windows alone" in shown(made.run_id, "--results", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("0" * 16 + "." + "0" * 12, "holds no record of the run 0{16}.0{12}"), ("gone.json", "cannot be read")],
)
def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        shown(name, "--results", tmp_path)


def test_what_a_run_was_trained_on_before_is_said_and_that_it_saw_nothing_of_its_own(tmp_path: Path) -> None:
    made, change = record(), msgspec.structs.replace
    assert made.audit is not None
    sources = (replace(made.spec.data, name="taxinyc"), replace(made.spec.data, name="taxinyc2"))
    spec = change(made.spec, sources=sources)
    zero = change(
        made,
        spec=spec,
        run_id=f"{spec.spec_id}.{made.code}",
        counts=change(made.counts, train=0),
        audit=change(made.audit, scaler_fitted_on=(0, 0)),
    )
    ResultStore(tmp_path).write(zero)
    text = shown(zero.run_id, "--results", tmp_path)
    assert "trained before on │ taxinyc, taxinyc2" in text
    assert "scaler fitted on those of other data sets; train none, validation " in text


def test_a_run_is_shown_by_a_beginning_of_its_id_that_no_other_has(tmp_path: Path) -> None:
    first, second = record(seed=0), record(seed=1)
    for made in (first, second):
        ResultStore(tmp_path).write(made)
    alike = next(i for i in range(40) if first.run_id[i] != second.run_id[i])
    letters = next(i for i in range(max(alike + 1, 6), 40) if any(map(str.isdigit, first.run_id[:i])))
    assert shown(first.run_id[:letters], "--results", tmp_path) == shown(first.run_id, "--results", tmp_path)
    assert "validation 2100 to 2550" in shown(first.run_id, "--results", tmp_path)


def test_a_beginning_of_two_runs_names_them_and_one_of_none_lists_no_models(tmp_path: Path) -> None:
    ids = [f"04f1{number}95420d301bc.c9f3c6027833" for number in (0, 1)]
    for run_id in ids:
        path = tmp_path / "runs" / "bikenyc" / "stid" / f"{run_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    with pytest.raises(StoreError, match=r"2 runs of .* begin with 04f1, such as 04f10.* and 04f11"):
        shown("04f1", "--results", tmp_path)
    for text in ("04f2", "04f1995420d301bx.c9f3c6027833", "04f1995420d301bc.c9f3"):
        with pytest.raises(StoreError, match=f"holds no record of a run whose id begins with {text}") as caught:
            shown(text, "--results", tmp_path)
        assert "convlstm" not in str(caught.value)


def test_a_run_is_shown_with_the_command_that_makes_it_again(tmp_path: Path) -> None:
    made = record(seed=3)
    ResultStore(tmp_path).write(made)
    assert shown(made.run_id, "--results", tmp_path).endswith(f"make it again: {command_of(made)}")


def test_a_run_of_a_model_of_ones_own_is_shown_with_a_place_for_its_file_in_the_command(tmp_path: Path) -> None:
    made = record(model="mynet")
    ResultStore(tmp_path).write(made)
    a_class = "(a class has none: give it to bench.evaluate again, with the same settings)"
    wanted = f"make it again, where FILE is that of your own model or data set {a_class}: {command_of(made, own=True)}"
    assert shown(made.run_id, "--results", tmp_path).endswith(wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
def test_a_run_is_shown_from_mlflow_alone(results: Path, tmp_path: Path) -> None:
    made, uri = record(seed=3), default_uri(results)
    sync([record(seed=4), made], uri, results)
    assert f"run {made.run_id}" in shown(made.run_id, "--from", f"mlflow:{uri}")
    with pytest.raises(StoreError, match="has no finished run"):
        shown("0" * 16 + "." + "0" * 12, "--from", f"mlflow:{uri}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
def test_a_beginning_of_an_id_is_enough_in_mlflow_where_no_other_run_has_it(results: Path) -> None:
    made, uri = record(), default_uri(results)
    ids = [f"04f1{letter}95420d301bc0.c9f3c6027833" for letter in "12"]
    sync([msgspec.structs.replace(made, run_id=run_id) for run_id in ids], uri, results)
    assert f"run {ids[1]}" in shown("04f12", "--from", f"mlflow:{uri}")
    with pytest.raises(StoreError, match=f"2 runs of MLflow at .* begin with 04f1, such as {ids[0]} and {ids[1]}"):
        shown("04f1", "--from", f"mlflow:{uri}")
    with pytest.raises(StoreError, match="has no finished run whose id begins with 04f3"):
        shown("04f3", "--from", f"mlflow:{uri}")


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("b60", "of a run's id at least 4 characters, one of them a digit, are wanted"),
        ("short_term", "'short_term' is a suite: 'stbench run --suite short_term --dry-run' shows its plan"),
    ],
)
def test_what_is_no_name_is_answered_with_what_it_may_have_meant(name: str, note: str) -> None:
    with pytest.raises(UnknownNameError, match=note):
        shown(name)
