"""Forecast maps and seeds as points."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from figures import SHORT, caption, drawn, panels, plot
from msgspec.structs import replace
from records import record, results_of

from bench.analysis.figures._files import figure_files, plain_text
from bench.analysis.figures._style import WIDTHS
from bench.analysis.results import artefacts
from bench.clock import MONTH, WEEK
from bench.errors import StoreError
from bench.records.arrays import ForecastMap, stored
from bench.records.record import dump, parse

TRUTH = np.array([[0.0, 2.0, 10.0], [np.nan, 4.0, 6.0]])


def mapped(wrong=1.0, truth=TRUTH, weekday=4, origin=2600, **facts):
    """A run that forecast this much too high everywhere."""
    forecast_map = ForecastMap(
        origin=origin,
        step=6,
        slot=35,
        per_day=48,
        weekday=weekday,
        channel="start",
        unit="bikes",
        grid=truth.shape,
        truth=stored(truth),
        forecast=stored(np.nan_to_num(truth) + wrong),
    )
    return replace(record(**facts), forecast_map=forecast_map)


def titles(axes):
    return [" ".join(axis.get_title().split()) for axis in axes if axis.images]


def test_truth_comes_first_then_forecast_and_error_of_the_best_naive_one_and_of_four_models_by_error():
    models = [mapped(model=f"model_{number}", mae=9.0 - number) for number in range(6)]
    naive = [mapped(model="last_value", mae=5.0), mapped(model="window_mean", mae=4.5)]
    _, axes = drawn("maps", models + naive)
    shown = titles(axes)
    assert shown[0] == "truth"
    assert [name for name in shown[1:] if not name.startswith("error")] == [
        "window_mean",
        "model_5",
        "model_4",
        "model_3",
        "model_2",
    ]


def test_truth_and_forecasts_share_one_scale_and_errors_one_around_zero():
    _, axes = drawn("maps", [mapped(wrong=30.0), mapped(wrong=-2.0, model="b", mae=2.0)])
    images = {title: axis.images[0] for title, axis in zip(titles(axes), (a for a in axes if a.images), strict=True)}
    assert images["truth"].get_clim() == images["stid"].get_clim() == images["b"].get_clim()
    assert images["truth"].get_clim() == (0.0, pytest.approx(np.nanquantile(TRUTH, 0.99)))
    (high, low) = (image for name, image in images.items() if name.startswith("error"))
    assert high.get_clim() == low.get_clim() == (-30.0, 30.0)
    assert high.get_array().tolist() == [[30.0, 30.0, 30.0], [None, 30.0, 30.0]]
    assert [name for name in images if name.startswith("error")] == [
        "error: MAE 30, mean +30",
        "error: MAE 2, mean \N{MINUS SIGN}2",
    ]


def test_cells_forecast_too_low_have_dots_so_that_grey_print_keeps_the_sign():
    _, axes = drawn("maps", [mapped(wrong=-2.0), mapped(wrong=2.0, model="b", mae=2.0)])
    dots = [len(axis.lines[0].get_xdata()) for axis in axes if axis.get_title().startswith("error")]
    assert dots == [5, 0]


@pytest.mark.parametrize("shape", [(1, 30), (4, 100), (30, 1)])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_map_of_one_row_or_column_is_drawn_high_and_wide_enough_to_be_seen(shape, width):
    with warnings.catch_warnings(), plain_text(width):
        warnings.simplefilter("error")  # such as that a layout left no room for panels
        (figure,) = results_of([mapped(truth=np.arange(np.prod(shape)).reshape(shape) + 0.0)]).plot("maps", width=width)
        figure.draw_without_rendering()
    maps = [axis.get_position() for axis in figure.axes if axis.images]
    assert min(place.height * figure.get_figheight() for place in maps) > 0.25
    assert min(place.width * figure.get_figwidth() for place in maps) > 0.25


def test_what_is_shown_is_written_no_wider_than_a_map_in_one_column():
    (figure,) = results_of([mapped()]).plot("maps", width="column")
    assert [text.get_text() for text in figure.axes[1].texts] == [
        "Friday, 17:30\nstep 6 of the\nforecast\nchannel “start”"
    ]


def test_the_caption_says_when_what_and_by_which_rule():
    figure, _ = drawn("maps", [mapped()])
    text = caption(figure)
    assert "Friday, 17:30, step 6 of the forecast that begins with slot 2600; channel “start”, seed 0." in text
    assert (
        "the first scored test window whose truth has the largest total at its last step in the first channel" in text
    )
    assert "Light grey: no value that counts." in text
    (unknown,) = plot("maps", [mapped(weekday=None, truth=np.nan_to_num(TRUTH))])
    assert "17:30, step" in caption(unknown)
    assert "Light grey" not in caption(unknown)


@pytest.mark.parametrize(
    ("interval", "weekday", "said"),
    [(MONTH, 0, "Dec, step"), (MONTH, None, "month 12, step"), (WEEK, 0, "week 12, step")],
)
def test_the_caption_of_months_and_weeks_names_them(interval, weekday, said):
    run = mapped(weekday=weekday)
    shown = replace(run.forecast_map, slot=11, per_day=52 if interval == WEEK else 12)
    run = replace(run, forecast_map=shown, label=replace(run.label, interval=interval))
    (figure,) = plot("maps", [run])
    assert said in caption(figure)


def test_the_first_seed_is_shown_and_maps_of_another_window_are_not():
    other = mapped(origin=7, model="b", mae=2.0)
    figure, axes = drawn("maps", [mapped(wrong=3.0, seed=1), mapped(wrong=1.0, seed=0), other])
    assert titles(axes) == ["truth", "stid", "error: MAE 1, mean +1"]
    (beside,) = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert beside.splitlines() == ["Friday, 17:30", "step 6 of the forecast", "channel “start”"]


def test_runs_without_a_map_of_earlier_code_or_without_any_value_make_none():
    nowhere = np.full((2, 3), np.nan)
    assert plot("maps", [record(), mapped(truth=nowhere, model="b")]) == []
    assert plot("maps", [mapped()], {("bikenyc", "stid"): "f" * 12}) == []


def test_synthetic_data_and_random_weights_are_marked_and_every_data_set_has_its_figure():
    records = [mapped(synthetic=True, weights="random"), mapped(dataset="taxinyc")]
    first, second = plot("maps", records)
    assert "bikenyc †" in first.get_suptitle()
    assert "stid ‡" in titles(first.axes)
    assert {"†", "‡"} <= set(caption(first))
    assert "taxinyc, one test window" in second.get_suptitle()


def test_a_map_that_cannot_be_read_is_one_sentence():
    made = json.loads(dump(mapped()))
    made["forecast_map"]["truth"] = "!"
    with pytest.raises(StoreError, match=r"run\.json is not a result record .*forecast_map"):
        parse(json.dumps(made).encode(), "run.json")


def test_a_truth_of_one_value_and_forecasts_without_error_can_be_drawn():
    flat = np.full((2, 3), 4.0)
    figure, _ = drawn("maps", [mapped(wrong=0.0, truth=flat)])
    figure.canvas.draw()
    assert "error: MAE 0, mean +0" in titles(figure.axes)


def test_one_busy_cell_does_not_leave_all_others_dark():
    truth = np.ones((10, 10))
    truth[0, 0], truth[5, 5] = 2.0, 5000.0
    _, axes = drawn("maps", [mapped(truth=truth)])
    assert axes[0].images[0].get_clim()[1] < 100
    truth[0, 0] = 1.0
    truth[5, 5] = 1.5  # a single other value is the end of the scale
    _, axes = drawn("maps", [mapped(truth=truth)])
    assert axes[0].images[0].get_clim()[0] == 1.0
    assert 1.0 < axes[0].images[0].get_clim()[1] <= 1.5


def test_seeds_are_points_and_their_mean_a_tick_the_best_model_on_top():
    records = [record(mae=mae, seed=seed) for seed, mae in enumerate((2.0, 3.0, 4.0))]
    records += [record(model="good", mae=1.0), record(model="last_value", mae=2.5)]
    _, (axis,) = drawn("seeds", records)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["good", "last_value", "stid"]
    points = {line.get_marker(): line.get_xdata() for line in axis.lines if line.get_ydata()[0] == 2}
    assert list(points["o"]) == [2.0, 3.0, 4.0]
    assert list(points["|"]) == [3.0]
    assert [line.get_marker() for line in axis.lines if line.get_ydata()[0] == 1] == ["s"]


def test_every_panel_has_an_order_of_its_own_and_a_wide_one_is_logarithmic():
    records = [record("bikenyc", "a", mae=1.0, seed=seed) for seed in range(2)] + [record("bikenyc", "b", mae=9.0)]
    records += [record("taxinyc", "a", mae=3.0), record("taxinyc", "b", mae=2.0)]
    _, (wide, narrow) = drawn("seeds", records)
    assert [label.get_text() for label in narrow.get_yticklabels()] == ["b", "a"]
    assert (wide.get_xscale(), narrow.get_xscale()) == ("log", "linear")


def test_many_models_on_many_data_sets_are_broken_into_pages():
    cells = [(f"city{city}", f"model_{number}", seed) for city in range(6) for number in range(20) for seed in range(2)]
    records = [record(city, model, seed=seed, mae=1.0) for city, model, seed in cells]
    figures = plot("seeds", records)
    assert [len(panels(figure)) for figure in figures] == [4, 2]
    assert all(figure.get_figheight() < 11.5 for figure in figures)


def test_naive_of_several_seeds_say_nothing_of_how_much_seeds_differ():
    records = [record(model="last_value", seed=seed) for seed in range(3)] + [record()]
    assert plot("seeds", records) == []


@pytest.mark.slow
def test_the_same_records_give_the_same_bytes_in_any_order():
    records = [mapped(model=name, mae=mae, seed=seed) for seed in (0, 1) for mae, name in enumerate("ab", 1)]
    one, two = (
        figure_files(results_of(ordered, suites=[SHORT]), ["learning", "seeds", "maps"])
        for ordered in (records, records[::-1])
    )
    assert [name for name in one if name.endswith(".png")] == ["learning-1.png", "seeds-1.png", "maps-1.png"]
    assert one == two


def test_all_figures_over_suites_have_a_name():
    known = {"ranks", "per_horizon", "efficiency", "learning", "seeds", "maps", "daily", "fractions", "tuning"}
    assert set(artefacts("figures")) == known | {"answer"}


def test_the_names_of_data_sets_take_no_room_from_the_points_below_them():
    made = [
        record(dataset, seed=seed) for dataset in ("one", "another one " + 8 * "of a name that ") for seed in (0, 1)
    ]
    (figure,) = results_of(made, suites=[SHORT]).plot("seeds")
    figure.draw_without_rendering()
    assert max(axis.get_title().count("\n") for axis in figure.axes) >= 2
    assert all(axis.get_position().height * figure.get_figheight() > 0.19 for axis in figure.axes)
