"""Figures of tuning: what every trial of a study came to, what mattered, and where the good values lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.analysis.figures.differences import fill_lines, legend
from bench.analysis.figures.style import BLUE, FORMATS, GREY, ORANGE, Picture, Step, picture, plain_text, write_pictures
from bench.analysis.stats.importance import importance
from bench.analysis.table import Header
from bench.tuning.study import Choice, Scale, State, Study, TrialFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFIX = "tuning-"
WIDTH = 7.5  # inches
SPREAD = 4.0  # trials that are so many times farther from the best than the median is are off the scale
LONG_NAME = 12  # characters of a choice; longer ones are cut


def study_pictures(
    studies: Mapping[str, Study], *, formats: Sequence[str] = FORMATS, step: Step = lambda _: None
) -> Iterator[Picture]:
    """The figure of every study, under its name; ``step`` is told what is being drawn."""
    for name, study in studies.items():
        step(f"figures: {name}")
        with plain_text():
            drawn = picture(name, study_figure(study), formats)
        yield drawn


def write_study_figures(studies: Mapping[str, Study], folder: Path, *, alone: bool = False) -> list[Path]:
    """Write ``study_pictures`` as files; with ``alone``, drop those of studies not here.

    Raises:
        StoreError: If the folder cannot be written.
    """
    return write_pictures(study_pictures(studies), folder, lambda stem: alone and stem.startswith(PREFIX))


def study_figure(study: Study) -> Figure:
    """One study: the trials in their order and the best so far, what mattered, and the trials by every setting."""
    from matplotlib.figure import Figure

    names = sorted(study.space)
    columns = len(names) if len(names) < 3 else min((4, 3), key=lambda count: (-len(names) % count, -count))
    rows = math.ceil(len(names) / columns) if len(names) > 1 else 0
    figure = Figure(figsize=(WIDTH, 1.4 + 1.8 * (1 + rows)), dpi=200, layout="constrained")
    figure.suptitle(_title(study), fontsize=10)
    parts = figure.subfigures(1 + (rows > 0), 1, squeeze=False, height_ratios=[1.1, rows][: 1 + (rows > 0)])[:, 0]
    view = _view([trial for trial in study.trials if trial.reached is not None])
    shares = importance(study)
    history, corner = parts[0].subplots(1, 2, width_ratios=[2.6, 1])
    _history(history, study, view)
    if rows:
        _importance(corner, shares)
        _slices(parts[1].subplots(rows, columns, squeeze=False, sharey=True), names, study, view)
    else:
        _slice(corner, names[0], study, view)
    figure.supxlabel(fill_lines(_caption(study, view, shares), 1.25 * WIDTH), fontsize=8)
    return figure


def _headers(study: Study) -> tuple[Header, Header]:
    return (
        Header(name=study.model, flags=("random_weights",) if study.weights == "random" else ()),
        Header(name=study.dataset, flags=("stand_in",) if study.stand_in else ()),
    )


def _title(study: Study) -> str:
    model, dataset = _headers(study)
    counts: dict[State, str] = {"pruned": "stopped early", "failed": "failed"}
    others = [f"{study.count(state)} {text}" for state, text in counts.items() if study.count(state)]
    finished = study.count("complete") + study.count("pruned")
    parts = [f"Task {study.task}", f"protocol {study.protocol}", f"profile {study.profile}"]
    parts += [f"{finished} finished trial{'s' * (finished != 1)}" + (f" ({', '.join(others)})" if others else "")]
    parts += [f"with {', '.join(study.fixed)}"] if study.fixed else []
    question = f"Which settings suit {model.text} on {dataset.text}, and has the search settled?"
    return fill_lines(f"{question}\n{', '.join(parts)}", WIDTH)


class _View:
    """The span of errors that is shown, and where an error is drawn."""

    def __init__(self, low: float, high: float, *, cut: bool) -> None:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        self.low, self.high, self.cut = low - margin, high + margin * (2 if cut else 1), cut
        self._top = high

    def off(self, value: float) -> bool:
        return value > self._top

    def at(self, value: float) -> float:
        return self.high if self.off(value) else value


def _view(trials: Sequence[TrialFacts]) -> _View:
    """All errors, unless a few are so large that the others would lie on one line."""
    values = sorted(trial.reached for trial in trials if trial.reached is not None)
    if not values:
        return _View(0.0, 1.0, cut=False)
    default = max((trial.reached for trial in trials if trial.default and trial.reached is not None), default=values[0])
    top = max(values[0] + SPREAD * (median(values) - values[0]), default)
    top = top if top > values[0] else values[-1]
    shown = [value for value in values if value <= top]
    return _View(values[0], shown[-1], cut=len(shown) < len(values))


def _history(axis: Axes, study: Study, view: _View) -> None:
    from matplotlib.ticker import MaxNLocator

    default = next((trial.reached for trial in study.trials if trial.default and trial.reached is not None), None)
    if default is not None:
        axis.axhline(default, color=ORANGE, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    steps, best = _best_so_far(study.trials)
    if steps:
        last = max(trial.number for trial in study.trials) + 1
        axis.plot([*steps, last], [*best, best[-1]], color=BLUE, linewidth=1.3, drawstyle="steps-post", zorder=1)
    for trial in study.trials:
        _point(axis, trial.number + 1, trial, view)
        if trial.state == "failed":
            axis.plot(trial.number + 1, view.high, "x", color=ORANGE, markersize=5, clip_on=False)
    axis.set_ylim(view.low, view.high)
    axis.set_xlim(0.4, max((trial.number for trial in study.trials), default=0) + 1.6)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.ticklabel_format(axis="y", useOffset=False)
    axis.set_xlabel("trial", fontsize=8)
    axis.set_ylabel("validation MAE", fontsize=8)
    _key(axis, study, view)
    _plain(axis)


def _best_so_far(trials: Sequence[TrialFacts]) -> tuple[list[int], list[float]]:
    """Numbers from 1 of complete trials, and the lowest error until then."""
    found = [(trial.number + 1, trial.value) for trial in trials if trial.state == "complete"]
    known = [(number, value) for number, value in found if value is not None]
    return [number for number, _ in known], [min(v for _, v in known[: place + 1]) for place in range(len(known))]


def _point(axis: Axes, x: float, trial: TrialFacts, view: _View) -> None:
    """A trial at its error: filled if it is complete, hollow if it was stopped, a diamond if it is the default."""
    if (value := trial.reached) is None:
        return
    colour = ORANGE if trial.default else BLUE if trial.state == "complete" else GREY
    sign, size = ("^", 5.0) if view.off(value) else ("D", 5.0) if trial.default else ("o", 4.0)
    face = colour if trial.state == "complete" else "none"
    axis.plot(
        x,
        view.at(value),
        sign,
        color=colour,
        markersize=size,
        markerfacecolor=face,
        markeredgewidth=0.9,
        zorder=3 if trial.default else 2,
        clip_on=False,
    )


def _key(axis: Axes, study: Study, view: _View) -> None:
    """What the marks mean, above the panel; those that occur."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", color=BLUE, markersize=4, label="complete"),
        Line2D(
            [], [], marker="o", linestyle="", color=GREY, markersize=4, markerfacecolor="none", label="stopped early"
        ),
        Line2D([], [], marker="D", linestyle=(0, (4, 2)), color=ORANGE, markersize=5, linewidth=0.9, label="default"),
        Line2D([], [], color=BLUE, linewidth=1.3, label="best so far"),
        Line2D([], [], marker="x", linestyle="", color=ORANGE, markersize=5, label="failed"),
        Line2D([], [], marker="^", linestyle="", color=GREY, markersize=5, label="off the scale"),
    ]
    states = {trial.state for trial in study.trials}
    absent = {"stopped early": "pruned" not in states, "failed": "failed" not in states, "off the scale": not view.cut}
    absent["default"] = not any(trial.default and trial.reached is not None for trial in study.trials)
    shown = [handle for handle in handles if not absent.get(str(handle.get_label()))]
    axis.set_title(" ", fontsize=8)  # room for it, whatever its width
    found = axis.legend(
        handles=shown,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.1,
        ncols=len(shown),
        fontsize=7,
        frameon=False,
        columnspacing=1.2,
        handlelength=1.6,
    )
    found.set_in_layout(False)


def _importance(axis: Axes, found: Mapping[str, float] | str) -> None:
    axis.set_title("importance", fontsize=8)
    if isinstance(found, str):
        axis.set_axis_off()
        axis.text(0.5, 0.5, found, ha="center", va="center", fontsize=8, color=GREY, transform=axis.transAxes)
        return
    names = sorted(found, key=lambda name: (found[name], name))
    axis.barh(range(len(names)), [found[name] for name in names], color=BLUE, height=0.6)
    axis.set_yticks(range(len(names)), [_short(name) for name in names])
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axis.tick_params(axis="y", length=0)
    _plain(axis, "x")


def _slices(axes: Any, names: Sequence[str], study: Study, view: _View) -> None:
    """A panel for every setting in the rows and columns of ``axes``; panels that are over stay empty."""
    for axis, name in zip(axes.flat, names, strict=False):
        _slice(axis, name, study, view)
    for axis in axes[:, 0]:
        axis.set_ylabel("validation MAE", fontsize=8)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_axis_off()


def _slice(axis: Axes, name: str, study: Study, view: _View) -> None:
    scale = study.space[name]
    for trial in study.trials:
        if name in trial.params:
            _point(axis, _place(scale, trial.params[name]), trial, view)
    best = min(
        (
            trial
            for trial in study.trials
            if trial.state == "complete" and trial.value is not None and name in trial.params
        ),
        key=lambda trial: (trial.value or 0.0, trial.number),
        default=None,
    )
    if best is not None and best.value is not None:
        place = _place(scale, best.params[name])
        axis.plot(place, best.value, "o", color="black", markersize=8.5, markerfacecolor="none", clip_on=False)
    _ticks(axis, scale)
    axis.set_ylim(view.low, view.high)
    axis.ticklabel_format(axis="y", useOffset=False)
    axis.set_xlabel(_short(name), fontsize=8)
    _plain(axis)


def _place(scale: Scale, value: Choice) -> float:
    if scale.choices is None:
        return float(value)
    same = (type(choice) is type(value) and choice == value for choice in scale.choices)
    return float(next((place for place, found in enumerate(same) if found), scale.choices.index(value)))


def _ticks(axis: Axes, scale: Scale) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    if scale.choices is not None:
        texts = [_cut(str(choice)) for choice in scale.choices]
        turn = 30 if sum(map(len, texts)) > 24 else 0
        axis.set_xticks(range(len(texts)), texts, rotation=turn, ha="right" if turn else "center")
        axis.set_xlim(-0.5, len(texts) - 0.5)
        return
    if scale.log:
        axis.set_xscale("log")
        subs = (1.0, 3.0) if scale.high / scale.low < 1e3 else (1.0,)
        axis.xaxis.set_major_locator(LogLocator(subs=subs))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_xlim(scale.low / 1.15, scale.high * 1.15)
        return
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=scale.whole))
    margin = 0.05 * (scale.high - scale.low) or 0.5
    axis.set_xlim(scale.low - margin, scale.high + margin)


def _caption(study: Study, view: _View, shares: Mapping[str, float] | str) -> str:
    several = len(study.space) > 1
    text = f"{'Top left' if several else 'Left'}: error on validation of every trial, in the order in which they began"
    text += "; one that was stopped early at the lowest error it had reached. " if study.count("pruned") else ". "
    if not isinstance(shares, str):
        text += (
            "Top right: main effect of each setting as a share of all main effects, by fANOVA on the "
            f"{study.count('complete')} complete trials. "
        )
    text += f"{'Below' if several else 'Right'}: the same trials by setting; ring: the best."
    if view.cut:
        largest = max(trial.reached for trial in study.trials if trial.reached is not None)
        text += f" Trials off the scale stand at its upper end; the largest came to {largest:.3g}."
    return f"{text} {legend([header.text for header in _headers(study)])}".strip()


def _short(name: str) -> str:
    return name.partition(".")[2] or name


def _cut(text: str) -> str:
    return text if len(text) <= LONG_NAME else f"{text[: LONG_NAME - 1]}…"


def _plain(axis: Axes, grid: str = "both") -> None:
    axis.grid(axis="x" if grid == "x" else "both", alpha=0.3)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
