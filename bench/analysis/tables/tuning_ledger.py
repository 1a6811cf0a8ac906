"""The table ``tuning_ledger``: what tuning gave every model and what came of it, from the files of tuned settings."""

from __future__ import annotations

from collections.abc import Mapping

from bench.analysis.grouping import by
from bench.analysis.results import Results
from bench.analysis.table import Cell, Flag, Header, Table, TableFile, marked
from bench.catalog.titles import dataset_title, model_title
from bench.runs.tuned import Tuned, TunedFile
from bench.settings import RANDOM

COLUMNS = (
    "asked", "finished", "pruned", "failed", "seconds", "default", "best", "at the edge of its range", "fixed",
    "by hand",
)  # fmt: skip
FACTS = (
    "task", "protocol", "profile", "variant", "fixed", "asked", "finished", "pruned", "failed", "seconds",
    "default_mae", "best_mae", "edges", "edited", "weights", "synthetic", "study",
)  # fmt: skip
"""What the CSV has of each file."""


def make(results: Results) -> TableFile:
    """One grid a task, protocol and profile; one of files that were written by hand."""
    import pandas as pd

    titles = {run.record.model: run.record.label.model_title for run in results.runs}
    tables = [_table(heading, files, titles) for (*_, heading), files in by(results.tuned, _group).items()]
    return TableFile(
        title="What tuning gave every model, and what it found",
        tables=tuple(tables),
        csv={"": pd.DataFrame([_row(file) for file in results.tuned])},
    )


def _group(file: TunedFile) -> tuple[str, str, str, str]:
    """What its grid is sorted by, and at the end its heading."""
    if (outcome := file.tuned.found) is None:
        return "", "", "", "Written by hand"
    names = (outcome.task, outcome.protocol, outcome.profile)
    return *names, "Task {}, protocol {}, profile {}".format(*names)


def _table(heading: str, files: list[TunedFile], titles: Mapping[str, str]) -> Table:
    return Table(
        key="ledger",
        heading=heading,
        corner="data set / model",
        rows=tuple(_header(file, titles.get(file.name, "")) for file in files),
        columns=tuple(Header(name=name) for name in COLUMNS),
        cells=tuple(tuple(Cell(value=text) for text in _texts(file.tuned)) for file in files),
        notes=(
            "Finished trials are complete or pruned ones; failed ones ended with an error. Seconds are those of all of "
            "them. Default and best are validation MAE: of the default settings, and of those found. Where a setting "
            "that was found lies at the edge of its range, a better value may lie beyond.",
        ),
        text_flags=("synthetic",) if any(map(_synthetic, files)) else (),
    )


def _synthetic(file: TunedFile) -> bool:
    return file.tuned.found is not None and file.tuned.found.synthetic


def _header(file: TunedFile, recorded: str) -> Header:
    outcome = file.tuned.found
    dataset = marked(dataset_title(file.dataset), ("synthetic",) if _synthetic(file) else ())
    flags: tuple[Flag, ...] = ("random_weights",) if outcome and outcome.weights in RANDOM else ()
    model = model_title(file.name, recorded)
    return Header(name=f"{dataset} / {model}", machine=f"{file.dataset} / {file.name}", flags=flags)


def _texts(tuned: Tuned) -> tuple[str, ...]:
    outcome, by_hand = tuned.found, "yes" if tuned.edited else ""
    if outcome is None:
        return (*[""] * (len(COLUMNS) - 1), by_hand)
    default = "" if outcome.default_mae is None else f"{outcome.default_mae:.4g}"
    counts = (outcome.asked, str(outcome.finished), str(outcome.pruned), str(outcome.failed), f"{outcome.seconds:.0f}")
    edges = ", ".join(name.partition(".")[2] for name in outcome.edges)
    return *counts, default, f"{outcome.best_mae:.4g}", edges, ", ".join(outcome.fixed), by_hand


def _row(file: TunedFile) -> dict[str, object]:
    facts = file.tuned.found.model_dump() if file.tuned.found else {}
    facts |= {name: "; ".join(facts.get(name, ())) for name in ("fixed", "variant", "edges")}
    facts["edited"] = file.tuned.edited
    return {"dataset": file.dataset, "model": file.model, **{name: facts.get(name) for name in FACTS}}
