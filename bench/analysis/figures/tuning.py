"""What the trials of each study came to, which settings mattered, and where their good values lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.analysis.figures._style import BLUE, GREY, ORANGE, add_caption, is_narrow, new_figure, plain, whole_numbers
from bench.analysis.results import Results
from bench.analysis.stats.importance import importance
from bench.analysis.table import Flag, marked
from bench.catalog.titles import dataset_title, model_title
from bench.settings import RANDOM
from bench.tuning.study import Choice, Scale, State, Study, TrialFacts, edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SPREAD = 4.0  # trials that are so many times farther from the best than the median is are off the scale
LONG_NAME = 12  # characters of a choice; longer ones are cut
NARROW_MARKS = 3  # of the legend, side by side in one column of a page
DASHED = (0, (4, 2))
NEEDS = "a study, which bench.tune or 'stbench tune' makes"


class ErrorAxis(NamedTuple):
    """The axis of validation errors.

    Attributes:
        low, high: Its limits.
        largest: The largest error on the scale.
        cut: Whether there are larger ones, which stand at its upper end with a mark of their own.
    """

    low: float
    high: float
    largest: float
    cut: bool


def draw(results: Results) -> Iterator[Figure]:
    """A figure for each study, labelled ``<data set>-<model>``, and ``-<task>`` where the task is not short.

    A variant is named as its file is.
    """
    for study in results.studies:
        figure = draw_study(study)
        figure.set_label("-".join([study.dataset, study.name, *([study.task] if study.task != "short" else [])]))
        yield figure


def draw_study(study: Study) -> Figure:
    """The trials in their order and the best so far, what mattered, and the trials by every setting."""
    names = sorted(study.space)
    choices = (2,) if is_narrow() else (4, 3)
    columns = min(len(names), min(choices, key=lambda count: (-len(names) % count, -count)))
    rows = math.ceil(len(names) / columns) if len(names) > 1 else 0
    first = 2.9 if is_narrow() else 1.7
    heights = [first, 1.35 * rows] if rows else [first]
    figure = new_figure(_title(study), sum(heights))
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    errors, shares = _error_axis(study), importance(study)
    history, corner = _first_panels(parts[0])
    _draw_history(history, study, errors)
    if rows:
        _draw_importance(corner, shares)
        _draw_settings(parts[1].subplots(rows, columns, squeeze=False, sharey=True), study, errors)
    else:
        _draw_setting(corner, names[0], study, errors)
    add_caption(figure, _caption(study, errors, shares), _names(study))
    return figure


def _first_panels(part: SubFigure) -> tuple[Axes, Axes]:
    """Side by side; in one column of a page the one above the other."""
    if is_narrow():
        history, corner = part.subplots(2, 1, height_ratios=[1.3, 1])
    else:
        history, corner = part.subplots(1, 2, width_ratios=[2.6, 1])
    return history, corner


def _names(study: Study) -> tuple[str, str]:
    """Of the model and the data set, with their marks."""
    weights: tuple[Flag, ...] = ("random_weights",) if study.weights in RANDOM else ()
    return marked(model_title(study.model), weights), marked(
        dataset_title(study.dataset), ("synthetic",) if study.synthetic else ()
    )


def _title(study: Study) -> str:
    model, dataset = _names(study)
    words: dict[State, str] = {"pruned": "stopped early", "failed": "failed"}
    others = [f"{study.count(state)} {text}" for state, text in words.items() if study.count(state)]
    finished = study.count("complete") + study.count("pruned")
    parts = [f"Task {study.task}", f"protocol {study.protocol}", f"profile {study.profile}"]
    parts += [f"{finished} finished trial{'s' * (finished != 1)}" + (f" ({', '.join(others)})" if others else "")]
    held = (*study.variant, *study.fixed)
    parts += [f"with {', '.join(held)}"] if held else []
    return f"Which settings suit {model} on {dataset}, and has the search settled?\n{', '.join(parts)}"


def _defaults(study: Study) -> list[float]:
    """What the trials of the default settings came to."""
    return [trial.reached for trial in study.trials if trial.default and trial.reached is not None]


def _completed(study: Study) -> list[tuple[float, TrialFacts]]:
    """The complete trials that have an error, with it."""
    return [(trial.value, trial) for trial in study.trials if trial.state == "complete" and trial.value is not None]


def _error_axis(study: Study) -> ErrorAxis:
    """For all errors, unless a few are so large that the others would lie on one line."""
    values = sorted(trial.reached for trial in study.trials if trial.reached is not None)
    shown = values or [0.0, 1.0]
    top = max([shown[0] + SPREAD * (median(shown) - shown[0]), *_defaults(study)])
    shown = [value for value in shown if value <= top or top == shown[0]]
    low, high, cut = shown[0], shown[-1], len(shown) < len(values)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return ErrorAxis(low=low - margin, high=high + margin * (2 if cut else 1), largest=high, cut=cut)


def _draw_history(axis: Axes, study: Study, errors: ErrorAxis) -> None:
    last = max((trial.number for trial in study.trials), default=0)
    for default in _defaults(study)[:1]:
        axis.axhline(default, color=ORANGE, linewidth=0.9, linestyle=DASHED, zorder=1)
    if completed := _completed(study):
        steps = [*(trial.number for _, trial in completed), last]
        values = [value for value, _ in completed]
        best = [min(values[:count]) for count in range(1, len(values) + 1)]
        axis.plot(steps, [*best, best[-1]], color=BLUE, linewidth=1.3, drawstyle="steps-post", zorder=1)
    for trial in study.trials:
        _draw_trial(axis, trial.number, trial, errors)
        if trial.state == "failed":
            axis.plot(trial.number, errors.high, "x", color=ORANGE, markersize=5, clip_on=False)
    _limit(axis, errors)
    axis.set_xlim(-0.6, last + 0.6)
    whole_numbers(axis.xaxis)
    axis.set_xlabel("trial")
    axis.set_ylabel("validation MAE")
    _add_legend(axis, study, errors)
    plain(axis)


def _limit(axis: Axes, errors: ErrorAxis) -> None:
    axis.set_ylim(errors.low, errors.high)
    axis.ticklabel_format(axis="y", useOffset=False)


def _draw_trial(axis: Axes, x: float, trial: TrialFacts, errors: ErrorAxis) -> None:
    """A trial at its error: filled if it is complete, hollow if it was stopped, a diamond if it is the default."""
    if (value := trial.reached) is None:
        return
    off = value > errors.largest
    colour = ORANGE if trial.default else BLUE if trial.state == "complete" else GREY
    sign, size = ("^", 5.0) if off else ("D", 5.0) if trial.default else ("o", 4.0)
    axis.plot(
        x,
        errors.high if off else value,
        sign,
        color=colour,
        markersize=size,
        markerfacecolor=colour if trial.state == "complete" else "none",
        markeredgewidth=0.9,
        zorder=3 if trial.default else 2,
        clip_on=False,
    )


def _add_legend(axis: Axes, study: Study, errors: ErrorAxis) -> None:
    """What the marks mean, above the panel; those that occur."""
    from matplotlib.lines import Line2D

    small = {"marker": "o", "markersize": 4}
    marks: list[tuple[str, bool, dict[str, Any]]] = [
        ("complete", True, {**small, "color": BLUE}),
        ("stopped early", study.count("pruned") > 0, {**small, "color": GREY, "markerfacecolor": "none"}),
        ("default", bool(_defaults(study)), {"marker": "D", "color": ORANGE, "linestyle": DASHED, "linewidth": 0.9}),
        ("best so far", True, {"color": BLUE, "linestyle": "-", "linewidth": 1.3}),
        ("failed", study.count("failed") > 0, {"marker": "x", "color": ORANGE}),
        ("off the scale", errors.cut, {"marker": "^", "color": GREY}),
    ]
    usual = {"linestyle": "", "markersize": 5}
    handles = [Line2D([], [], label=label, **{**usual, **style}) for label, occurs, style in marks if occurs]
    columns = min(len(handles), NARROW_MARKS if is_narrow() else len(handles))
    axis.set_title("\n".join(" " * math.ceil(len(handles) / columns)))  # room for it, whatever its width
    legend = axis.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.1,
        ncols=columns,
        frameon=False,
        columnspacing=1.2,
        handlelength=1.6,
    )
    legend.set_in_layout(False)


def _draw_importance(axis: Axes, shares: Mapping[str, float] | str) -> None:
    axis.set_title("importance")
    if isinstance(shares, str):
        axis.set_axis_off()
        axis.text(0.5, 0.5, shares, ha="center", va="center", color=GREY, transform=axis.transAxes)
        return
    names = sorted(shares, key=lambda name: (shares[name], name))
    axis.barh(range(len(names)), [shares[name] for name in names], color=BLUE, height=0.6)
    axis.set_yticks(range(len(names)), [_short(name) for name in names])
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axis.tick_params(axis="y", length=0)
    plain(axis, "x")


def _draw_settings(axes: Any, study: Study, errors: ErrorAxis) -> None:
    """A panel for every setting; the cells of the grid that are left over stay empty."""
    for axis, name in zip(axes.flat, sorted(study.space), strict=False):
        _draw_setting(axis, name, study, errors)
    for axis in axes[:, 0]:
        axis.set_ylabel("validation MAE")
    for axis in axes.flat[len(study.space) :]:
        axis.set_axis_off()


def _draw_setting(axis: Axes, name: str, study: Study, errors: ErrorAxis) -> None:
    scale = study.space[name]
    for trial in study.trials:
        if name in trial.params:
            _draw_trial(axis, _position(scale, trial.params[name]), trial, errors)
    completed = [(value, trial) for value, trial in _completed(study) if name in trial.params]
    if completed:
        value, best = min(completed, key=lambda pair: (pair[0], pair[1].number))
        x = _position(scale, best.params[name])
        axis.plot(x, value, "o", color="black", markersize=8.5, markerfacecolor="none", clip_on=False)
    _set_ticks(axis, scale)
    _limit(axis, errors)
    axis.set_xlabel(_short(name))
    plain(axis)


def _position(scale: Scale, value: Choice) -> float:
    """Where a value stands across; True is another choice than 1."""
    if scale.choices is None:
        return float(value)
    same = (type(choice) is type(value) and choice == value for choice in scale.choices)
    return float(next((number for number, equal in enumerate(same) if equal), scale.choices.index(value)))


def _set_ticks(axis: Axes, scale: Scale) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    if scale.choices is not None:
        texts = [_cut(str(choice)) for choice in scale.choices]
        turn = 30 if sum(map(len, texts)) > 24 else 0
        axis.set_xticks(range(len(texts)), texts, rotation=turn, ha="right" if turn else "center")
        axis.set_xlim(-0.5, len(texts) - 0.5)
    elif scale.log:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if scale.high / scale.low < 1e2 else (1.0,)))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_xlim(scale.low / 1.15, scale.high * 1.15)
    else:
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=scale.whole))
        margin = 0.05 * (scale.high - scale.low) or 0.5
        axis.set_xlim(scale.low - margin, scale.high + margin)


def _caption(study: Study, errors: ErrorAxis, shares: Mapping[str, float] | str) -> str:
    left, shared, right = _places(len(study.space) > 1)
    text = f"{left}: error on validation of every trial, in the order in which they began"
    text += "; one that was stopped early at the lowest error it had reached. " if study.count("pruned") else ". "
    if not isinstance(shares, str):
        text += (
            f"{shared}: main effect of each setting as a share of all main effects, by fANOVA on the "
            f"{study.count('complete')} complete trials. "
        )
    text += f"{right}: the same trials by setting; ring: the best."
    best = study.best
    if best is not None and (names := edges(study.space, best.params)):
        text += f" At the edge of its range: {', '.join(map(_short, names))}; a better value may lie beyond."
    if errors.cut:
        largest = max(trial.reached for trial in study.trials if trial.reached is not None)
        text += f" Trials off the scale stand at its upper end; the largest came to {largest:.3g}."
    return text


def _places(several: bool) -> tuple[str, str, str]:
    """Where the history, the shares and the settings stand."""
    if is_narrow():
        return ("Top", "Second", "Below") if several else ("Above", "", "Below")
    return ("Top left", "Top right", "Below") if several else ("Left", "", "Right")


def _short(name: str) -> str:
    return name.partition(".")[2] or name


def _cut(text: str) -> str:
    return text if len(text) <= LONG_NAME else f"{text[: LONG_NAME - 1]}…"
