"""Figures of suites that compare: a panel per data set, a row per variant, and what a reader is told."""

from __future__ import annotations

import random
import warnings

import pytest
from figures import caption, panels
from records import record, results_of
from variants import LOSS, controls, variant

from bench.analysis.figures._files import figure_files, plain_text
from bench.analysis.figures._style import WIDTHS
from bench.analysis.figures.suite import ROW
from bench.runs.suite import load_suite

CONTROLS, SHORT = load_suite("controls"), load_suite("short_term")


def results(records):
    return results_of(records, suites=[CONTROLS])


def test_files_appear_and_disappear_with_their_runs():
    many = figure_files(results(controls()), ["controls"])
    assert list(many) == ["controls-1.png", "controls-1.pdf", "controls-1.tex"]
    few = figure_files(results(controls()[:2]), ["controls"], present=many)
    assert few == {"controls-1.pdf": None, "controls-1.png": None, "controls-1.tex": None}


def test_figures_have_the_same_bytes_for_the_same_runs_in_any_order():
    records = [*controls(), *controls(dataset="taxinyc")]
    one, two = (
        figure_files(results(ordered), ["controls"])
        for ordered in (records, random.Random(0).sample(records, len(records)))
    )
    assert one == two


def test_a_figure_has_a_panel_per_data_set_and_a_row_per_variant(tmp_path):
    from matplotlib.image import imread

    made = results([*controls(), *controls(dataset="taxinyc"), variant(1.3, "scratch")])
    (figure,) = made.plot("controls")
    assert [axis.get_title() for axis in figure.axes] == ["bikenyc", "taxinyc"]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["shuffled tokens ‡", "no backbone", "one trained block", "trained from scratch"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["—"]
    text = caption(figure)
    assert "No current run of “pre-trained, frozen” is there, so this does not answer the question." in text
    assert text.endswith("‡ random instead of pre-trained weights.")
    path = tmp_path / "controls-1.png"
    path.write_bytes(figure_files(made, ["controls"])[path.name])
    assert imread(path).std() > 0.05


def test_rows_of_a_suite_of_models_stand_by_their_difference_on_an_axis_that_shows_small_ones():
    """ST-VFM has an MAE of 1: STID's is 1 % less, that of U-Net 2 % more, and the last value's 200 %."""
    maes = {"last_value": 3.0, "stid": 0.99, "unet": 1.02}
    made = [record(model=name, mae=mae, seed=seed) for name, mae in maes.items() for seed in range(3)]
    made += [variant(1 + seed / 1000, seed=seed, weights="pretrained") for seed in range(3)]
    (figure,) = results_of(made, suites=[SHORT]).plot("short_term")
    (axis,) = panels(figure)
    assert [text.get_text() for text in axis.get_yticklabels()] == ["stid", "unet", "last_value"]
    assert axis.get_xscale() == "symlog"
    figure.canvas.draw()
    assert {"0", "+10", "+200"} <= {text.get_text() for text in axis.get_xticklabels()}
    assert "The axis is linear up to ± 5 %, and logarithmic from there." in caption(figure)
    (small,) = results_of([run for run in made if run.model != "last_value"], suites=[SHORT]).plot("short_term")
    assert panels(small)[0].get_xscale() == "linear"
    assert "logarithmic" not in caption(small)


def test_an_axis_of_differences_is_labelled_as_far_as_it_reaches_on_both_sides():
    maes = {"last_value": 3.0, "stid": 0.4, "unet": 0.97}
    made = [record(model=name, mae=mae, seed=seed) for name, mae in maes.items() for seed in range(3)]
    made += [variant(1 + seed / 1000, seed=seed, weights="pretrained") for seed in range(3)]
    for width in ("page", "column"):
        (figure,) = results_of(made, suites=[SHORT]).plot("short_term", width=width)
        (axis,) = panels(figure)
        low, high = axis.get_xlim()
        assert low < -60
        assert 2.5 * axis.get_xticks()[0] <= low <= axis.get_xticks()[0]
        assert axis.get_xticks()[-1] <= high <= 2.5 * axis.get_xticks()[-1]
        assert not [*axis.get_xticks(minor=True)]
        assert axis.get_xlabel() == "MAE, % more than stvfm"


def test_what_is_taller_than_a_page_comes_in_several_figures(monkeypatch):
    monkeypatch.setattr("bench.analysis.figures.suite.TALL", 1.0)  # one row of panels
    cities = [f"city{number}" for number in range(6)]
    figures = results([run for city in cities for run in controls(dataset=city)]).plot("controls")
    assert [[axis.get_title() for axis in panels(figure)] for figure in figures] == [cities[:3], cities[3:]]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("datasets", "methods"), [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1), (4, 3)])
def test_a_row_is_as_high_beside_few_others_as_beside_many_on_any_number_of_data_sets(datasets, methods, width):
    compared = list(LOSS)[:methods]
    cities = [f"A city whose name takes several lines, number {number}" for number in range(datasets)]
    made = [variant(1.0, dataset=city, weights="random") for city in cities]
    made += [variant(1.1, name, dataset=city, weights="random") for city in cities for name in compared]
    for titles in (False, True):
        with warnings.catch_warnings(), plain_text(width):
            warnings.simplefilter("error")  # such as that a layout left no room for panels
            for figure in results(made).plot("controls", width=width, titles=titles):
                figure.draw_without_rendering()
                heights = [axis.get_position().height * figure.get_figheight() for axis in panels(figure)]
                assert heights == pytest.approx([ROW * methods] * len(heights), abs=0.13)
                assert min(heights) >= ROW * methods - 0.02
