"""What a reader sees first of reference results: the answer in a sentence, its figure, and a leaderboard.

All of it is of a profile that lets something be claimed; where there are no such results, nothing is said.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final

from bench.analysis.answer import Answer, answer
from bench.analysis.differences import Differences
from bench.analysis.figures._panels import method_names
from bench.analysis.figures.answer import curves_of
from bench.analysis.formats.markdown import grid
from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import best_two, dataset_headers, decimals, method_headers
from bench.analysis.inputs import inputs_of
from bench.analysis.results import Results
from bench.analysis.standings import standing
from bench.analysis.stats.comparison import Difference, Verdict
from bench.analysis.stats.ranking import FEWEST_DATASETS, average_ranks
from bench.analysis.suite_groups import not_run_note
from bench.analysis.table import Cell, Header, Table, legend, legend_of
from bench.analysis.tables._differences import detectable, signed
from bench.analysis.units import steps_note, units_note

LEADERBOARD: Final = "short_term"  # the suite of the leaderboard
MOST_NAMED: Final = 3  # methods that the reference is better than, or data sets, in a sentence
DIFFERENCES: Final = (
    "right of 0 the pre-trained weights are better. Bars: 95 % intervals over seeds and test windows; shaded: within "
    "± {margin:g} %; empty: open."
)
CURVES: Final = "MAE by the share of the training windows used. Bars: 95 % t-intervals over seeds alone."
WIDTH: Final = 120  # letters of a line of prose
BESIDE: Final[Mapping[Verdict, str]] = {
    "better": "better than", "worse": "worse than", "equivalent": "equivalent to", "open": "open beside"
}  # fmt: skip


def first_screen(results: Results, folder: str) -> str:
    """Markdown; empty without a comparison or a leaderboard that may be shown.

    Args:
        results: The reference results.
        folder: Theirs, as links name it.
    """
    outcome, leaderboard = answer(results), _leaderboard(results)
    parts = []
    if outcome is not None:
        parts.append(_wrapped(f"**{outcome.suite.question} {outcome.short}** {_sentence(outcome)}"))
        parts.append(f"![{outcome.suite.question} Differences and their intervals]({folder}/figures/answer-1.png)")
        parts.append(_wrapped(f"*{_how_to_read(outcome, curves_of(results, outcome))}*"))
    parts += leaderboard
    if not parts:
        return ""
    link = f"[reference results]({folder}/README.md)"
    return "\n\n".join([*parts, _wrapped(f"On which data, weights and machine, and by which commands: {link}.")])


def _sentence(outcome: Answer) -> str:
    """What changes if something else stands in the backbone's place: numbers for the first, verdicts for the others."""
    first, *others = outcome.methods
    names = {data: header.text for data, header in dataset_headers(outcome.datasets).items()}
    part = f" ({outcome.compared.part})" if outcome.compared.part else ""
    numbers = ", ".join(
        f"{_number(difference, 'pre-trained weights are')} on {names[data]}" for data, difference in outcome.of(first)
    )
    counts = "; ".join(f"beside “{method.name}”: {_counts(outcome, method, names)}" for method in others)
    text = (
        f"With “{first.name}” in place of “{outcome.compared.title}”{part} the mean absolute error of ST-VFM "
        f"changes by {numbers}. The 95 % intervals are over seeds and test windows. Equivalent: within ± "
        f"{outcome.suite.margin:g} %; open: not enough data to say better, worse or equivalent."
    )
    beside = f" Pre-trained weights {counts}." if others else ""
    absent = f" Not run: {outcome.not_run}." if outcome.not_run else ""
    return f"{text}{beside}{absent} {outcome.caveat}"


def _how_to_read(outcome: Answer, curves: Group | None) -> str:
    """What the parts of the figure show, and the marks in it."""
    differences = DIFFERENCES.format(margin=outcome.suite.margin)
    if curves is None:
        return differences[0].upper() + differences[1:]
    marks = legend_of(method_names(curves, curves.stale).values())
    return f"Left: {differences} Right: {CURVES} {marks}".strip()


def _number(difference: Difference, reference_is: str) -> str:
    """A difference with its interval and what it says of the reference."""
    if difference.uncertainty is None:
        return f"{signed(difference.percent)} % (too few seeds for an interval)"
    verdict = f"{reference_is} {difference.verdict}"
    if difference.verdict == "equivalent":
        verdict = "equivalent"
    if difference.verdict == "open":
        verdict = (
            "open" if difference.lacking else f"open; {detectable(difference)} % would have been found in 80 % of cases"
        )
    return f"{_percent(difference)} ({verdict})"


def _counts(outcome: Answer, method: MethodKey, names: Mapping[DataKey, str]) -> str:
    """The verdicts on the reference against a method, in numbers of data sets; with what was found better or worse."""
    counts, parts = outcome.compared.counts([method]), []
    if sum(counts.values()) == 1:
        return max(counts, key=lambda verdict: counts[verdict])
    for verdict, number in counts.items():
        found = [f"{names[data]}: {_percent(each)}" for data, each in outcome.of(method) if each.verdict == verdict]
        shown = f" ({'; '.join(found)})" if verdict in ("better", "worse") and number <= MOST_NAMED else ""
        parts += [f"{verdict} on {number}{shown}"] if number else []
    return f"{', '.join(parts)} of {sum(counts.values())}"


def _percent(difference: Difference) -> str:
    return f"{signed(difference.percent)} % [{', '.join(map(signed, difference.interval))}]"


def _leaderboard(results: Results) -> list[str]:
    """How the reference does beside all others, and what must be known of the table.

    They are of the largest group.
    """
    suite = next((suite for suite in results.suites if suite.name == LEADERBOARD), None)
    groups = [] if suite is None else [group for key, group in results.groups(suite).items() if key.claims]
    group = max(groups, key=lambda group: len(group.cells), default=None)
    ranked = None if group is None else standing(group, everyone=True)
    if group is None or ranked is None or ranked.scores.empty:
        return []
    table = _table(group)
    marks = f"{text}." if (text := legend([table])) else ""
    said = f"{group.key.title}: MAE on test, {_seeds(group)}; naive baselines in italics."
    notes = " ".join(filter(None, (said, units_note(group, ["MAE"]), steps_note(group), marks)))
    left_out = f" Left out: {'; '.join(ranked.left_out)}." if ranked.left_out else ""
    absent = "" if suite is None else not_run_note(group, suite)
    compared = None if suite is None else results.differences(suite).get(group.key)
    beside = "" if compared is None else _wrapped(f"{_beside_others(compared)} {_without_days(compared, group)}")
    return [
        *([beside] if beside else []),
        grid(table),
        _wrapped(f"{notes}{left_out} {absent} {group.caveat}"),
    ]


def _beside_others(compared: Differences) -> str:
    """The verdicts on the reference by data set, and its difference from the best of the others; empty without any."""
    reference, parts = f"{compared.title}{compared.mark}", []
    for data, header in dataset_headers(compared.datasets).items():
        cells = {method: cell for (at, method), cell in compared.cells.items() if at == data and cell.quotable}
        if not cells:
            continue
        counts = compared.on(data).counts(cells)
        best = min(cells, key=lambda method: (cells[method].percent, method))
        better = ", ".join(method_headers([m])[m].text for m in cells if cells[m].verdict == "better")
        named = {"better": f" ({better})"} if 0 < counts["better"] <= MOST_NAMED else {}
        verdicts = ", ".join(f"{BESIDE[v]} {number}{named.get(v, '')}" for v, number in counts.items() if number)
        name, number = method_headers([best])[best].text, _number(cells[best], f"{reference} is")
        on = f"{header.text} ({cells[best].days} days of test windows)"
        apart = f"the difference of {name}, the best of these, from it is {number}"
        parts.append(f"{verdicts} of {len(cells)} on {on}; {apart}")
    return f"By mean absolute error {reference} is {'. It is '.join(parts)}." if parts else ""


def _without_days(compared: Differences, group: Group) -> str:
    """Which methods that the reference is better than on all data sets read no days before, as it does; or nothing."""
    with_days, without = _reading_days(group, read=True), _reading_days(group, read=False)
    counts = {method: compared.counts([method]) for method in compared.methods}
    beaten = {method for method, number in counts.items() if 0 < number["better"] == sum(number.values())}
    less = sorted(beaten & without - with_days)
    if not less or compared.reference not in {method.name for method in with_days}:
        return ""
    names = ", ".join(method_headers([method])[method].text for method in less)
    those, do = names if len(less) <= MOST_NAMED else f"{len(less)} methods", "does" if len(less) == 1 else "do"
    return f"{compared.title} reads days before; {those}, which it is better than, {do} not."


def _reading_days(group: Group, *, read: bool) -> set[MethodKey]:
    """The methods with a run whose record says that it read days before, or that it did not."""
    runs = [(method, run.inputs) for (_, method), cell in group.cells.items() for run in cell.runs]
    return {method for method, inputs in runs if inputs is not None and bool(inputs.days_back) is read}


def _seeds(group: Group) -> str:
    seeds = sorted({cell.seeds for cell in group.cells.values() if cell.runs and not cell.naive})
    return (
        f"means ± sample standard deviations over {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds"
        if seeds
        else "single runs"
    )


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
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
