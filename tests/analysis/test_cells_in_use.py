"""Differences without idle cells: told beside the declared ones, of the sums of each window, without a verdict."""

from __future__ import annotations

import csv
import io

import pytest
from msgspec import structs
from records import record, results_of, with_idle_cells
from variants import variant

from bench.analysis.contradictions import contradiction
from bench.analysis.formats.files import table_files
from bench.analysis.table import MINUS


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
    assert reference.value == "1.08 / — / 20.0"  # 1.01 x 0.8 / 0.75
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
    assert table.notes[1].startswith("No verdict is drawn from these: MAE over all cells was declared.")


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
    (values,) = csv.DictReader(io.StringIO(text))
    assert float(values["percent"]) == pytest.approx(100 * (0.91 / (1.01 * 0.8) - 1), rel=1e-5)
    assert ",worse," in files["controls_differences.csv"].decode()
    assert values["verdict"] == ""
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
