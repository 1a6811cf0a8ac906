"""How the error falls with more training data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.analysis.figures._panels import BACKGROUND, Styles, highlighted, panels
from bench.analysis.groups import DataKey, Group, GroupKey, MethodKey, Summary
from bench.analysis.results import Results
from bench.analysis.stats.intervals import seed_interval
from bench.runs.suite import Suite
from bench.settings import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_FRACTIONS = 3  # that make a curve
ROOM = 0.25  # of the range of the means in colour, above and below them
CAPTION = (
    "MAE on test by the share of the training windows used (logarithmic), means over seeds. Bars: 95 % t-intervals "
    "over seeds, which say nothing of other test windows; one that leaves its panel is wider than it, and a point "
    "without one has a single seed. Methods stand a little beside each other at each share. Panels reach as far as the "
    "methods in colour, and others may lie outside. Data sets on which no "
    f"method has {FEWEST_FRACTIONS} shares are left out."
)
STEPS = "All shares are trained for as many steps, or until validation stops them."
BESIDE = 1.025  # times as far to the right stands the next method
NEEDS = (
    "finished runs of one method on one data set with at least three shares of the training data that one suite has; a "
    "suite of your own is named beside it by its TOML file"
)


def draw(results: Results) -> Iterator[Figure]:
    """For each suite with several fractions: the error against the fraction, a panel per data set."""
    for suite in results.suites:
        for groups in by_fraction(results.groups(suite)):
            whole, windows = merged(groups), groups[0].key.windows
            about = replace(whole.key, fraction=1.0).title
            title = f"How does the error fall with more training data?\n{about}, the {windows} windows"
            labels = ("training windows, %", "MAE")
            caption = f"{CAPTION} {STEPS}" if groups[0].key.equal_steps else CAPTION
            yield from panels(whole, highlighted(*groups), title, caption, draw_panel, labels)


def has_shares(suite: Suite) -> bool:
    """Whether a suite asks for enough shares to make a curve."""
    return len({TASKS[task].fraction for task in suite.tasks if task in TASKS}) >= FEWEST_FRACTIONS


def by_fraction(groups: Mapping[GroupKey, Group]) -> Iterator[list[Group]]:
    """One group for each fraction, the smallest first, which differ in nothing else; all windows belong to each list.

    Data sets on which nothing has errors at enough fractions to make a curve are left out.
    """
    few: dict[GroupKey, list[Group]] = {}
    for key, group in groups.items():
        if 0 < key.fraction < 1:
            few.setdefault(replace(key, task="", fraction=1.0), []).append(group)
    for shared, members in few.items():
        whole = replace(shared, windows="all", equal_steps=True)
        members += [group for key, group in groups.items() if replace(key, task="") == whole]
        fractions = sorted({group.key.fraction for group in members})
        shares = [merged([group for group in members if group.key.fraction == fraction]) for fraction in fractions]
        together = merged(shares)
        enough = {data for (data, _), cell in together.cells.items() if len(_errors(cell)) >= FEWEST_FRACTIONS}
        if enough:
            yield [group for share in shares if (group := share.on(enough)).cells]


def merged(groups: list[Group]) -> Group:
    """One group with the runs of all in each cell that has any."""
    cells: dict[tuple[DataKey, MethodKey], Summary] = {}
    for group in groups:
        for at, cell in group.cells.items():
            known = cells.get(at)
            if cell.runs:
                flags = dict.fromkeys((*(known.flags if known else ()), *cell.flags))
                runs = (*(known.runs if known else ()), *cell.runs)
                cells[at] = Summary(runs=runs, flags=tuple(flags), naive=cell.naive)
    tasks = dict.fromkeys(group.key.task for group in groups)
    return Group(key=replace(groups[0].key, task=", ".join(tasks)), cells=cells)


def draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    """Draw the errors of one data set against the share; the panel reaches as far as methods with a style, or all."""
    shares: set[float] = set()
    coloured = {method for method, cell in cells.items() if method in styles and _errors(cell)}
    wide = coloured if any(not cells[method].naive for method in coloured) else {*cells}
    means: list[float] = []
    for number, (method, cell) in enumerate(cells.items()):
        errors = _errors(cell)
        shares |= errors.keys()
        means += map(fmean, errors.values()) if method in wide else ()
        _draw_line(axis, errors, styles.get(method), BESIDE ** (number - (len(cells) - 1) / 2))
    axis.set_xscale("log")
    axis.set_xticks(sorted(shares), [f"{share:g}" for share in sorted(shares)])
    axis.set_xticks([], minor=True)
    if means:
        room = ROOM * (max(means) - min(means) or max(means) or 1.0)
        axis.set_ylim(max(0.0, min(means) - room), max(means) + room)


def _errors(cell: Summary) -> dict[float, list[float]]:
    """MAE of the seeds by share in percent, from the smallest share on."""
    errors: dict[float, list[float]] = {}
    for run in sorted(cell.runs, key=lambda run: (run.spec.task.fraction, run.seed)):
        mae = run.score("mae")
        if mae is not None and math.isfinite(mae):
            errors.setdefault(100 * run.spec.task.fraction, []).append(mae)
    return errors


def _draw_line(axis: Axes, errors: Mapping[float, list[float]], style: Mapping[str, Any] | None, beside: float) -> None:
    means = [fmean(values) for values in errors.values()]
    pale = {**BACKGROUND, "marker": "." if len(means) == 1 else ""}
    drawn = pale if style is None else style
    axis.plot([share * beside for share in errors], means, **drawn)
    for share, values in errors.items():
        if style is not None and len(values) > 1:
            axis.plot([share * beside] * 2, seed_interval(values), color=style["color"], linewidth=0.9, alpha=0.7)
