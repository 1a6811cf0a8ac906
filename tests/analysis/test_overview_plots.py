"""Figures over several suites: what they show, how their files are called, and that equal runs give equal bytes."""

from __future__ import annotations

import pytest
from figures import SHORT, caption, drawn, names, panels, plot
from msgspec.structs import replace
from records import in_cities, record, results_of

import bench.analysis.figures
from bench.analysis.figures._files import Look, figure_files, pictures
from bench.analysis.figures.efficiency import pareto_front
from bench.analysis.results import artefacts
from bench.errors import UnknownNameError


def timed(name, ms, mae):
    run = record(model=name, mae=mae)
    return replace(run, cost=replace(run.cost, ms_per_window=ms))


def test_the_diagram_lists_models_by_average_rank_and_says_what_a_claim_takes():
    figure, (axis,) = drawn("ranks", in_cities())
    assert [label.get_text() for label in axis.get_yticklabels()] == ["good", "even", "level", "poor"]
    assert list(axis.lines[0].get_xdata()) == [1.0, 2.5, 2.5, 4.0]
    assert "critical difference 1.48" in [text.get_text() for text in axis.texts]
    assert "on real data, 10 data sets (1: the best)" in caption(figure)
    assert "takes 8 data sets at least" in caption(figure)


def test_no_diagram_is_drawn_of_what_cannot_be_ranked():
    for records in (
        in_cities(number=1),
        in_cities(profile="quick"),
        in_cities(synthetic=True),
        in_cities(quality={"a": 1, "b": 2}),
    ):
        assert plot("ranks", records) == []


def test_steps_have_a_thick_mean_and_thin_seeds():
    _, (axis,) = drawn("per_horizon", [record(mae=1.0), record(seed=1, mae=3.0)])
    curves = {round(line.get_linewidth(), 1): [] for line in axis.lines}
    for line in axis.lines:
        if len(line.get_xdata()):
            curves[round(line.get_linewidth(), 1)].append(float(line.get_ydata()[0]))
    assert curves == {0.4: [pytest.approx(0.9), pytest.approx(2.7)], 1.4: [pytest.approx(1.8)]}


def test_the_pareto_front_is_what_no_other_beats_in_both():
    points = {"a": (1.0, 5.0), "b": (2.0, 6.0), "c": (3.0, 2.0), "d": (4.0, 2.0), "e": (1.0, 7.0)}
    assert pareto_front(points) == ["a", "c"]


def test_accuracy_stands_against_milliseconds_with_its_front_joined():
    _, (axis,) = drawn("efficiency", [timed("a", 1.0, 5.0), timed("b", 2.0, 6.0), timed("c", 30.0, 2.0)])
    assert list(axis.lines[0].get_xydata().ravel()) == [1.0, 5.0, 30.0, 2.0]
    assert axis.get_xscale() == "log"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("ms a window", "MAE")


def test_what_is_on_the_front_has_a_ring_and_its_sign_is_that_of_the_legend():
    figure, (axis,) = drawn("efficiency", [timed("last_value", 1.0, 5.0), timed("b", 2.0, 2.0), timed("c", 30.0, 3.0)])
    rings = [line.get_xydata().ravel().tolist() for line in axis.lines if line.get_markersize() == 9]
    assert sorted(rings) == [[1.0, 5.0], [2.0, 2.0]]
    signs = {line.get_marker(): line.get_markeredgecolor() for line in axis.lines if line.get_markersize() == 5.5}
    legend = {sign.get_marker(): sign.get_markeredgecolor() for sign in figure.legends[0].legend_handles}
    assert signs == legend


def test_stale_runs_are_marked_and_on_no_front():
    figure, (axis,) = drawn("efficiency", [timed("a", 1.0, 5.0), timed("b", 2.0, 6.0)], {("bikenyc", "a"): "f" * 12})
    assert names(figure) == ["a §", "b"]
    assert list(axis.lines[0].get_xydata().ravel()) == [2.0, 6.0]
    assert "§ stale" in caption(figure)


@pytest.mark.slow
def test_figures_are_written_by_their_name_with_the_same_bytes():
    records = in_cities(number=2)
    one, two = (
        figure_files(results_of(ordered, suites=[SHORT]), ["ranks", "efficiency", "short_term"])
        for ordered in (records, records[::-1])
    )
    assert (
        list(one)
        == list(two)
        == [f"{name}-1.{ending}" for name in ("ranks", "efficiency") for ending in ("png", "pdf", "tex")]
    )
    assert one == two


def test_files_of_a_name_that_are_no_longer_drawn_go_and_all_others_stay():
    drawn_before = ["seeds-1.png", "seeds-2.pdf", "seeds-2.md", "seeds.png", "learning-1.png", "-1.png", "seeds2-1.png"]
    assert figure_files(results_of([]), ["seeds"], present=drawn_before) == {"seeds-1.png": None, "seeds-2.pdf": None}


def test_a_picture_has_the_title_and_caption_of_its_figure_and_each_name_is_given_before_it_is_drawn():
    steps = []
    results = results_of([record(mae=1.0), record(seed=1, mae=3.0)], suites=[SHORT])
    (shown,) = pictures(results, ["daily", "seeds"], Look(formats=(".png",)), step=steps.append)
    assert steps == ["figures: daily", "figures: seeds"]
    assert (shown.name, list(shown.files)) == ("seeds-1", [".png", ".tex"])
    assert shown.title.startswith("How much do seeds differ, and do models differ by more? Task short")
    assert shown.caption.startswith("MAE on test. Points: seeds;")


def test_a_module_in_the_folder_of_figures_is_found_and_drawn_by_its_name(tmp_path, monkeypatch):
    source = "from matplotlib.figure import Figure\n\ndef draw(results):\n    yield Figure(label=len(results.runs))\n"
    (tmp_path / "violins.py").write_text(source, encoding="utf-8")
    (tmp_path / "_shared.py").touch()
    monkeypatch.setattr(bench.analysis.figures, "__path__", [*bench.analysis.figures.__path__, str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "bench.analysis.figures.violins", raising=False)
    assert "violins" in artefacts("figures")
    assert "_shared" not in artefacts("figures")
    (figure,) = plot("violins", [record()])
    assert figure.get_label() == "1"
    monkeypatch.undo()
    with pytest.raises(UnknownNameError):
        plot("violins", [record()])


def test_panels_of_more_data_sets_than_a_page_has_room_for_come_in_several_figures_of_the_same_colours():
    cities = [f"city{number:02}" for number in range(24)]
    made = [record(city, model, mae=mae) for city in cities for model, mae in (("stid", 1.0), ("unet", 2.0))]
    figures = plot("per_horizon", made)
    assert [[axis.get_title() for axis in panels(figure)] for figure in figures] == [cities[:21], cities[21:]]
    lines = [{line.get_label(): line.get_color() for line in figure.axes[0].lines} for figure in figures]
    assert lines[0]["stid"] == lines[1]["stid"] != lines[0]["unet"] == lines[1]["unet"]
    (figure,) = plot("per_horizon", [run for run in made if run.dataset in cities[:21]])
    assert len(panels(figure)) == 21
