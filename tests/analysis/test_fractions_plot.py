"""The figure of error against fraction: which groups make a curve, its points and its intervals."""

from __future__ import annotations

import math

import pytest
from figures import caption, names
from records import record, results_of
from scipy import stats

from bench.analysis.figures._files import figures_of
from bench.analysis.stats.intervals import seed_interval
from bench.runs.suite import Suite

TASKS = ("few1", "few10", "short")
SUITE = Suite(name="mine", title="Mine", tasks=TASKS, protocol="strict", datasets=("bikenyc",))


def plot(records, suite=SUITE):
    return figures_of(results_of(records, suites=[suite]), "fractions")


def curve(model="stid", maes=((5.0, 6.0), (3.0, 4.0), (2.0, 2.5)), tasks=TASKS, **facts):
    return [
        record(model=model, task=task, seed=seed, mae=mae, **facts)
        for task, seeds in zip(tasks, maes, strict=True)
        for seed, mae in enumerate(seeds)
    ]


def lines(axis):
    return [line.get_xydata().tolist() for line in axis.lines if len(line.get_xdata())]


def test_the_error_stands_against_the_share_of_windows_with_an_interval_over_seeds_at_each():
    (figure,) = plot(curve())
    (axis,) = figure.axes
    line, *bars = lines(axis)
    assert line == [[1, 5.5], [10, 3.5], [100, 2.25]]
    reach = stats.t.ppf(0.975, 1) * 0.5  # two seeds that are 1 apart
    assert bars[0] == [[1, pytest.approx(5.5 - reach)], [1, pytest.approx(5.5 + reach)]]
    assert [bar[0][0] for bar in bars] == [1, 10, 100]
    assert axis.get_xscale() == "log"
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "10", "100"]


def test_a_single_seed_has_a_point_and_no_interval():
    (figure,) = plot(curve(maes=((5.0,), (3.0,), (2.0,))))
    assert lines(figure.axes[0]) == [[[1, 5.0], [10, 3.0], [100, 2.0]]]


def test_wide_intervals_do_not_flatten_the_curves():
    (figure,) = plot(curve(maes=((1.0, 100.0), (3.0, 4.0), (2.0, 2.5))))
    low, high = figure.axes[0].get_ylim()
    assert low >= 0
    assert high < 70


def test_a_panel_reaches_as_far_as_the_methods_in_colour():
    good = [run for number in range(8) for run in curve(f"model_{number}", ((6.0 + number,), (4.0,), (3.0,)))]
    (figure,) = plot([*good, *curve("far", ((900.0,), (800.0,), (700.0,)))])
    assert figure.axes[0].get_ylim() == (3.0 - 0.25 * 7, 10.0 + 0.25 * 7)  # five in colour: from 3 to 10
    assert "others may lie outside" in caption(figure)


def test_a_panel_in_which_a_naive_baseline_alone_is_in_colour_shows_the_models_too():
    cities = ("bikenyc", "bikenyc2", "taxinyc")
    suite = Suite(name="mine", title="Mine", tasks=TASKS, protocol="strict", datasets=cities)
    many = [
        run
        for city in cities[:2]
        for number in range(8)
        for run in curve(f"model_{number}", ((6.0 + number,), (4.0,), (3.0,)), dataset=city)
    ]
    level = [run for city in cities for run in curve("last_value", ((10.0,),) * 3, dataset=city)]
    (figure,) = plot([*many, *level, *curve("late", ((50.0,), (40.0,), (30.0,)), dataset="taxinyc")], suite)
    assert "late" not in names(figure)
    assert figure.axes[2].get_title() == "taxinyc"
    assert figure.axes[2].get_ylim() == (0, 60.0)
    (figure,) = plot(curve("last_value", ((10.0,),) * 3))
    assert figure.axes[0].get_ylim() == (7.5, 12.5)


def test_points_of_one_share_are_seen_in_grey_too_and_three_of_them_are_no_curve():
    good = [run for number in range(9) for run in curve(f"model_{number}", ((6.0 + number,), (4.0,), (3.0,)))]
    (figure,) = plot([*good, record(model="alone", mae=3.5)])
    (point,) = (line for line in figure.axes[0].lines if len(line.get_xdata()) == 1)
    assert point.get_marker() == "."
    assert plot([record(model=f"model_{task}", task=task) for task in TASKS]) == []


def test_random_weights_and_synthetic_data_are_marked():
    (figure,) = plot(curve(model="stvfm", weights="random", synthetic=True) + curve(synthetic=True))
    assert figure.axes[0].get_title() == "bikenyc †"
    assert names(figure) == ["stid", "stvfm ‡"]
    assert "synthetic data" in caption(figure)


def test_two_fractions_make_no_curve():
    assert plot(curve()[:4]) == []


BOTH = Suite(name="mine", title="Mine", tasks=TASKS, protocol="strict", datasets=("bikenyc", "taxinyc"))


def test_a_data_set_with_two_shares_has_no_panel_and_a_method_with_one_has_a_point():
    two = curve(maes=((5.0,), (2.0,)), tasks=("few1", "short"), dataset="taxinyc")
    (figure,) = plot([*curve(), *two, record(model="convlstm", mae=1.0)], BOTH)
    (axis,) = figure.axes
    assert axis.get_title() == "bikenyc"
    assert next(line for line in lines(axis) if len(line) == 1) == [[pytest.approx(100, rel=0.03), 1.0]]
    assert "Data sets on which no method has 3 shares are left out." in caption(figure)
    assert plot([*curve()[:4], *two], BOTH) == []  # the third share is of another data set


@pytest.mark.parametrize("lost", [{"mae": math.nan}, {"failed": True}])
def test_a_share_without_an_error_is_none(lost):
    assert plot([*curve()[:4], record(**lost)]) == []
    (figure,) = plot([*curve(), record(seed=2, **lost)])
    assert lines(figure.axes[0])[0] == [[1, 5.5], [10, 3.5], [100, 2.25]]


def test_the_best_are_named_by_their_errors_at_each_share_relative_to_the_best_there():
    many = [curve(f"model_{n}", ((100.0 - 5 * n,), (4.0 + n,), (3.0 + n,))) for n in range(9)]  # by sums the last leads
    (figure,) = plot([run for runs in many for run in runs])
    assert names(figure) == [*(f"model_{number}" for number in range(5)), "others"]
    rule = "relative to the best on each data set, mean over data sets and shares (those run on the most first)"
    assert rule in caption(figure)


def test_no_method_leads_for_lack_of_the_shares_where_errors_are_large():
    many = [curve(f"model_{n}", ((6.0 + n,), (4.0,), (3.0 + n,))) for n in range(9)]
    late = curve("late", ((3.9,), (2.9,)), TASKS[1:])  # best at both
    (figure,) = plot([*(run for runs in many for run in runs), *late])
    assert names(figure) == [*(f"model_{number}" for number in range(5)), "others"]


def test_windows_from_the_begin_and_the_end_and_shorter_training_never_share_a_curve():
    first = {"windows": "first"}
    short = {"windows": "first", "equal_steps": False}
    few = [record(task=task, mae=9.0, **kind) for kind in (first, short) for task in ("few1", "few10")]
    figures = plot([*curve(maes=((5.0,), (3.0,), (2.0,))), *few])
    assert sorted(lines(figure.axes[0])[0] for figure in figures) == [
        [[1, 5.0], [10, 3.0], [100, 2.0]],
        [[1, 9.0], [10, 9.0], [100, 2.0]],
        [[1, 9.0], [10, 9.0], [100, 2.0]],
    ]
    assert sum("the last windows" in figure.get_suptitle().replace("\n", " ") for figure in figures) == 1


def test_an_interval_over_seeds_is_that_of_student():
    values = [1.0, 2.0, 4.0, 5.0]
    wanted = stats.t.interval(0.95, 3, loc=3.0, scale=stats.sem(values))
    assert seed_interval(values) == pytest.approx(wanted)
    assert all(math.isnan(end) for end in seed_interval([1.0]))
