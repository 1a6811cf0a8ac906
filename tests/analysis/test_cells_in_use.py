"""Differences without idle cells: told beside the declared ones, of the sums of each window, without a verdict."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from msgspec import structs
from records import WINDOWS, record, results_of, with_idle_cells
from typer.testing import CliRunner
from variants import variant

from bench.analysis.contradictions import contradiction
from bench.analysis.formats.files import table_files, write_files
from bench.analysis.table import MINUS
from bench.cli.app import app
from bench.records.arrays import stored, values_of
from bench.records.store import ResultStore

FIRST = (np.arange(WINDOWS) == 0).astype(float)  # all of it in one window


def made(weights, errors, *, share, idle=1, seeds=3, dataset="bikenyc"):
    runs = [
        variant(mae + seed / 100, weights=weights, seed=seed, profile="reference", dataset=dataset)
        for seed, mae in enumerate([errors] * seeds)
    ]
    return [with_idle_cells(run, idle=idle, share=share) for run in runs]


def table_of(records, suite="controls"):
    tables = [table for table in results_of(records).table(suite).tables if table.key == "in-use"]
    return tables[0] if tables else None


def rows(table):
    """Their names, without the mark of unknown weights that the reference has here."""
    return [row.text.removesuffix(" ¶") for row in table.rows]


def test_a_difference_may_be_turned_round_by_idle_cells():
    table = table_of([*made("pretrained", 1.0, share=0.2), *made("random", 0.9, share=0.0)])
    assert rows(table) == ["pre-trained, frozen", "random, frozen ‡"]
    (reference,), (random,) = table.cells
    assert reference.value == "1.08 / reference / 20.0"  # 1.01 x 0.8 / 0.75
    mae, difference, idle = random.value.split(" / ")
    assert (mae, idle) == ("1.21", "0.0")  # 0.91 / 0.75
    percent, _, interval = difference.partition(" ")
    assert percent == "+12.6"  # 0.91 / (1.01 x 0.8), where over all cells it is 10 % less
    assert interval.startswith("[+")
    assert "**" not in random.value
    assert random.rank == ""


def test_it_says_how_many_cells_are_idle_and_that_no_verdict_is_drawn():
    table = table_of([*made("pretrained", 1.0, share=0.2, idle=2), *made("random", 0.9, share=0.1, idle=2)])
    assert table.heading.startswith("Without idle cells. Does the pre-trained vision model matter? Difference from")
    assert table.notes[-1] == "Idle of the cells that count: bikenyc 50 %."
    assert table.notes[1].startswith("No verdict is drawn from these: MAE over all cells was declared, and the rule")


def test_each_data_set_has_its_own_share_of_idle_cells_and_its_own_decimals():
    runs = [
        with_idle_cells(
            variant(mae, weights=weights, seed=seed, profile="reference", dataset=dataset), idle=idle, share=0.5
        )
        for dataset, idle, mae in (("bikenyc", 1, 1.5), ("taxinyc", 2, 0.015))
        for weights in ("pretrained", "random")
        for seed in range(3)
    ]
    table = table_of(runs)
    assert table.notes[-1] == "Idle of the cells that count: bikenyc 25 %, taxinyc 50 %."
    assert [cell.value.split(" / ")[0] for cell in table.cells[0]] == ["1.00", "0.0150"]


def test_means_are_over_all_runs():
    shares = (0.0, 0.1, 0.5)
    random = [
        with_idle_cells(variant(1.0, weights="random", seed=seed, profile="reference"), share=share)
        for seed, share in enumerate(shares)
    ]
    table = table_of([*made("pretrained", 1.0, share=0.2), *random])
    mae, _, idle = table.cells[1][0].value.split(" / ")
    assert (mae, idle) == ("1.07", "20.0")  # 0.8 / 0.75


def test_errors_in_use_are_never_below_nothing():
    """Sums are kept as float32: what is left of a window without its idle cells may be a little below 0."""
    runs = made("random", 0.9, share=1.0)
    low = [
        structs.replace(run.windows.cells, idle_absolute=stored(1.0001 * values_of(run.windows.absolute)))
        for run in runs
    ]
    changed = [
        structs.replace(run, windows=structs.replace(run.windows, cells=cells))
        for run, cells in zip(runs, low, strict=True)
    ]
    table = table_of([*made("pretrained", 1.0, share=0.2), *changed])
    assert f"/ {MINUS}100.0" in table.cells[1][0].value


@pytest.mark.parametrize("idle", [0, 4])
def test_a_data_set_without_idle_cells_or_without_others_has_none_of_it(idle):
    def runs(weights):
        return made(weights, 1.0, share=0.0 if idle == 0 else 0.999, idle=idle) if idle < 4 else all_idle(weights)

    assert table_of([*runs("pretrained"), *runs("random")]) is None


def all_idle(weights):
    runs = made(weights, 1.0, share=0.5)
    cells = [structs.replace(run.windows.cells, idle=b"\0\0\x80?" * 4) for run in runs]
    return [
        structs.replace(run, windows=structs.replace(run.windows, cells=known))
        for run, known in zip(runs, cells, strict=True)
    ]


def test_a_row_with_a_run_from_before_is_not_told_of():
    old = [
        structs.replace(run, windows=structs.replace(run.windows, cells=None)) for run in made("random", 0.9, share=0)
    ]
    new = made("random", 0.9, share=0.0)
    reference = made("pretrained", 1.0, share=0.2)
    assert table_of([*reference, *old]) is None  # nothing is left to compare
    block = [
        with_idle_cells(variant(0.8, "attention", weights="none", seed=seed, profile="reference"), share=0.1)
        for seed in range(3)
    ]
    for others in (old, [*new[:2], old[2]]):
        table = table_of([*reference, *block, *others])
        assert rows(table) == ["pre-trained, frozen", "one trained block"]
    assert table_of([*old_reference(reference), *new, *block]) is None


def old_reference(runs):
    return [structs.replace(run, windows=structs.replace(run.windows, cells=None)) for run in runs]


def test_a_row_that_one_data_set_does_not_keep_says_so():
    shared = {"share": 0.1, "dataset": "taxinyc"}
    old = [
        structs.replace(run, windows=structs.replace(run.windows, cells=None)) for run in made("random", 0.9, share=0)
    ]
    table = table_of(
        [
            *made("pretrained", 1.0, share=0.2),
            *old,
            *made("pretrained", 1.0, **shared),
            *made("random", 0.9, **shared),
            *[
                with_idle_cells(variant(0.8, "attention", weights="none", seed=seed, profile="reference"), share=0.1)
                for seed in range(3)
            ],
        ]
    )
    values = {name: [cell.text for cell in cells] for name, cells in zip(rows(table), table.cells, strict=True)}
    assert values["random, frozen ‡"][0] == "not kept"
    assert values["one trained block"][1] == "—"


def test_naive_baselines_stand_beside_variants_without_a_difference():
    naive = with_idle_cells(record("bikenyc", "last_value", mae=3.0, profile="reference"), share=0.0)
    table = table_of([naive, *made("pretrained", 1.0, share=0.2), *made("random", 0.9, share=0.0)])
    assert table.cells[0][0].value == "4.00 / — / 0.0"


def test_one_run_of_each_has_a_difference_without_an_interval():
    table = table_of([*made("pretrained", 1.0, share=0.2, seeds=1), *made("random", 0.9, share=0.0, seeds=1)])
    assert table.cells[1][0].value == "1.20 / +12.5 / 0.0"


def test_all_numbers_are_in_a_file_of_their_own_without_a_verdict():
    runs = [*made("pretrained", 1.0, share=0.2), *made("random", 0.9, share=0.0)]
    files = table_files(results_of(runs), ["controls"])
    text = files["controls_in_use.csv"].decode()
    reference, values = csv.DictReader(io.StringIO(text))
    assert float(values["percent"]) == pytest.approx(100 * (0.91 / (1.01 * 0.8) - 1), rel=1e-5)
    assert ",worse," in files["controls_differences.csv"].decode()
    assert float(values["low"]) < float(values["percent"]) < float(values["high"])
    assert (float(values["mae_in_use"]), float(values["idle_error"])) == (pytest.approx(0.91 / 0.75), 0)
    assert (reference["percent"], reference["idle_share"], float(reference["idle_error"])) == (
        "",
        "0.25",
        pytest.approx(0.2),
    )
    assert not {"verdict", "p", "holm", "p_equivalent", "holm_equivalent", "detectable"} & values.keys()
    plain = [structs.replace(run, windows=structs.replace(run.windows, cells=None)) for run in runs]
    assert table_files(results_of(plain), ["controls"])["controls_in_use.csv"] is None


def test_declared_differences_do_not_change():
    runs = [*made("pretrained", 1.0, share=0.2), *made("random", 0.9, share=0.0)]
    plain = [structs.replace(run, windows=structs.replace(run.windows, cells=None)) for run in runs]
    name = "controls_differences.csv"
    assert table_files(results_of(runs), ["controls"])[name] == table_files(results_of(plain), ["controls"])[name]
    assert MINUS + "9.9" in table_files(results_of(runs), ["controls"])["controls.md"].decode()


def test_a_record_whose_cells_tell_something_else_contradicts_itself():
    run = with_idle_cells(record(mae=2.0), share=0.25)
    assert contradiction(run) == ""
    cells = run.windows.cells
    swapped = structs.replace(cells, absolute=cells.square)
    other = structs.replace(run, windows=structs.replace(run.windows, cells=swapped))
    assert contradiction(other).startswith("its MAE on test is 2, by the errors of its cells ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"square": lambda cells: stored(4 * values_of(cells.square))}, "its RMSE on test is"),
        ({"count": lambda cells: stored(2 * values_of(cells.count))}, "its number of values on test is"),
        (
            {"idle_absolute": lambda cells: stored(4 * values_of(cells.idle_absolute))},
            "the absolute errors of its idle",
        ),
        (
            {"idle_absolute": lambda cells: stored(0 * values_of(cells.idle_absolute))},
            "the absolute errors of its idle",
        ),
        ({"idle": lambda cells: stored(1 - values_of(cells.idle))}, "the absolute errors of its idle"),
        (
            {"idle_absolute": lambda cells: stored(values_of(cells.idle_absolute).sum() * FIRST)},
            "its idle cells have more error in a window than all cells together",
        ),
    ],
)
def test_whatever_of_its_cells_was_edited_contradicts_the_rest(change, told):
    run = with_idle_cells(record(mae=2.0), share=0.25)
    cells = structs.replace(run.windows.cells, **{name: made(run.windows.cells) for name, made in change.items()})
    edited = structs.replace(run, windows=structs.replace(run.windows, cells=cells))
    assert contradiction(edited).startswith(told)


def test_a_check_of_tables_names_the_table_and_not_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.analysis.known_code.known_codes", lambda _: {})
    runs = [*made("pretrained", 1.0, share=0.2), *made("random", 0.9, share=0.0)]
    for run in runs:
        ResultStore(tmp_path).write(run)
    write_files(tmp_path / "tables", table_files(results_of(runs), ["controls"]))
    assert (tmp_path / "tables" / "controls_in_use.csv").is_file()
    done = CliRunner().invoke(
        app, ["tables", "controls", "--check", "--results", str(tmp_path)], env={"COLUMNS": "200"}
    )
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert "controls_in_use" not in told
    assert "controls" in told
