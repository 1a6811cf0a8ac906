"""Figures of studies: what they show, and that the same study gives the same bytes."""

from __future__ import annotations

import pytest
from figures import caption, panels
from matplotlib.colors import to_hex
from records import results_of
from studies import SPACE, study, trial

from bench.analysis.figures._files import figure_files, plain_text
from bench.analysis.figures._style import ORANGE
from bench.analysis.stats.importance import importance
from bench.tuning.study import Scale


def drawn(*studies):
    """The figure of the first study, and its panels by their labels."""
    with plain_text():
        figure, *_ = results_of([], studies=studies).plot("tuning")
    return figure, {axis.get_xlabel() or axis.get_title(): axis for axis in panels(figure)}


def points(axis, sign):
    return [line.get_xydata()[0].tolist() for line in axis.lines if line.get_marker() == sign]


def test_the_best_so_far_is_a_line_and_the_default_is_marked():
    _, shown = drawn(study(4, trials=(trial(0, 5.0), trial(1, 6.0), trial(2, 4.5), trial(3, 4.75))))
    history = shown["trial"]
    steps = next(line for line in history.lines if line.get_drawstyle() == "steps-post")
    assert steps.get_xydata().tolist() == [[0, 5.0], [1, 5.0], [2, 4.5], [3, 4.5], [3, 4.5]]
    assert points(history, "D") == [[0, 5.0]]
    (dashed,) = [line for line in history.lines if line.get_linestyle() == "--"]
    assert to_hex(dashed.get_color()) == ORANGE.lower()
    assert set(dashed.get_ydata()) == {5.0}


def test_a_best_trial_at_the_edge_of_a_range_is_told(tmp_path):
    inside = {"model.dropout": 0.2, "model.width": 32, "train.lr": 2e-3}
    figure, _ = drawn(study(4, trials=(trial(0, 5.0), trial(1, 4.0, params=inside))))
    assert "edge" not in caption(figure)
    figure, _ = drawn(study(4, trials=(trial(0, 5.0), trial(1, 4.0, params={**inside, "train.lr": 3e-4}))))
    assert "At the edge of its range: lr; a better value may lie beyond." in caption(figure)


def test_a_variant_has_a_figure_of_its_own(tmp_path):
    figure, _ = drawn(study(variant=("model.control=shuffled",)))
    assert figure.get_label() == "bikenyc-stid@control-shuffled"
    assert "with model.control=shuffled" in " ".join(figure.get_suptitle().split())


def test_a_stopped_trial_is_hollow_at_the_lowest_error_it_reached_and_a_failed_one_is_a_cross():
    stopped = trial(1, None, state="pruned", epochs=((1, 5.5), (2, 5.25), (3, 5.75)))
    _, shown = drawn(study(trials=(trial(0, 5.0), stopped, trial(2, 4.5), trial(3, None, state="failed"))))
    hollow = [line for line in shown["trial"].lines if line.get_markerfacecolor() == "none"]
    assert [line.get_xydata()[0].tolist() for line in hollow] == [[1, 5.25]]
    assert [x for x, _ in points(shown["trial"], "x")] == [3]
    labels = [text.get_text() for text in shown["trial"].get_legend().get_texts()]
    assert labels == ["complete", "stopped early", "default", "best so far", "failed"]


def test_every_setting_has_a_panel_with_its_own_scale_and_a_ring_around_the_best():
    _, shown = drawn(study())
    assert {"dropout", "width", "lr"} <= set(shown)
    assert shown["lr"].get_xscale() == "log"
    assert shown["dropout"].get_xscale() == "linear"
    assert [label.get_text() for label in shown["width"].get_xticklabels()] == ["16", "32", "64"]
    rings = [line for line in shown["lr"].lines if line.get_color() == "black"]
    assert [line.get_xydata()[0].tolist() for line in rings] == [[pytest.approx(3e-4 * 9), 4.0]]


def test_an_error_far_off_stands_at_the_upper_end_and_the_others_stay_apart():
    far = [trial(number, 5.0 - number / 100) for number in range(6)] + [trial(6, 900.0)]
    figure, shown = drawn(study(trials=tuple(far)))
    high = shown["trial"].get_ylim()[1]
    assert high < 6
    assert points(shown["trial"], "^") == [[6, high]]
    assert "off the scale" in figure.get_supxlabel()


def test_importance_finds_the_setting_that_decides_and_is_the_same_each_time():
    decided = tuple(trial(number, 4.0 + (number % 3) + number / 1000) for number in range(20))
    shares = importance(study(trials=decided))
    assert shares == importance(study(trials=decided))
    assert max(shares, key=shares.get) == "model.width"
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (study(trials=(trial(0, 5.0),)), "too few"),
        (study(trials=tuple(trial(number, 5.0) for number in range(12))), "scored the same"),
        (study(space={"train.lr": SPACE["train.lr"]}, trials=()), "one setting"),
    ],
)
def test_where_importance_cannot_be_told_the_figure_says_why(made, why):
    assert why in importance(made)


def test_one_setting_stands_beside_the_history():
    one = tuple(trial(number, 5.0 - number / 9, params={"train.lr": 1e-3}) for number in range(3))
    _, shown = drawn(study(space={"train.lr": SPACE["train.lr"]}, trials=one))
    assert list(shown) == ["trial", "lr"]


def test_a_study_of_nothing_but_failures_can_be_drawn():
    figure, _ = drawn(study(trials=(trial(0, None, state="failed"), trial(1, None, state="killed", params={}))))
    assert "0 finished trials (1 failed)" in figure.get_suptitle()


def test_synthetic_data_and_random_weights_are_marked_and_explained():
    figure, _ = drawn(study(4, synthetic=True, weights="random"))
    assert "stid ‡ on bikenyc †" in figure.get_suptitle()
    assert "† synthetic" in caption(figure)
    assert "‡ random" in caption(figure)


def test_formulas_and_odd_signs_are_drawn_as_they_are():
    odd = Scale(choices=("$x^2$", "_{", "a" * 60))
    made = study(space={"model.odd": odd}, trials=(trial(0, 5.0, params={"model.odd": "$x^2$"}),), fixed=("$y=1",))
    assert len(files(made)) == 3


def files(*studies, present=()):
    return figure_files(results_of([], studies=studies), ["tuning"], present=present)


def test_the_same_study_gives_the_same_bytes_and_figures_of_lost_studies_go():
    one = files(study(model="a"))
    assert one == files(study(model="a"))
    two = files(study(4, model="b"), present=one)
    assert {name: content is None for name, content in two.items()} == {
        "tuning-bikenyc-b.png": False,
        "tuning-bikenyc-b.pdf": False,
        "tuning-bikenyc-b.tex": False,
        "tuning-bikenyc-a.pdf": True,
        "tuning-bikenyc-a.png": True,
        "tuning-bikenyc-a.tex": True,
    }


def test_a_figure_is_called_by_the_data_set_and_the_model_and_by_a_task_that_is_not_short():
    figures = results_of([], studies=[study(4), study(4, task="long")]).plot("tuning")
    assert [figure.get_label() for figure in figures] == ["bikenyc-stid", "bikenyc-stid-long"]
