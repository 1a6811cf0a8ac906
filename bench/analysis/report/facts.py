"""What was run and on what, as tables: data sets, models, settings, recipes, failed and stale runs, environments."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bench.analysis.budget import span
from bench.analysis.failures import failures
from bench.analysis.grouping import by
from bench.analysis.groups import Run
from bench.analysis.headers import dataset_headers
from bench.analysis.table import Cell, Flag, Header, Table
from bench.catalog.pretrained import SHORT, is_from_unknown
from bench.catalog.titles import files_of, model_title
from bench.plain_text import counted
from bench.records.environment import Environment
from bench.records.record import Counts, DoneRun, Record
from bench.records.spec import changes
from bench.settings import RANDOM

STATES = ("done", "failed", "stale")
_PATH = re.compile(r"(?<![\w.:/\\~*])(?:~|[A-Za-z]:)?(?:[\\/][^\s\\/'\",;:()]+)+[\\/]([^\s\\/'\",;:()]+)")


def without_paths(text: str) -> str:
    """A message without the folders of the machine that it was made on; the last part of a path stays."""
    return _PATH.sub(r"…/\1", text)


def facts(runs: Sequence[Run]) -> list[Table]:
    """The tables of what was run that have rows."""
    makers = (datasets, models, recipes, settings, failed_runs, stale_runs)
    return [table for make in makers if (table := make(runs)).rows]


def table(
    key: str, heading: str, corner: str, columns: Iterable[str], rows: Iterable[tuple[Header, tuple[Cell, ...]]]
) -> Table:
    """A table without notes of the rows that ``row`` makes."""
    named = list(rows)
    return Table(
        key=key,
        heading=heading,
        corner=corner,
        rows=tuple(header for header, _ in named),
        columns=tuple(Header(name=name) for name in columns),
        cells=tuple(cells for _, cells in named),
    )


def row(header: Header, *cells: str | Cell) -> tuple[Header, tuple[Cell, ...]]:
    """Of each row its name and its cells."""
    return header, tuple(cell if isinstance(cell, Cell) else Cell(value=cell) for cell in cells)


def code(text: str) -> Cell:
    """A digest or a setting."""
    return Cell(value=text, code=True)


def method(record: Record) -> str:
    """A model with its changes."""
    return ", ".join([record.model, *changes(record.label.overrides)])


def done(runs: Iterable[Run]) -> list[DoneRun]:
    """The records of finished runs."""
    return [run.record for run in runs if isinstance(run.record, DoneRun)]


def datasets(runs: Sequence[Run]) -> Table:
    """Every data set in its very version."""
    groups = by(runs, lambda run: run.data)
    rows = [
        row(
            header,
            code(key.dataset),
            "synthetic" if key.synthetic else "real",
            code(key.version),
            code(key.sha256),
            code("" if key.synthetic else files_of(key.dataset)),
            _windows_of(done(of_key)),
            *_states(of_key),
        )
        for header, (key, of_key) in zip(dataset_headers(groups).values(), groups.items(), strict=True)
    ]
    digests = ("sha256 of the array as read", "sha256 of files, where known")
    columns = ("name", "data", "version", *digests, "windows: train / validation / test", *STATES)
    return table("data", "Data sets", "data set", columns, rows)


def models(runs: Sequence[Run]) -> Table:
    """Every model with its changes and weights."""
    groups = by(runs, lambda run: _model_key(run.record))
    rows = [
        row(
            _model_header(of_key[0].record),
            code(of_key[0].record.model),
            code(", ".join(changed)),
            "" if weights == "none" else " ".join([weights, *([sha256[:SHORT]] if sha256 else [])]),
            *_parameters(of_key),
            ", ".join(map(str, sorted({run.record.seed for run in of_key}))),
            *_states(of_key),
        )
        for (_, changed, weights, sha256, _), of_key in groups.items()
    ]
    columns = ("name", "changed", "weights", "parameters", "trained", "which seeds", *STATES)
    return table("models", "Models", "model", columns, rows)


def settings(runs: Sequence[Run]) -> Table:
    """Every setting of every model, by the profile and the changes that made them."""
    records = (run.record for run in runs)
    written = {(record.model, record.label.profile, ", ".join(changes(record.spec.config))) for record in records}
    rows = [row(Header(name=model), profile, code(text)) for model, profile, text in sorted(written) if text]
    return table("settings", "All settings of the models", "model", ("profile", "settings"), rows)


def recipes(runs: Sequence[Run]) -> Table:
    """Every recipe by which something was trained, one column for each."""
    trained = [run.record for run in runs if not (run.record.naive or run.record.external)]
    count = Counter((record.label.profile, _json(dataclasses.asdict(record.spec.train))) for record in trained)
    used = [(profile, json.loads(recipe), number) for (profile, recipe), number in sorted(count.items())]
    names = list(used[0][1]) if used else []
    rows = [row(Header(name=name), *(_plain(recipe[name]) for _, recipe, _ in used)) for name in names]
    columns = [f"{profile}, {counted(number, 'run')}" for profile, _, number in used]
    return table("recipes", "Training recipes", "setting", columns, rows)


def failed_runs(runs: Sequence[Run]) -> Table:
    """Why runs failed; folders of the machine are left out."""
    rows = [_run(record, without_paths(str(record.error))) for record in failures(runs)]
    return table("failed", "Failed runs", "data set", ("model", "seed", "task", "reason"), rows)


def stale_runs(runs: Sequence[Run]) -> Table:
    """Whose code is no longer today's."""
    stale = [run.record for run in runs if run.stale]
    rows = [_run(record, "made by other code than today's", code(record.code)) for record in stale]
    return table("stale", "Stale runs", "data set", ("model", "seed", "task", "reason", "code"), rows)


def environments(runs: Sequence[Run]) -> Table:
    """One column for each environment, the one with the most runs first."""
    count = Counter(_json(_flat(record.environment)) for record in done(runs))
    ordered = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    made_in = [json.loads(text) for text, _ in ordered]
    names = sorted({name for environment in made_in for name in environment})
    rows = [row(Header(name=name), *(str(environment.get(name, "")) for environment in made_in)) for name in names]
    columns = [f"{number} {'run' if number == 1 else 'runs'}" for _, number in ordered]
    return table("environments", "Environments", "what", columns, rows)


def models_by_commit(records: Iterable[Record]) -> dict[str, str]:
    """The commits of finished runs, "+" behind one where files differed; the models of each if there are several."""
    known = [record for record in records if isinstance(record, DoneRun) and record.environment.commit]
    groups = by(known, lambda record: record.environment.commit or "")
    names = {
        commit: sorted({model_title(record.model, record.label.model_title) for record in made})
        for commit, made in groups.items()
    }
    return {commit: ", ".join(models) if len(names) > 1 else "" for commit, models in names.items()}


def commits_text(records: Iterable[Record]) -> str:
    """The commits, with the models of each behind it where there are several."""
    texts = (f"{commit} ({models})" if models else commit for commit, models in models_by_commit(records).items())
    return "; ".join(texts)


def _windows_of(records: Iterable[DoneRun]) -> str:
    """Windows of each split; where tasks or protocols have others, with the names of both."""
    groups = by(records, _windows)
    named = {
        windows: "; ".join(sorted({f"{record.spec.task.name}, {record.spec.task.protocol}" for record in same}))
        for windows, same in groups.items()
    }
    return "; ".join(f"{windows} ({names})" if len(named) > 1 else windows for windows, names in named.items())


def _windows(record: DoneRun) -> str:
    counts = record.counts
    scored = (f"{few} of {there}" if few < there else f"{few}" for few, there in _scored(counts))
    return " / ".join([f"{counts.train}", *scored])


def _scored(counts: Counts) -> Iterable[tuple[int, int]]:
    """Windows scored and windows that there are, of validation and of test."""
    return (counts.val, counts.val_there), (counts.test, counts.test_there)


def _parameters(runs: Sequence[Run]) -> tuple[str, str]:
    """Those of a network, and how many of them are trained; a rule and a fit in closed form have none."""
    costs = [record.cost for record in done(runs) if record.cost]
    if not any(cost.parameters for cost in costs):
        return ("—", "—") if costs else ("", "")
    return span(cost.parameters for cost in costs), span(cost.trainable_parameters for cost in costs)


def _model_key(record: Record) -> tuple[str, tuple[str, ...], str, str, bool]:
    spec = record.spec
    return record.model, changes(record.label.overrides), spec.weights, spec.weights_sha256 or "", spec.tuned


def _model_header(record: Record) -> Header:
    spec = record.spec
    flags: tuple[Flag, ...] = ("external",) if record.external else ()
    flags = (*flags, "random_weights") if spec.weights in RANDOM else flags
    if is_from_unknown(spec):
        flags = (*flags, "unknown_weights")
    title = model_title(record.model, record.label.model_title)
    return Header(name=title + (" (tuned)" if record.spec.tuned else ""), flags=flags, naive=record.naive)


def _run(record: Record, *reasons: str | Cell) -> tuple[Header, tuple[Cell, ...]]:
    flags: tuple[Flag, ...] = ("synthetic",) if record.spec.data.synthetic else ()
    task = f"{record.spec.task.name}, {record.label.profile}"
    return row(Header(name=record.dataset, flags=flags), method(record), str(record.seed), task, *reasons)


def _states(runs: Sequence[Run]) -> tuple[str, str, str]:
    return str(len(done(runs))), str(len(failures(runs))), str(sum(run.stale for run in runs))


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flat(environment: Environment) -> dict[str, Any]:
    """Libraries beside the rest; what is not known is left out."""
    rest = msgspec.structs.asdict(environment)
    return {name: value for name, value in {**rest.pop("libraries"), **rest}.items() if value not in (None, "")}


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
