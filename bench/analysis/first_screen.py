"""What a reader sees first of reference results: the answer in a sentence, its figure, and a leaderboard.

All of it is of a profile that lets something be claimed; where there are no such results, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bench.analysis.answer import Answer, answer, in_short, reached
from bench.analysis.beside_others import beside_others, number
from bench.analysis.differences import Differences
from bench.analysis.figures._panels import FEW, method_names
from bench.analysis.figures.answer import curves_of
from bench.analysis.figures.fractions import merged
from bench.analysis.formats.markdown import grid
from bench.analysis.groups import Group, MethodKey, Summary
from bench.analysis.headers import best_two, dataset_headers, decimals, method_headers
from bench.analysis.inputs import inputs_of
from bench.analysis.lines import wrapped
from bench.analysis.report.headline import lead
from bench.analysis.results import Results
from bench.analysis.standings import standing
from bench.analysis.stats.comparison import Difference
from bench.analysis.stats.ranking import FEWEST_DATASETS, average_ranks
from bench.analysis.suite_groups import not_run_note
from bench.analysis.table import Cell, Header, Table, legend, legend_of
from bench.analysis.tables._differences import signed
from bench.analysis.units import steps_note, units_note
from bench.runs.suite import Suite

LEADERBOARD: Final = "short_term"  # the suite of the leaderboard
DIFFERENCES: Final = (
    "right of 0 the pre-trained weights are better. Bars: 95 % intervals over seeds and test windows; shaded: within "
    "± {margin:g} %; empty: open."
)
CURVES: Final = "MAE by the share of the training windows used. Bars: 95 % t-intervals over seeds alone."
BACKGROUND: Final = "Thin grey lines: the other methods, as far as they fit."
WIDTH: Final = 120  # letters of a line of prose
SUBJECT: Final = "pre-trained weights are"  # of the verdicts of the answer
EXPLAINED: Final = (
    "In square brackets: 95 % intervals over seeds and test windows. Equivalent: the 90 % interval is within "
    "± {margin:g} %. Open: not settled by these seeds and days of test windows. Detectable: the smallest true "
    "difference that would have been found in 80 % of cases. Verdicts are corrected for the number of comparisons on a "
    "data set, intervals are not."
)


def first_screen(results: Results, folder: str) -> str:
    """Markdown; empty without a comparison or a leaderboard that may be shown.

    Args:
        results: The reference results.
        folder: Theirs, as links name it.
    """
    outcome = answer(results)
    parts = []
    told: list[str] = []
    if outcome is not None:
        told = _explained(outcome.compared, outcome.suite)
        parts.append(_wrapped(f"**{outcome.suite.question} {outcome.short}** {_sentence(outcome)}"))
        parts.append(_wrapped(" ".join([*told, outcome.caveat])))
        parts += map(_wrapped, _planted(results, outcome))
        parts.append(f"![{outcome.suite.question} Differences and their intervals]({folder}/figures/answer-1.png)")
        parts.append(_wrapped(f"*{_how_to_read(outcome, curves_of(results, outcome))}*"))
    parts += _leaderboard(results, outcome, told)
    if not parts:
        return ""
    link = f"[reference results]({folder}/README.md)"
    return "\n\n".join([*parts, _wrapped(f"On which data, weights and machine, and by which commands: {link}.")])


def _sentence(outcome: Answer) -> str:
    """How the error changes if something else stands in the place of the pre-trained weights.

    The first of these has an interval on every data set, each other where a difference was found.
    """
    names = {data: header.text for data, header in dataset_headers(outcome.compared.datasets).items()}
    judged = {
        method: [(names[data], cell) for data, cell in outcome.of(method) if cell.quotable]
        for method in (*outcome.methods, *outcome.others)
    }
    absent = {method: [names[data] for data in outcome.absent(method)] for method in judged}
    missing = {method: f" (not run on {', '.join(data)})" if data else "" for method, data in absent.items()}
    first, *others = (method for method in outcome.methods if judged[method])
    part = f" ({outcome.compared.part})" if outcome.compared.part else ""
    numbers = ", ".join(f"{number(cell, SUBJECT)} on {name}" for name, cell in judged[first])
    parts = [
        f"With “{first.name}” in place of “{outcome.compared.title}”{part} the mean absolute error of ST-VFM "
        f"changes by {numbers}{missing[first]}."
    ]
    parts += [f"With “{method.name}”: {_verdicts(judged[method])}{missing[method]}." for method in others]
    parts += [
        f"Not counted, with “{method.name}”: {_verdicts(judged[method])}{missing[method]}."
        for method in outcome.others
        if judged[method]
    ]
    parts += [f"Not run: {outcome.not_run}."] if outcome.not_run else []
    return " ".join(parts)


def _verdicts(judged: Sequence[tuple[str, Difference]]) -> str:
    """By data set: differences that are better or worse with their intervals, then those that are neither."""
    found = [f"{number(cell, SUBJECT)} on {name}" for name, cell in judged if cell.verdict in ("better", "worse")]
    parts = [", ".join(found)] if found else []
    for verdict in ("equivalent", "open"):
        others = [f"{signed(cell.percent)} % on {name}" for name, cell in judged if cell.verdict == verdict]
        parts += [f"{verdict}: {', '.join(others)}"] if others else []
    return "; ".join(parts)


def _planted(results: Results, outcome: Answer) -> list[str]:
    """What comes of the same comparison where it is known what is true, in the profile and recipe of the answer."""
    told = []
    for suite in (suite for suite in results.suites if suite.planted):
        for key, compared in results.differences(suite).items():
            if (key.profile, key.recipe) == (outcome.key.profile, outcome.key.recipe):
                with_what = _set_up(results.groups(suite)[key], compared)
                made = f"On synthetic data made for it “{compared.title}”{with_what} is {_verdicts_by_data(compared)}."
                told.append(f"**{suite.question}** {made}")
    return told


def _set_up(group: Group, compared: Differences) -> str:
    """What is not as usual in the model that is the reference."""
    changes = sorted({method.changes for method in group.methods if method.name == compared.reference} - {""})
    return f", with {' or '.join(changes)}," if changes else ""


def _verdicts_by_data(compared: Differences) -> str:
    counts = {data: compared.on(data).counts(compared.methods) for data in compared.datasets}
    return "; ".join(f"{reached(counts[data])} on {data.title or data.dataset}" for data in counts)


def _explained(compared: Differences, suite: Suite) -> list[str]:
    """What the words of a verdict mean; and which data sets are related, if some are."""
    return [EXPLAINED.format(margin=suite.margin), *filter(None, [compared.witnesses.related])]


def _how_to_read(outcome: Answer, curves: list[Group]) -> str:
    """What the parts of the figure show, and the marks in it."""
    differences = DIFFERENCES.format(margin=outcome.suite.margin)
    if not curves:
        return differences[0].upper() + differences[1:]
    whole = merged(curves)
    marks = legend_of(method_names(whole, whole.stale).values())
    background = BACKGROUND if len(whole.methods) > FEW else ""
    days = _days_by_share(curves, outcome.compared.reference)
    return " ".join(filter(None, [f"Left: {differences} Right: {CURVES}", days, background, marks]))


def _days_by_share(curves: Sequence[Group], name: str) -> str:
    """Which days before a method reads with each share, if with some it reads others: then these are not alike."""
    read: dict[str, str] = {}
    for group in curves:
        runs = [run for (_, method), cell in group.cells.items() if method.name == name for run in cell.runs]
        days = {tuple(sorted(run.inputs.days_back)) for run in runs if run.inputs is not None}
        if days:
            texts = (f"days before ({', '.join(map(str, some))})" if some else "no day before" for some in days)
            read[f"{100 * group.key.fraction:g} %"] = " or ".join(sorted(texts))
    if len({*read.values()}) < 2:
        return ""
    return f"“{name}” reads {', '.join(f'{days} with {share}' for share, days in read.items())}."


def _leaderboard(results: Results, outcome: Answer | None, told: Sequence[str]) -> list[str]:
    """How the reference does beside all others, and what must be known of the table.

    They are of the largest group.

    Args:
        results: The reference results.
        outcome: The answer, whose first control is put in the reference's place.
        told: What the reader has been told of verdicts and data sets.
    """
    suite = next((suite for suite in results.suites if suite.name == LEADERBOARD), None)
    if suite is None:
        return []
    groups = [group for key, group in results.groups(suite).items() if key.claims]
    group = max(groups, key=lambda group: len(group.cells), default=None)
    if group is None or (ranked := standing(group, everyone=True)).scores.empty:
        return []
    table = _table(group)
    marks = f"{text}." if (text := legend([table])) else ""
    shown = f"{group.key.title}: MAE on test, {_seeds(group)}; naive baselines in italics."
    notes = " ".join(filter(None, (shown, units_note(group, ["MAE"]), steps_note(group), marks)))
    left_out = f" Left out: {'; '.join(ranked.left_out)}." if ranked.left_out else ""
    compared = results.differences(suite).get(group.key)
    beside = []
    if compared is not None and (verdicts := beside_others(compared, group, results, outcome)):
        more = [text for text in _explained(compared, suite) if text not in told]
        short = f"**{suite.question} {in_short(compared.counts(compared.methods))}**"
        beside = [_wrapped(" ".join([short, *verdicts, *more]))]
    models = standing(group)
    claim = [lead(group.key, models)] if models.enough and {*models.scores} <= {*ranked.scores} else []
    said = [f"{notes}{left_out}", not_run_note(group, suite), *claim, group.caveat]
    return [*beside, grid(table), _wrapped(" ".join(filter(None, said)))]


def _seeds(group: Group) -> str:
    seeds = sorted({cell.seeds for cell in group.cells.values() if cell.runs and not cell.naive})
    if not seeds or seeds[-1] == 1:
        return "single runs"
    span = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    return f"means ± sample standard deviations over {span} seeds"


def _table(group: Group) -> Table:
    """Methods down the page by average rank, or by error where data sets are too few for it; data sets across."""
    ranked = standing(group, everyone=True)
    by_rank = len(ranked.scores) >= FEWEST_DATASETS
    order = average_ranks(ranked.scores) if by_rank else ranked.exact.iloc[0]
    names = sorted(map(str, order.index), key=lambda name: (order[name], name))
    plain = {method: header.plain for method, header in method_headers(group.methods, group.naive).items()}
    columns = {"average rank": {name: Cell(value=f"{order[name]:.2f}") for name in names}} if by_rank else {}
    for data, row in ranked.scores.iterrows():
        cells = {plain[method]: cell for (at, method), cell in _largest_last(group) if at == data}
        columns[ranked.titles[str(data)]] = _column({str(name): float(score) for name, score in row.items()}, cells)
    read = {
        name: inputs_of(cell for (_, method), cell in group.cells.items() if plain[method] == name) for name in names
    }
    columns["reads beside the history"] = {name: Cell(value=text) for name, text in read.items()}
    return Table(
        key="leaderboard",
        heading="",
        corner="method",
        rows=tuple(ranked.headers[name] for name in names),
        columns=tuple(Header(name=name) for name in columns),
        cells=tuple(tuple(column[name] for column in columns.values()) for name in names),
    )


def _largest_last(group: Group) -> list[tuple[tuple[str, MethodKey], Summary]]:
    """Cells by the name of a data set, of whose versions the one with the most runs counts."""
    keys = sorted(group.cells, key=lambda at: (group.cells[at].seeds, at))
    return [((data.dataset, method), group.cells[data, method]) for data, method in keys]


def _column(scores: Mapping[str, float], cells: Mapping[str, Summary]) -> dict[str, Cell]:
    """The errors on one data set with their spread over seeds, the best two marked."""
    digits = decimals(min(scores.values()))
    best = best_two({name: score for name, score in scores.items() if cells[name].ranked})
    return {
        name: Cell(value=f"{score:.{digits}f}{_spread(cells[name], digits)}", rank=best.get(name, ""))
        for name, score in scores.items()
    }


def _spread(cell: Summary, digits: int) -> str:
    return f" ± {cell.std('mae'):.{digits}f}" if cell.seeds >= 2 and not cell.naive else ""


def _wrapped(text: str) -> str:
    return wrapped(text, WIDTH)
