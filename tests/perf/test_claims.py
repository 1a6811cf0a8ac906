"""Rates of claims, on simulated methods and on the records of a folder; the command prints larger ones."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from records import WINDOWS, record
from typer.testing import CliRunner

from bench.perf import claims
from bench.records.arrays import values_of
from bench.records.store import ResultStore

LASTING = [(days, halved, source) for days in (9, 27) for halved in (0, 48) for source in ("time", "all")]


def rates(draw, seeds=3, draws=150):
    return claims.rates(draw(seeds, draws), 24, planted=2.0, margin=1.0)


@pytest.mark.parametrize(("days", "halved", "source"), LASTING)
def test_equal_methods_are_seldom_told_apart_however_long_noise_lasts(days, halved, source):
    made = rates(claims.simulated(days, 24, halved, claims.SOURCES[source]))
    assert made.single <= 0.1  # 5 % is exceeded by this much once in a thousand times, with so few draws
    assert made.family <= 0.1


@pytest.mark.parametrize("seeds", claims.SIZES)
def test_seeds_that_differ_throughout_are_not_taken_for_methods(seeds):
    made = rates(claims.simulated(9, 24, 0, claims.SOURCES["seeds"]), seeds, draws=300)
    assert made.single <= 0.085
    assert made.family <= 0.085


def test_six_seeds_find_a_planted_difference_that_three_do_not():
    draw = claims.simulated(27, 24, 0, claims.SOURCES["seeds"])
    three, six = rates(draw, 3), rates(draw, 6)
    assert three.found_of_five < 0.6
    assert six.found_of_five > 0.8
    assert three.detectable > six.detectable
    assert six.equivalent > 0.8 > three.equivalent


def test_a_method_is_made_of_disjoint_runs_where_there_are_enough():
    runs = np.arange(36.0)[:, None] * np.ones((1, 5))
    (drawn,) = claims.resampled(runs)(6, 1)
    assert drawn.shape == (6, 6, 5)
    assert sorted(drawn[:, :, 0].ravel()) == list(range(36))


@pytest.mark.parametrize(("number", "seeds", "ways"), [(6, 3, 20), (9, 3, 1680), (12, 6, 924)])
def test_too_few_runs_for_six_methods_make_a_pair_in_every_way_and_no_way_twice(number, seeds, ways):
    runs = np.arange(float(number))[:, None] * np.ones((1, 5))
    drawn = [errors[:, :, 0] for errors in claims.resampled(runs)(seeds, 1)]
    assert {errors.shape for errors in drawn} == {(2, seeds)}
    assert all(len({*errors.ravel()}) == 2 * seeds for errors in drawn)
    assert len(drawn) == len({tuple(frozenset(method) for method in errors) for errors in drawn}) == ways


def test_where_the_ways_are_many_so_many_are_drawn_as_are_wanted(monkeypatch):
    monkeypatch.setattr(claims, "MOST_WAYS", 1679)
    drawn = list(claims.resampled(np.arange(9.0)[:, None])(3, 40))
    assert len(drawn) == 40
    assert all(len({*errors.ravel()}) == 6 for errors in drawn)


def test_nothing_is_said_of_five_comparisons_where_methods_would_share_runs():
    errors = 100 + np.random.default_rng(0).normal(size=(18, 240))
    few, enough = (rates(claims.resampled(errors[:number]), draws=3) for number in (6, 18))
    assert np.isnan([few.family, few.found_of_five]).all()
    assert not np.isnan([few.single, few.found, enough.family, enough.found_of_five]).any()


@pytest.mark.parametrize(("halved", "kept"), [(0, 0.0), (6, 0.5 ** (1 / 6))])
def test_simulated_noise_is_stationary_and_fades_as_said(halved, kept):
    noise = claims._noise(np.random.default_rng(1), (4000, 30), 24, halved)
    assert noise[:, [0, -1]].var(axis=0) == pytest.approx([1, 1], abs=0.1)
    assert np.mean(noise[:, 1:] * noise[:, :-1]) == pytest.approx(kept, abs=0.02)


def test_the_command_reads_the_seeds_of_each_model_and_no_others(tmp_path):
    store = ResultStore(tmp_path)
    made = [record(seed=seed, mae=1 + seed / 500) for seed in range(6)]
    others = [record(model="last_value"), record(model="convlstm", seed=0), record(tuned=True, mae=9.0)]
    for each in [*made, *others]:
        store.write(each)
    ((name, errors, per_day),) = claims.runs_of(tmp_path)
    assert (name, per_day) == ("stid on bikenyc", 24)
    assert errors.sum() == pytest.approx(sum(values_of(each.windows.absolute).sum() for each in made))


def test_scenes_with_a_window_each_have_one_window_a_day(tmp_path):
    store = ResultStore(tmp_path)
    for seed in range(6):
        made = record(seed=seed)
        origins = [(24 * day, 24 * day + 1) for day in range(WINDOWS)]
        store.write(replace(made, windows=replace(made.windows, origins=origins)))
    ((_, _, per_day),) = claims.runs_of(tmp_path)
    assert per_day == 1


def test_the_command_prints_a_row_for_each_number_of_seeds(tmp_path):
    import typer

    store = ResultStore(tmp_path)
    for seed in range(6):
        store.write(record(seed=seed, mae=1 + seed / 5000))
    app = typer.Typer()
    app.command()(claims.main)
    result = CliRunner().invoke(app, [str(tmp_path), "--draws", "5"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[1].split() == ["seeds", "A/A", "any", "equal", "A/B", "any", "smallest", "runs"]
    assert [line.split()[0] for line in lines[2:]] == ["3"]
    assert lines[2].split()[2] == lines[2].split()[5] == "—"
    assert lines[2].endswith("stid on bikenyc, 6 runs, spread 0.04 %")


def test_a_folder_without_enough_seeds_is_told_why_there_is_no_row(tmp_path):
    import typer

    for seed in range(5):
        ResultStore(tmp_path).write(record(seed=seed))
    app = typer.Typer()
    app.command()(claims.main)
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert f"no row: {tmp_path} has no trained model with 6 finished runs of the same settings" in result.output
