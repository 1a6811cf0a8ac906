"""Figures go into a paper as they are: sizes, type, fonts, nothing cut, captions beside them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from msgspec.structs import replace
from records import record, results_of
from studies import study
from test_map_plots import mapped
from variants import controls

from bench.analysis.figures._files import Look, figure_files, picture, pictures, plain_text
from bench.analysis.figures._fonts import MissingLettersWarning
from bench.analysis.figures._style import WIDTHS, new_figure
from bench.analysis.results import Results
from bench.errors import UnknownNameError
from bench.records.channels import Channel
from bench.runs.suite import load_suite

TITLES = True
MODELS = (
    "last_value",
    "historical_average",
    "stid",
    "stvfm",
    "time_llm",
    "ridge",
    "itransformer",
    "convlstm",
    "simvp",
    "unet",
)
UNITS = {
    "bikenyc": "bikes per half hour",
    "crowd": "people in the source's unit",
    "trafficsh": "speed in the source's unit",
}
SLACK = 0.02  # inches beyond the edge that no eye sees
EVERY = ("controls", "efficiency", "learning", "maps", "per_horizon", "seeds", "tuning")


def results() -> Results:
    """Many methods with long names on data sets of long names and units."""
    made: list[Any] = []
    for number, (dataset, unit) in enumerate(UNITS.items()):
        channels = [Channel(name="in", unit=unit)] * 2
        made += [
            replace(record(dataset, model, seed=seed, mae=7.0**number * (1 + order + seed / 3)), channels=channels)
            for order, model in enumerate(MODELS)
            for seed in range(2)
        ]
        made += controls(dataset=dataset)
    made += [mapped(model=model) for model in ("last_value", "stid", "unet")]
    return results_of(made, suites=[load_suite("short_term"), load_suite("controls")], studies=[study(5)])


@pytest.fixture(scope="module")
def shown() -> Results:
    return results()


def seen(figure: Figure) -> list[Text]:
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def around(figure: Figure) -> list[Any]:
    """Legends, and names of panels and axes, whether or not the layout makes room for them."""
    panels = [axis for axis in figure.axes if axis.axison]
    names = [text for axis in panels for text in (axis.title, axis.xaxis.label, axis.yaxis.label)]
    return [*figure.findobj(Legend), *(text for text in names if text.get_text().strip())]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", EVERY)
def test_every_figure_has_its_width_readable_type_and_nothing_cut(shown: Results, name: str, width: str) -> None:
    figures = shown.plot(name, width=width)
    assert figures
    for figure in figures:
        assert figure.get_figwidth() == WIDTHS[width]
        assert figure.get_figheight() <= 9.2
        with plain_text(width):
            assert {text.get_fontsize() for text in seen(figure)} <= {7.0, 8.0}
            boxes = [part.get_window_extent().transformed(figure.dpi_scale_trans.inverted()) for part in around(figure)]
            boxes.append(figure.get_tightbbox())
        assert min(box.x0 for box in boxes) >= -SLACK
        assert max(box.x1 for box in boxes) <= WIDTHS[width] + SLACK
        assert min(box.y0 for box in boxes) >= -SLACK
        assert max(box.y1 for box in boxes) <= figure.get_figheight() + SLACK


def test_title_and_caption_stand_beside_a_figure_unless_they_are_asked_for(shown: Results) -> None:
    (bare,), (titled,) = (shown.plot("per_horizon", titles=titles) for titles in (False, True))
    question = "How does the error grow with the step of the forecast?"
    assert bare.get_suptitle().startswith(question)
    assert not [text for text in seen(bare) if text.get_text().startswith(question)]
    assert [text for text in seen(titled) if text.get_text().startswith(question)]
    assert titled.get_figheight() > bare.get_figheight()
    files = figure_files(shown, ["per_horizon"], Look(formats=(".pdf",)))
    text = (files["per_horizon-1.tex"] or b"").decode()
    assert r"\includegraphics{per_horizon-1}" in text
    assert rf"\caption{{{question} Task short" in text
    assert r"\label{fig:per-horizon-1}" in text
    assert r"\begin{figure*}" in text
    narrow = figure_files(shown, ["per_horizon"], Look(width="column", formats=(".pdf",)))
    assert rb"\begin{figure}" in (narrow["per_horizon-1.tex"] or b"")


def test_axes_name_units_once_where_all_share_them_and_each_its_own_else(shown: Results) -> None:
    (figure,) = shown.plot("per_horizon")
    assert [" ".join(axis.get_ylabel().split()) for axis in figure.axes] == [f"MAE, {unit}" for unit in UNITS.values()]
    one = [record(name) for name in ("bikenyc", "taxibj")]
    (figure,) = results_of(one, suites=[load_suite("short_term")]).plot("per_horizon")
    assert [axis.get_ylabel() for axis in figure.axes] == ["MAE", ""]
    assert "A step is 30 min." in figure.get_supxlabel().replace("\n", " ")


def test_pdf_has_no_font_of_type_3_and_all_formats_are_the_same_each_time(shown: Results) -> None:
    look = Look(formats=(".pdf", ".svg", ".png"))
    one, two = (figure_files(shown, ["seeds"], look) for _ in range(2))
    assert one == two
    assert b"/Type3" not in (one["seeds-1.pdf"] or b"")
    assert b"/FontFile2" in (one["seeds-1.pdf"] or b"")
    assert (one["seeds-1.svg"] or b"").startswith(b"<?xml")


@pytest.mark.parametrize("look", [{"width": "wide"}, {"formats": (".gif",)}])
def test_a_width_or_a_format_that_is_not_known_is_told(look: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError):
        Look(**look)


def named(text: str) -> Results:
    made = record("mycity")
    return results_of([replace(made, label=replace(made.label, dataset_title=text))], suites=[load_suite("short_term")])


def test_letters_that_no_font_has_are_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.analysis.figures._fonts._others", lambda: ())
    with pytest.warns(MissingLettersWarning, match="no font of this machine has 京北, which per_horizon-1 show"):
        list(pictures(named("Taxis 北京"), ["per_horizon"], Look(formats=(".png",))))


def test_letters_of_the_usual_font_need_no_other_and_none_is_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingLettersWarning)
        (shown,) = pictures(named("Москва, Αθήνα, Łódź"), ["per_horizon"], Look(formats=(".png",)))
    assert shown.missing == ""


def test_another_font_of_the_machine_stands_in_for_what_the_usual_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = (("Other", frozenset("北")), ("Third", frozenset("京")), ("Fourth", frozenset("x")))
    monkeypatch.setattr("bench.analysis.figures._fonts._others", lambda: fonts)
    with plain_text():
        figure = new_figure("", 1.0)
        text = figure.text(0, 0, "北京")
        assert picture("one", figure, Look(formats=())).missing == ""
    assert text.get_fontfamily()[1:] == ["Other", "Third"]


def test_a_picture_of_a_data_set_says_which_letters_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from builders import make_data

    from bench.analysis.figures._dataset import draw_dataset

    data = make_data(values=np.ones((400, 2, 3, 4), dtype=np.float32))
    monkeypatch.setattr("bench.analysis.figures._fonts._others", lambda: ())
    from dataclasses import replace as with_

    with pytest.warns(MissingLettersWarning, match="北"):
        draw_dataset(with_(data, card=with_(data.card, title="北")), tmp_path / "one.png")
