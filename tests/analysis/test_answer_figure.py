"""The figure of the answer: differences with their intervals, and errors by the share of the data."""

from __future__ import annotations

from itertools import pairwise

import pytest
from figures import caption
from records import record, results_of
from reference_runs import reference_runs
from variants import variant

from bench.analysis.answer import ASKED, answer
from bench.analysis.figures.answer import SIGNS

TITLES = True


def drawn(records):
    return list(results_of(records).plot("answer"))


def test_the_figure_has_each_difference_and_its_interval_and_the_errors_by_share():
    (figure,) = drawn(reference_runs())
    left, *right = figure.axes
    found = answer(results_of(reference_runs()))
    wanted = {round(difference.percent, 9) for method in found.methods for _, difference in found.of(method)}
    points = {round(line.get_xdata()[0], 9) for line in left.lines if len(line.get_xdata()) == 1}
    assert points == wanted
    ends = {tuple(line.get_xdata()) for line in left.lines if len(line.get_xdata()) == 2}
    assert {tuple(d.interval) for m in found.methods for _, d in found.of(m)} <= ends
    assert [text.get_text() for text in left.get_yticklabels()] == ["BikeNYC", "BikeNYC2", "TaxiNYC"]
    assert [axis.get_title() for axis in right] == ["BikeNYC", "TaxiNYC"]
    stid = next(line.get_ydata().tolist() for line in right[0].lines if len(line.get_xdata()) == 3)
    assert stid[:2] == [4.0, 3.0]
    assert [text.get_text() for text in right[0].get_xticklabels()] == ["1", "10", "100"]
    assert "random instead of pre-trained weights" in caption(figure)


def test_each_control_has_its_sign_and_those_of_a_data_set_stand_around_its_row():
    runs = reference_runs()
    for number, weights in enumerate(("matched", "permuted"), start=2):
        runs += [variant(1 + number / 100 + s / 1000, weights=weights, seed=s, profile="reference") for s in range(3)]
    found = answer(results_of(runs))
    assert [method.name for method in found.methods] == list(ASKED)
    (figure,) = drawn(runs)
    points = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    rows = {round(line.get_ydata()[0]): [] for line in points}
    for line in points:
        rows[round(line.get_ydata()[0])].append((line.get_ydata()[0], line.get_marker()))
    assert {row: len(drawn) for row, drawn in rows.items()} == {0: 5, 1: 3, 2: 3}
    assert [marker for _, marker in sorted(rows[0])] == list(SIGNS)
    assert [marker for _, marker in sorted(rows[1])] == [SIGNS[0], SIGNS[1], SIGNS[4]]
    for row, marks in rows.items():
        assert sum(at for at, _ in marks) / len(marks) == pytest.approx(row)
    apart, between = 0.8 / len(ASKED), min(at for at, _ in rows[1]) - max(at for at, _ in rows[0])
    assert [second[0] - first[0] for first, second in pairwise(sorted(rows[0]))] == pytest.approx([apart] * 4)
    assert between > 1.5 * apart
    assert len({*SIGNS}) == len(ASKED)


def test_an_open_difference_is_drawn_empty():
    (figure,) = drawn(reference_runs(controls={"identity": (1.1, 1.1, 1.0)}, spread=0.01))
    filled = [line.get_markerfacecolor() for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert [colour == "w" for colour in filled] == [False, False, True]


def test_the_legend_of_the_answer_explains_the_band_and_shows_signs_as_they_are_drawn():
    def entries(records):
        (figure,) = drawn(records)
        legend = figure.legends[0]
        signs = zip(legend.get_texts(), legend.legend_handles, strict=True)
        return {text.get_text(): getattr(sign, "get_markerfacecolor", lambda: "band")() for text, sign in signs}

    clear = entries(reference_runs())
    assert clear["no backbone"] != "w"
    assert clear["within ± 1 %"] == "band"
    unclear = entries(reference_runs(controls={"identity": (1.1, 0.9, 1.0)}, spread=0.4))
    assert unclear["no backbone"] == unclear["empty: open"] == "w"


def shares(dataset, *tasks):
    """Of one method, with all windows, too."""
    common = {"dataset": dataset, "profile": "reference", "weights": "matched"}
    every = (("short", {}), *((task, {"windows": "last"}) for task in tasks))
    return [variant(3.0, task=task, seed=seed, **kind, **common) for task, kind in every for seed in range(3)]


def test_curves_are_of_two_data_sets_that_have_the_smallest_share_and_of_the_profile_of_the_answer():
    (figure,) = drawn([*reference_runs(), *shares("bikenyc2", "few10", "few25")])
    assert [axis.get_title() for axis in figure.axes[1:]] == ["BikeNYC", "TaxiNYC"]
    (figure,) = drawn([*reference_runs(), *shares("bikenyc2", "few1", "few10")])
    assert [axis.get_title() for axis in figure.axes[1:]] == ["BikeNYC", "BikeNYC2"]
    short = [run for run in reference_runs() if run.spec.task.name == "short"]
    (figure,) = drawn([*short, *reference_runs(profile="laptop")])
    assert len(figure.axes) == 1


def test_a_model_with_all_windows_alone_is_not_named_before_those_with_a_curve():
    more = shares("bikenyc", "few1", "few10")
    naive = record("bikenyc", "seasonal_naive_day", task="few1", windows="last", profile="reference", mae=9.0)
    (figure,) = drawn([*reference_runs(), *more, naive])
    names = [text.get_text() for text in figure.legends[1].get_texts()]
    assert "relative to the best on each data set, mean over data sets and shares" in caption(figure)
    assert {name.rstrip(" ‡¶") for name in names} == {
        "pre-trained, frozen",
        "matched random, frozen",
        "random, frozen",
        "no backbone",
        "STID",
        "Historical average",
    }


def test_without_errors_by_share_the_differences_stand_alone_and_without_an_answer_there_is_no_figure():
    short = [run for run in reference_runs() if run.spec.task.name == "short"]
    (figure,) = drawn(short)
    assert len(figure.axes) == 1
    for without in (reference_runs(profile="laptop"), [record()]):
        with pytest.warns(UserWarning, match="no figure 'answer'"):
            assert drawn(without) == []
