"""What was run and on what, as grids of the report: data, models, recipes, failures, certificates, environments."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.analysis.formats.html import Item, Sheet, code, sheet
from bench.analysis.grouping import DATA, Row, grouped
from bench.analysis.table import MARKS, Flag
from bench.analysis.tables.scores import dataset_headers

_PATH = re.compile(r"(?<![\w.:/\\~*])(?:~|[A-Za-z]:)?(?:[\\/][^\s\\/'\",;:()]+)+[\\/]([^\s\\/'\",;:()]+)")


def without_paths(text: str) -> str:
    """A message without the folders of the machine that it was made on; the last part of a path stays."""
    return _PATH.sub(r"…/\1", text)


def data_sheet(rows: Sequence[Row]) -> Sheet:
    """Every data set in its very version."""
    groups = grouped(rows, DATA)
    headers = zip(groups, dataset_headers(list(groups)), strict=True)
    names = {key: _marked(header.name, header.flags) for key, header in headers}
    found = []
    for key, own in groups.items():
        facts = dict(zip(DATA, key, strict=True))
        counts = {tuple(f"{row[f'{part}_count']:.0f}" for part in ("train", "val", "test")) for row in _done(own)}
        found.append(
            (
                names[key],
                "stand-in: synthetic" if facts["stand_in"] else "real",
                code(facts["data_version"]),
                code(facts["data_sha256"]),
                "; ".join(sorted(" / ".join(each) for each in counts)),
                *_states(own),
            )
        )
    columns = ("data", "version", "sha256", "windows: train / validation / test", "done", "failed", "stale")
    return sheet("facts-data", "Data sets", "data set", columns, found)


def model_sheet(rows: Sequence[Row]) -> Sheet:
    """Every model with its changes and weights."""
    found = []
    for (model, changed, weights, tuned), own in grouped(rows, ("model", "changes", "weights", "tuned")).items():
        flags: tuple[Flag, ...] = ("random_weights",) if weights == "random" else ()
        done = _done(own)
        found.append(
            (
                _marked(" ".join([model, *(["(tuned)"] if tuned else [])]), flags, floor=own[0]["role"] == "floor"),
                code(", ".join(changed)),
                "" if weights == "none" else weights,
                _span(row["parameters"] for row in done),
                _span(row["trainable_parameters"] for row in done),
                ", ".join(map(str, sorted({row["seed"] for row in own}))),
                *_states(own),
            )
        )
    columns = ("changed", "weights", "parameters", "trained", "seeds", "done", "failed", "stale")
    return sheet("facts-models", "Models", "model", columns, found)


def settings_sheet(rows: Sequence[Row]) -> Sheet:
    """Every setting of every model, by the profile and the changes that made them."""
    groups = grouped([row | {"all": _items(row["config"])} for row in rows], ("model", "profile", "all"))
    found = [(model, profile, code(text)) for (model, profile, text), _ in groups.items() if text]
    return sheet("facts-settings", "All settings of the models", "model", ("profile", "settings"), found)


def recipe_sheet(rows: Sequence[Row]) -> Sheet:
    """Every recipe by which something was trained."""
    trained = [row | {"all": json.dumps(row["train"])} for row in rows if row["role"] != "floor"]
    groups = grouped(trained, ("profile", "all"))
    names = sorted({name for row in trained for name, _ in row["train"]})
    found = []
    for (profile, _), own in groups.items():
        values = dict(own[0]["train"])
        found.append((profile, *(_plain(values.get(name, "")) for name in names), str(len(own))))
    return sheet("facts-recipes", "Training recipes", "profile", (*names, "runs"), found)


def failed_sheet(rows: Sequence[Row]) -> Sheet:
    """Why runs failed; paths of the machine are left out."""
    found = [(*_run(row), without_paths(row["error"])) for row in rows if row["status"] == "failed"]
    return sheet("facts-failed", "Failed runs", "data set", ("model", "seed", "task", "reason"), found)


def stale_sheet(rows: Sequence[Row]) -> Sheet:
    """Whose code is no longer today's."""
    found = [(*_run(row), "made by other code than today's", code(row["code"])) for row in rows if row["stale"]]
    return sheet("facts-stale", "Stale runs", "data set", ("model", "seed", "task", "reason", "code"), found)


def environment_sheet(rows: Sequence[Row]) -> Sheet:
    """One column for each environment, the one with the most runs first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in _done(rows):
        facts = _flat(dict(row["environment"]))
        groups.setdefault(json.dumps(facts, sort_keys=True), []).append(facts)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    names = sorted({name for _, (facts, *_) in ordered for name in facts})
    found = [(Item(text=name), *(Item(text=str(facts.get(name, ""))) for _, (facts, *_) in ordered)) for name in names]
    columns = [f"{len(own)} {'run' if len(own) == 1 else 'runs'}" for _, own in ordered]
    return sheet("facts-environments", "Environments", "what", columns, found)


def commits(rows: Sequence[Row]) -> list[str]:
    """The commits that finished runs were made at; "+" behind one says that files differed."""
    return sorted({str(dict(row["environment"]).get("commit") or "") for row in _done(rows)} - {""})


def _run(row: Row) -> tuple[Item, str, str, str]:
    flags: tuple[Flag, ...] = ("stand_in",) if row["stand_in"] else ()
    name = ", ".join([row["model"], *row["changes"]])
    return _marked(row["dataset"], flags), name, str(row["seed"]), f"{row['task']}, {row['profile']}"


def _marked(name: str, flags: Iterable[Flag], *, floor: bool = False) -> Item:
    return Item(text=name, marks=tuple(MARKS[flag] for flag in flags), floor=floor)


def _states(rows: Sequence[Row]) -> tuple[str, str, str]:
    failed = sum(row["status"] == "failed" for row in rows)
    stale = sum(bool(row["stale"]) for row in rows)
    return str(len(rows) - failed), str(failed), str(stale)


def _span(values: Iterable[float]) -> str:
    """The number, or the least and the largest; empty for none."""
    known = sorted({value for value in values if not math.isnan(value)})
    if not known:
        return ""
    return f"{known[0]:,.0f}" + (f" to {known[-1]:,.0f}" if len(known) > 1 else "")


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _items(pairs: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in pairs)


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Libraries beside the rest, of which numpy and torch are known twice."""
    libraries = facts.get("libraries")
    return {
        **(libraries if isinstance(libraries, dict) else {}),
        **{key: value for key, value in facts.items() if key != "libraries" and value is not None},
    }


def _done(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "done"]
