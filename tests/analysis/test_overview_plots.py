"""Figures over several suites: what they show, and that the same runs give the same bytes."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from records import in_cities, record, runs_of

from bench.analysis.figures.differences import write_figures
from bench.analysis.figures.overviews import cost_figures, horizon_figures, overview_figures, pareto, rank_figures
from bench.analysis.figures.style import plain_text
from bench.runs.layout import Layout

SHORT = Layout(name="short_term", title="Short-term", tasks=("short",))


def panels(draw, records):
    (figure,) = draw(runs_of(records), [SHORT])
    axes: list[Axes] = [axis for axis in figure.axes if axis.axison]
    return figure, axes


def priced(name, ms, mae):
    one = record(model=name, mae=mae)
    return one | {"cost": one["cost"] | {"ms_per_window": ms}}


def test_the_diagram_lists_models_by_average_rank_and_says_what_a_claim_takes():
    figure, (axis,) = panels(rank_figures, in_cities())
    assert [label.get_text() for label in axis.get_yticklabels()] == ["good", "even", "level", "poor"]
    assert list(axis.lines[0].get_xdata()) == [1.0, 2.5, 2.5, 4.0]
    assert "critical difference 1.48" in [text.get_text() for text in axis.texts]
    caption = " ".join(figure.get_supxlabel().split())
    assert "on 10 real data sets" in caption
    assert "takes 8 data sets at least" in caption


def test_no_diagram_is_drawn_of_what_cannot_be_ranked():
    for records in (
        in_cities(number=1),
        in_cities(profile="quick"),
        in_cities(stand_in=True),
        in_cities(quality={"a": 1, "b": 2}),
    ):
        assert rank_figures(runs_of(records), [SHORT]) == []


def test_steps_have_a_thick_mean_and_thin_seeds():
    _, (axis,) = panels(horizon_figures, [record(mae=1.0), record(seed=1, mae=3.0)])
    curves = {round(line.get_linewidth(), 1): [] for line in axis.lines}
    for line in axis.lines:
        if len(line.get_xdata()):
            curves[round(line.get_linewidth(), 1)].append(float(line.get_ydata()[0]))
    assert curves == {0.4: [pytest.approx(0.9), pytest.approx(2.7)], 1.4: [pytest.approx(1.8)]}


def test_the_front_is_what_no_other_beats_in_both():
    points = {("a",): (1.0, 5.0), ("b",): (2.0, 6.0), ("c",): (3.0, 2.0), ("d",): (4.0, 2.0), ("e",): (1.0, 7.0)}
    assert pareto(points) == [("a",), ("c",)]


def test_accuracy_stands_against_milliseconds_with_its_front_joined():
    _, (axis,) = panels(cost_figures, [priced("a", 1.0, 5.0), priced("b", 2.0, 6.0), priced("c", 30.0, 2.0)])
    assert list(axis.lines[0].get_xydata().ravel()) == [1.0, 5.0, 30.0, 2.0]
    assert axis.get_xscale() == "log"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("ms a window", "MAE")


def test_stale_runs_are_marked_and_on_no_front():
    runs = runs_of([priced("a", 1.0, 5.0), priced("b", 2.0, 6.0)], {("bikenyc", "a"): "f" * 12})
    (figure,) = cost_figures(runs, [SHORT])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a §", "b"]
    assert list(figure.axes[0].lines[0].get_xydata().ravel()) == [2.0, 6.0]
    assert "§ stale" in " ".join(figure.get_supxlabel().split())


@pytest.mark.slow
def test_figures_are_written_by_the_name_of_their_table_with_the_same_bytes(tmp_path):
    drawn = overview_figures(["ranks", "efficiency", "short_term"], [SHORT])
    records = in_cities(number=2)
    with plain_text():
        one, two = (
            write_figures(runs_of(each), tmp_path / name, [], drawn)
            for name, each in (("one", records), ("two", records[::-1]))
        )
    names = ["ranks-1.png", "ranks-1.pdf", "cost-1.png", "cost-1.pdf"]
    assert [path.name for path in one] == [path.name for path in two] == names
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
