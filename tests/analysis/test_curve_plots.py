"""Figures of curves: by step, by epoch and by time of day; and who is named in them when methods are many."""

from __future__ import annotations

import json

import numpy as np
import pytest
from figures import SHORT, caption, drawn, names, plot
from msgspec.structs import replace
from records import NAIVE, record, results_of

from bench.analysis.figures._panels import BACKGROUND, all_highlighted, highlighted, line_styles
from bench.analysis.figures._style import plain_logarithm
from bench.clock import MONTH
from bench.errors import StoreError
from bench.records.arrays import DayErrors
from bench.records.record import Epoch, dump, parse


def learnt(values, **facts):
    """A run whose validation MAE after each epoch is this; its number of epochs is no setting."""
    curve = [Epoch(epoch=number, train_loss=1.0, val_mae=value, lr=0.002) for number, value in enumerate(values, 1)]
    return replace(record(**facts), curve=curve)


def with_day(run, count, absolute):
    return replace(run, windows=replace(run.windows, day=DayErrors.of(count=count, absolute=absolute)))


def by_hour(errors, count=100.0, **facts):
    return with_day(record(**facts), np.full(24, count), count * np.asarray(errors, dtype=float))


def crowd(models=20, cities=("bikenyc",), **facts):
    """The more, the worse; the naive baselines are worse than all."""
    scores = {f"model_{number:02d}": 1.0 + number for number in range(models)}
    scores |= {name: 40.0 + number for number, name in enumerate(NAIVE)}
    return [record(city, name, mae=mae, **facts) for city in cities for name, mae in scores.items()]


def lines(axis):
    """What is drawn with data, by width of the line."""
    curves = {}
    for line in axis.lines:
        if len(line.get_xdata()):
            curves.setdefault(round(line.get_linewidth(), 1), []).append([float(y) for y in line.get_ydata()])
    return curves


def test_validation_errors_by_epoch_have_a_mean_as_far_as_all_seeds_go_and_rings_at_the_best():
    _, (axis,) = drawn("learning", [learnt([8, 4, 6], seed=0), learnt([6, 6, 2, 4], seed=1)])
    assert lines(axis)[0.4] == [[8, 4, 6], [6, 6, 2, 4]]
    assert [7, 5, 4] in lines(axis)[1.4]
    rings = [line.get_xydata().tolist() for line in axis.lines if line.get_markerfacecolor() == "none"]
    assert rings == [[[2, 4]], [[3, 2]]]
    assert axis.get_yscale() == "log"


def test_what_was_not_trained_by_epochs_or_for_one_alone_has_no_curve():
    records = [learnt([], model="ridge"), learnt([3.0], model="once"), learnt([], model="last_value")]
    assert plot("learning", records) == []
    figure, _ = drawn("learning", [*records, learnt([3, 2])])
    assert names(figure) == ["stid"]


@pytest.mark.parametrize("value", ["low", None, [1.0]])
def test_a_curve_that_cannot_be_read_is_one_sentence(value):
    made = json.loads(dump(learnt([3.0, 2.0])))
    made["curve"][1]["val_mae"] = value
    with pytest.raises(StoreError, match=r"run\.json is not a result record .*curve"):
        parse(json.dumps(made).encode(), "run.json")


def test_errors_stand_at_the_middle_of_the_hour_that_they_are_for_as_means_over_seeds():
    hours = np.arange(24) + 1
    figure, (axis,) = drawn("daily", [by_hour(hours, seed=0), by_hour(3 * hours, seed=1)])
    (line,) = (line for line in axis.lines if len(line.get_xdata()))
    assert line.get_xdata()[[0, 23]].tolist() == [0.5, 23.5]
    assert line.get_ydata().tolist() == pytest.approx(list(2.0 * hours))
    assert "by the time of day that they are for" in caption(figure)


def test_months_and_weeks_have_a_figure_of_their_own_over_the_year():
    hourly = by_hour(np.ones(24))
    rain = record("rain")
    day = DayErrors.of(count=np.full(12, 1.0), absolute=np.arange(12.0))
    windows = replace(rain.windows, per_day=12, day=day)
    monthly = replace(rain, windows=windows, label=replace(rain.label, interval=MONTH))
    day, year = plot("daily", [hourly, monthly])
    assert "by the time of day" in caption(day)
    assert "by the time of year" in caption(year)
    (axis,) = (axis for axis in year.axes if axis.lines)
    assert (axis.get_xlabel(), axis.get_xlim()) == ("month of the year", (0, 12))
    (line,) = (line for line in axis.lines if len(line.get_xdata()))
    assert line.get_xdata()[[0, 11]].tolist() == [0.5, 11.5]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "4", "7", "10"]


def test_an_hour_without_a_forecast_is_a_gap_and_older_records_have_no_profile():
    made = with_day(record(), np.arange(24.0), np.arange(24.0))
    _, (axis,) = drawn("daily", [made, record(seed=1)])
    values = next(line.get_ydata() for line in axis.lines if len(line.get_xdata()))
    assert np.isnan(values[0])
    assert values[1:].tolist() == [1.0] * 23
    assert plot("daily", [record()]) == []


def test_of_the_naive_baselines_the_day_shows_the_best_alone():
    records = [by_hour(np.ones(24), model=name, mae=mae) for name, mae in (("last_value", 3), ("window_mean", 2))]
    figure, _ = drawn("daily", [*records, by_hour(np.ones(24))])
    assert names(figure) == ["stid", "window_mean"]


def test_few_methods_all_have_a_name_and_no_rule_is_stated():
    figure, _ = drawn("per_horizon", crowd(models=5))
    assert names(figure) == [*(f"model_{number:02d}" for number in range(5)), *sorted(NAIVE)]
    assert "In colour" not in caption(figure)


def test_of_many_methods_the_five_best_and_the_best_naive_one_are_named_and_the_caption_says_by_which_rule():
    figure, (axis,) = drawn("per_horizon", crowd())
    assert names(figure) == [*(f"model_{number:02d}" for number in range(5)), "last_value", "others"]
    pale = [line for line in axis.lines if line.get_color() == BACKGROUND["color"] and len(line.get_xdata())]
    assert len(pale) == 17
    rule = "the 5 best models by MAE relative to the best on each data set, mean over data sets"
    assert rule in caption(figure)
    assert "pale: all others" in caption(figure)


def test_the_day_leaves_the_others_out_and_says_so_and_curves_of_epochs_keep_the_same_names():
    records = [by_hour(np.ones(24), model=f"model_{number:02d}", mae=1.0 + number) for number in range(10)]
    figure, _ = drawn("daily", records)
    assert names(figure) == [f"model_{number:02d}" for number in range(5)]
    assert "all others are left out" in caption(figure)
    trained = [learnt([3, 2], model=f"model_{number:02d}", mae=1.0 + number) for number in range(9)]
    figure, _ = drawn("learning", [*trained[1:], learnt([], model="model_00", mae=1.0)])
    assert names(figure) == [*(f"model_{number:02d}" for number in range(1, 5)), "others"]


def test_no_rule_is_stated_of_methods_that_merely_have_no_curve():
    naive = [replace(learnt([], model=f"naive_{number}", mae=5.0), role="naive") for number in range(8)]
    figure, _ = drawn("learning", [learnt([3, 2]), *naive])
    assert names(figure) == ["stid"]
    assert "In colour" not in caption(figure)


def group_of(records, **codes):
    results = results_of(records, {("bikenyc", name): code for name, code in codes.items()}, suites=[SHORT])
    (group,) = results.plain_groups().values()
    return group


def test_an_error_counts_by_its_ratio_to_the_best_so_that_no_data_set_outweighs_another():
    big = [record("taxinyc", f"model_{number:02d}", mae=1000.0 + number) for number in range(20)]
    big[19] = record("taxinyc", "model_19", mae=900.0)  # a little better there, and far worse on bikenyc
    first = highlighted(group_of([*crowd(), *big])).models[0]
    assert first.name == "model_00"


def test_a_method_that_lacks_a_data_set_or_is_stale_does_not_lead():
    two = crowd(cities=("bikenyc", "taxinyc"))
    assert [method.name for method in highlighted(group_of([*two, record(model="new", mae=0.1)])).models[:2]] == [
        "model_00",
        "model_01",
    ]
    assert highlighted(group_of(crowd(), model_00="f" * 12)).models[0].name == "model_01"


def test_no_two_of_twenty_look_alike_and_eight_not_even_in_grey():
    styles = line_styles(all_highlighted(group_of(crowd()))).values()
    assert len({(style["color"], style["marker"]) for style in styles}) == 23
    assert len({(style["color"], str(style["linestyle"])) for style in styles}) == 23
    few = line_styles(all_highlighted(group_of(crowd(models=5)))).values()
    assert len({style["marker"] for style in few}) == 8


def test_a_logarithmic_axis_has_more_numbers_where_it_spans_less():
    from matplotlib.figure import Figure

    for high, wanted in ((3.0, 4), (8.0, 4), (30.0, 3), (70.0, 3), (5000.0, 3)):
        axis = Figure().subplots()
        axis.plot([1, 2], [1.0, high])
        axis.set_yscale("log")
        plain_logarithm(axis.yaxis)
        low, top = axis.get_ylim()
        assert sum(low <= tick <= top for tick in axis.get_yticks()) >= wanted


@pytest.mark.parametrize("name", ["learning", "per_horizon"])
def test_a_caption_speaks_of_means_over_seeds_only_where_there_are_several(name):
    one = [learnt([8, 4, 6], seed=0)]
    assert "seeds" not in caption(plot(name, one)[0])
    assert "mean over seeds" in caption(plot(name, [*one, learnt([6, 6, 2], seed=1)])[0])
