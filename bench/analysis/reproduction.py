"""What makes runs again: suites with every setting written out, and the commands that run just these.

Everything that is the same for a whole command (protocol, profile, device, what was set for all models) makes a suite
of its own, whose variants are the models with all their settings. Runs made by them have the same ids and labels.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import tomli_w

from bench.analysis.grouping import by
from bench.catalog import registry
from bench.records import frame
from bench.records.record import Record
from bench.records.spec import changes
from bench.runs.profiles import PROFILES
from bench.settings import FROM_FILE, TASKS

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)

WIDTH = 96
FOLDERS = "DIR is the folder of the data, DIR2 a new one for the results"
WEIGHTS = "--weights-dir DIR3"
OF_WEIGHTS = ", DIR3 that of the pre-trained weights: leave --weights-dir out where they are in the cache of the hub"
SWITCHES = ("history", "horizon", *frame.SWITCHES, "sources")


@dataclass(frozen=True, kw_only=True, order=True)
class _Shared:
    """What is the same for all runs of a command.

    Attributes:
        base: Settings that all models were run with, such as "train.epochs=2".
        switches: Settings of the task that are not its own, as "task.history=48".
        on_cpu: Whether a GPU might run them in another precision.
    """

    protocol: str
    profile: str
    tuned: bool
    base: tuple[str, ...]
    switches: tuple[str, ...]
    on_cpu: bool


@dataclass(frozen=True, kw_only=True)
class ReproducedSuite:
    """A suite and the commands that run it.

    Attributes:
        path: Of its file.
        text: TOML.
    """

    path: str
    text: str
    commands: tuple[str, ...]


def reproduction(runs: Iterable[Record], folder: str = "") -> list[ReproducedSuite]:
    """One suite for all that one command can share, in an order that does not depend on that of the runs.

    Args:
        runs: Failed ones are runs, too; forecasts that were made elsewhere are none.
        folder: Where the commands find the suites, with a slash behind it.
    """
    groups = by((run for run in runs if not run.external), _shared)
    return [
        _suite(f"reproduce_{number}", folder, shared, members)
        for number, (shared, members) in enumerate(groups.items(), start=1)
    ]


def folders_text(suites: Iterable[ReproducedSuite]) -> str:
    """What the letters in the commands stand for."""
    return (
        FOLDERS
        + (OF_WEIGHTS if any(WEIGHTS in command for suite in suites for command in suite.commands) else "")
        + "."
    )


def _shared(run: Record) -> _Shared:
    task = run.spec.task
    known = TASKS.get(task.name)
    given: Mapping[str, Any] = PROFILES[run.label.profile].task if run.label.profile in PROFILES else {}
    usual = None if known is None else replace(known, protocol=task.protocol, windows="all", **given)
    switches = {name: getattr(task, name) for name in SWITCHES}
    changed = {name: value for name, value in switches.items() if value != getattr(usual, name, None)}
    return _Shared(
        protocol=task.protocol,
        profile=run.label.profile,
        tuned=run.spec.tuned,
        base=changes(run.label.base),
        switches=changes({f"task.{name}": value for name, value in changed.items()}),
        on_cpu=run.spec.train.precision == "fp32" and run.environment.device in ("cpu", ""),
    )


def _suite(name: str, folder: str, shared: _Shared, runs: Sequence[Record]) -> ReproducedSuite:
    names = _names(runs)
    chosen: dict[str, set[tuple[str, str, int]]] = {}
    for run in runs:
        chosen.setdefault(names[_method(run)], set()).add((run.spec.task.name, run.dataset, run.seed))
    tasks = sorted({run.spec.task.name for run in runs})
    suite = {
        "name": name,
        "title": f"What was run: protocol {shared.protocol}",
        "tasks": tasks,
        "protocol": shared.protocol,
        "datasets": sorted({run.dataset for run in runs}),
        "models": [],
        "variants": [
            {"name": title, "model": model, "settings": json.loads(settings)}
            for title, (model, settings) in sorted((title, method) for method, title in names.items())
        ],
    }
    path = f"{folder}{name}.toml"
    reading = {names[_method(run)] for run in runs if run.spec.weights in FROM_FILE}
    own = {run.dataset for run in runs if not registry.comes_with_the_project("dataset", run.dataset)}
    commands = tuple(_commands(path, shared, tasks, chosen, own, reading))
    return ReproducedSuite(path=path, text=tomli_w.dumps(suite), commands=commands)


def _method(run: Record) -> tuple[str, str]:
    """The model and its settings as JSON; of a tuned run those that tuning left alone."""
    settings = {name: value for name, value in run.spec.config.items() if value is not None}
    if run.spec.tuned:
        kept = {name.removeprefix("model.") for name in run.label.overrides} | {"weights"}
        settings = {name: value for name, value in settings.items() if name in kept}
    return run.model, json.dumps(settings, sort_keys=True)


def _names(runs: Iterable[Record]) -> dict[tuple[str, str], str]:
    """The model, with its changes, weights and a number where there are several of it."""
    methods = {_method(run): run for run in sorted(runs, key=lambda run: changes(run.label.overrides))}
    several = Counter(model for model, _ in methods)
    names: dict[tuple[str, str], str] = {}
    for method, run in sorted(methods.items(), key=lambda item: item[0]):
        details = [change for change in changes(run.label.overrides) if change.startswith("model.")]
        details += [run.spec.weights] if run.spec.weights != "none" else []
        name = run.model + (f" ({', '.join(details)})" if details and several[run.model] > 1 else "")
        taken = sum(other == name or other.startswith(f"{name} #") for other in names.values())
        names[method] = f"{name} #{taken + 1}" if taken else name
    return names


def _commands(
    path: str,
    shared: _Shared,
    tasks: Sequence[str],
    chosen: Mapping[str, set[tuple[str, str, int]]],
    own: Set[str],
    reading: Set[str],
) -> list[str]:
    """Each runs some variants on some data sets with some seeds, and all together nothing but what was run.

    ``chosen`` has the task, data set and seed of every run, by variant. Those of ``own`` data sets, the user's, are
    apart: a reader may not have them. The variants ``reading`` pre-trained weights want their folder.
    """
    head = ["stbench", "run", "--suite", path, "--profile", shared.profile, "--results", "DIR2", "--data-dir", "DIR"]
    head += [*(["--device", "cpu"] if shared.on_cpu else []), *(["--tuned"] if shared.tuned else [])]
    head += _options("--set", (*shared.base, *shared.switches))
    commands = []
    for runs, names in _alike({name: frozenset(cells) for name, cells in chosen.items()}):
        by_task = {task: frozenset((data, seed) for at, data, seed in runs if at == task) for task in tasks}
        for pairs, same in _alike({task: cells for task, cells in by_task.items() if cells}):
            by_data = {data: frozenset(seed for at, seed in pairs if at == data) for data, _ in pairs}
            for (seeds, _), datasets in _alike({data: (seeds, data in own) for data, seeds in by_data.items()}):
                rest = [*_options("--dataset", datasets), *_options("--seed", sorted(seeds))]
                rest += _options("--variant", names)
                rest += WEIGHTS.split() if reading & {*names} else []
                chosen_tasks: list[list[str]] = [[]] if len(same) == len(tasks) else [["--task", task] for task in same]
                commands += [_wrapped([*head, *task, *rest]) for task in chosen_tasks]
    return commands


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
