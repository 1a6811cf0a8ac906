"""What makes the runs of a frame again: suites with every setting written out, and the commands that run just these.

Everything that is the same for a whole command (profile, protocol, recipe, what was set for all models) makes a suite
of its own, whose variants are the models with all their settings. Runs made by them have the same ids and labels.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from bench.settings import TASKS

Row = Mapping[str, Any]
Place = tuple[str, str, int]  # task, data set, seed
K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)

WIDTH = 96
SWITCHES = ("history", "horizon", "fraction", "leaky_scaler", "clamp")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for a whole suite of runs.

    Attributes:
        base: Settings that all of its models were run with, such as "train.epochs=2".
        switches: Settings of the task that are not its own, as "task.history=48".
    """

    protocol: str
    profile: str
    tuned: bool
    base: tuple[str, ...]
    switches: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Again:
    """A suite and the commands that run it.

    Attributes:
        name: Of the suite and of its file without the ending.
        text: TOML.
    """

    name: str
    text: str
    commands: tuple[str, ...]


def again(rows: Iterable[Row], folder: str = "") -> list[Again]:
    """One suite for each setting, in an order that does not depend on that of the rows.

    Args:
        rows: Of ``bench.records.frame``; failed runs are runs, too.
        folder: Where the commands find the suites, with a slash behind it.
    """
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        groups.setdefault(_setting(row), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: json.dumps(asdict(item[0])))
    return [_again(f"again_{number}", setting, own, folder) for number, (setting, own) in enumerate(ordered, start=1)]


def _again(name: str, setting: Setting, rows: Sequence[Row], folder: str) -> Again:
    lines = _lines(rows)
    places: dict[str, set[Place]] = {}
    for row in rows:
        places.setdefault(lines[_line(row)], set()).add((row["task"], row["dataset"], row["seed"]))
    tasks, datasets = (sorted({row[name] for row in rows}) for name in ("task", "dataset"))
    return Again(
        name=name,
        text=_suite(name, setting, tasks, datasets, {title: line for line, title in lines.items()}),
        commands=tuple(_commands(f"{folder}{name}.toml", setting, tasks, places)),
    )


def _setting(row: Row) -> Setting:
    usual = asdict(TASKS[row["task"]]) if row["task"] in TASKS else {}
    changed = [f"task.{name}={_text(row[name])}" for name in SWITCHES if row[name] != usual.get(name)]
    return Setting(
        protocol=row["protocol"],
        profile=row["profile"],
        tuned=bool(row["tuned"]),
        base=tuple(row["base"]),
        switches=tuple(changed),
    )


def _line(row: Row) -> tuple[str, str]:
    """The model and its settings as JSON; of a tuned run those that tuning left alone."""
    settings = {name: value for name, value in row["config"] if value is not None}
    if row["tuned"]:
        named = {change.partition("=")[0].removeprefix("model.") for change in row["changes"]}
        settings = {name: value for name, value in settings.items() if name in {*named, "weights"}}
    return row["model"], json.dumps(settings, sort_keys=True)


def _lines(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """A name for each: the model, with its changes, weights and a number where there are several."""
    found = {_line(row): row for row in sorted(rows, key=lambda row: (*_line(row), row["changes"]))}
    models = Counter(model for model, _ in found)
    names: dict[tuple[str, str], str] = {}
    for line, row in sorted(found.items()):
        own = [change for change in row["changes"] if change.startswith("model.")]
        details = [*own, *([row["weights"]] if row["weights"] != "none" else [])]
        name = row["model"] + (f" ({', '.join(details)})" if details and models[row["model"]] > 1 else "")
        taken = sum(other == name or other.startswith(f"{name} #") for other in names.values())
        names[line] = f"{name} #{taken + 1}" if taken else name
    return names


def _suite(
    name: str,
    setting: Setting,
    tasks: Sequence[str],
    datasets: Sequence[str],
    lines: Mapping[str, tuple[str, str]],
) -> str:
    """TOML, whose texts, numbers, truth values and lists are written as in JSON."""
    head = {
        "name": name,
        "title": f"What was run: protocol {setting.protocol}, profile {setting.profile}",
        "tasks": list(tasks),
        "protocol": setting.protocol,
        "datasets": list(datasets),
        "models": [],
    }
    parts = ["".join(f"{key} = {_toml(value)}\n" for key, value in head.items())]
    for title, (model, settings) in sorted(lines.items()):
        pairs = ", ".join(f"{key} = {_toml(value)}" for key, value in json.loads(settings).items())
        table = f"{{ {pairs} }}" if pairs else "{}"
        parts.append(f"[[variants]]\nname = {_toml(title)}\nmodel = {_toml(model)}\nsettings = {table}\n")
    return "\n".join(parts)


def _commands(path: str, setting: Setting, tasks: Sequence[str], places: Mapping[str, set[Place]]) -> list[str]:
    """Each runs some variants on some data sets with some seeds, and all together nothing but what was run."""
    shared = ["stbench", "run", "--suite", path, "--profile", setting.profile, "--data-dir", "DIR"]
    shared += ["--tuned"] if setting.tuned else []
    shared += [part for change in (*setting.base, *setting.switches) for part in ("--set", change)]
    found = []
    for own, names in _alike({name: frozenset(own) for name, own in places.items()}):
        chosen = _options("--variant", names)
        by_task = {task: frozenset((data, seed) for at, data, seed in own if at == task) for task in tasks}
        for pairs, same in _alike({task: each for task, each in by_task.items() if each}):
            by_data = {data: frozenset(seed for at, seed in pairs if at == data) for data, _ in pairs}
            for seeds, datasets in _alike(by_data):
                where = [*_options("--dataset", datasets), *_options("--seed", sorted(seeds))]
                each_task = [[]] if len(same) == len(tasks) else [["--task", each] for each in same]
                found += [_wrapped([*shared, *task, *where, *chosen]) for task in each_task]
    return found


def _wrapped(parts: Sequence[str]) -> str:
    """A command for a shell, in lines of at most ``WIDTH`` letters, or of one option."""
    options: list[list[str]] = [[]]
    for part in parts:
        options += [[]] if part.startswith("--") else []
        options[-1].append(part)
    lines = [""]
    for option in map(shlex.join, options):
        if lines[-1] and len(lines[-1]) + len(option) >= WIDTH:
            lines.append("   ")
        lines[-1] += f" {option}" if lines[-1] else option
    return " \\\n".join(lines)


def _alike(values: Mapping[K, V]) -> list[tuple[V, list[K]]]:
    """Keys with equal values together, sorted."""
    groups: dict[V, list[K]] = {}
    for key in sorted(values, key=str):
        groups.setdefault(values[key], []).append(key)
    return list(groups.items())


def _options(name: str, values: Iterable[object]) -> list[str]:
    return [part for value in values for part in (name, str(value))]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
