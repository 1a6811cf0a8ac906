"""What tables say of transfer across cities: who was trained on what, what these share, and who could not be."""

from __future__ import annotations

from bench.analysis.groups import Group
from bench.analysis.headers import dataset_headers, method_headers
from bench.catalog.titles import dataset_title
from bench.records.record import DoneRun


def sources_note(group: Group) -> str:
    """By data set the sources of its runs, and what these share with it; empty without any."""
    headers, texts = dataset_headers(group.datasets), []
    for data in group.datasets:
        runs = [run for cell in group.of(data).values() for run in cell.runs if run.spec.sources]
        known = {tuple(one.name for one in run.spec.sources): run for run in runs}
        names = " or ".join(_named(known[names]) for names in sorted(known))
        texts += [f"{headers[data].name} from {names}"] if names else []
    return f"Trained on other data sets: {'; '.join(texts)}." if texts else ""


def untransferable_note(group: Group) -> str:
    """The methods whose trained weights are those of one grid, with the reason; empty without any."""
    headers = method_headers(group.methods, group.naive)
    reasons = {headers[method].name: cell.untransferable for (_, method), cell in group.cells.items()}
    texts = [f"{name} ({reason})" for name, reason in reasons.items() if reason]
    return f"Not run: {'; '.join(texts)}." if texts else ""


def _named(run: DoneRun) -> str:
    related = run.label.related
    names = ((one.name, dataset_title(one.name)) for one in run.spec.sources)
    return ", ".join(f"{title} ({related[name]})" if name in related else title for name, title in names)
