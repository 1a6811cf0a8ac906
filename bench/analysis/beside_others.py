"""How a reference does beside all others, in sentences: verdicts, who the beaten ones are, and its control instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.analysis.answer import Answer
from bench.analysis.channels import pooled
from bench.analysis.differences import Differences
from bench.analysis.groups import DataKey, Group, MethodKey
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.results import Results
from bench.analysis.stats.comparison import Difference, Verdict
from bench.analysis.tables._differences import detectable, signed
from bench.plain_text import counted

MOST_NAMED: Final = 3  # methods that the reference is better than, in a sentence
BESIDE: Final[Mapping[Verdict, str]] = {
    "better": "better than", "worse": "worse than", "equivalent": "equivalent to", "open": "open beside"
}  # fmt: skip


def beside_others(compared: Differences, group: Group, results: Results, outcome: Answer | None) -> list[str]:
    """Sentences on what a group says of its reference; none without a verdict that may be quoted.

    Args:
        compared: The reference beside all others.
        group: Of these.
        results: All of them, the controls among them.
        outcome: The answer, whose first control is put in the reference's place.
    """
    verdicts = _by_data(compared)
    if not verdicts:
        return []
    instead = "" if outcome is None else _control_instead(compared, group, results, outcome)
    return [verdicts, *filter(None, (_weak_ones(compared, group), _without_days(compared, group), instead))]


def _by_data(compared: Differences) -> str:
    """The verdicts on the reference by data set, and its difference from the best of the others; empty without any."""
    parts: list[str] = []
    reference = f"{compared.title}{compared.mark}"
    for data, header in dataset_headers(compared.datasets).items():
        cells = {method: cell for (at, method), cell in compared.cells.items() if at == data and cell.quotable}
        if not cells:
            continue
        counts = compared.on(data).counts(cells)
        better = [method_headers([m])[m].text for m in cells if cells[m].verdict == "better"]
        named = {"better": f" ({', '.join(better)})"} if len(better) <= MOST_NAMED else {}
        verdicts = ", ".join(f"{BESIDE[v]} {number}{named.get(v, '')}" for v, number in counts.items() if number)
        best = min(cells, key=lambda method: (cells[method].percent, method))
        name, difference = method_headers([best])[best].text, number(cells[best], f"{reference} is")
        days = counted(cells[best].days, "day")
        parts.append(
            f"On {header.text} ({days} of test windows) {reference} is {verdicts} of {counted(len(cells), 'other')}; "
            f"the error of {name}, the best of them, differs from that of {reference} by {difference}."
        )
    return " ".join(parts)


def _weak_ones(compared: Differences, group: Group) -> str:
    """Of those that the reference is better than, how many are naive, or no better than the best naive baseline.

    Data sets whose channels differ in unit have no error over all of them, and count for neither.
    """
    cells = pooled(group).cells
    found = [cells[at] for at, cell in compared.cells.items() if at in cells and cell.verdict == "better"]
    naive = sum(cell.naive for cell in found)
    weak = sum(cell.mean("mae") >= cell.naive_mae for cell in found if not cell.naive)
    if not (naive or weak):
        return ""
    return (
        f"Of the {len(found)} where it is better, {naive} are beside naive baselines and {weak} beside models whose "
        "error is no less than that of the best naive baseline on the same data set."
    )


def _control_instead(compared: Differences, group: Group, results: Results, outcome: Answer) -> str:
    """On how many data sets the reference has the least error, and its first control would have it in its place."""
    controls = results.groups(outcome.suite)[outcome.key]
    if controls.key != group.key:
        return ""
    control = next(method for method in outcome.methods if any(cell.quotable for _, cell in outcome.of(method)))
    judged = [data for data, cell in outcome.of(control) if cell.quotable]
    whole = pooled(group)
    known = {data: place for data in judged if (place := _places(compared, whole, data, controls, control)) is not None}
    if not known:
        return ""
    own, instead = (sum(first) for first in zip(*known.values(), strict=True))
    headers = dataset_headers(compared.datasets)
    names = f" ({', '.join(headers[data].text for data in known)})" if len(known) < len(headers) else ""
    return (
        f"{compared.title} has the least error on {own} of {counted(len(known), 'data set')}{names}; with "
        f"“{control.name}” in its place that would be {instead}."
    )


def _places(
    compared: Differences, group: Group, data: DataKey, controls: Group, control: MethodKey
) -> tuple[bool, bool] | None:
    """Whether the reference, and its control in its place, has less error than all others; None if it is not known."""
    own = compared.base(group, data, control)
    others = [cell for method, cell in group.of(data).items() if cell.ranked and method.name != compared.reference]
    if own is None or not others:
        return None
    least = min(cell.mean("mae") for cell in others)
    return own.mean("mae") < least, controls.of(data)[control].mean("mae") < least


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


def number(difference: Difference, reference_is: str) -> str:
    """A difference with its interval and what it says of the reference."""
    if difference.uncertainty is None:
        return f"{signed(difference.percent)} % (too few seeds for an interval)"
    verdict = f"{reference_is} {difference.verdict}"
    if difference.verdict == "equivalent":
        verdict = "equivalent"
    if difference.verdict == "open":
        verdict = "open" if difference.lacking else f"open, detectable: {detectable(difference)} %"
    return f"{signed(difference.percent)} % [{', '.join(map(signed, difference.interval))}] ({verdict})"
