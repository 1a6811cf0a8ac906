"""Plans: a suite and what was asked of it on the command line, as runs with every default written out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Final, TypeVar, get_args

from msgspec import structs

from bench.catalog import registry
from bench.catalog.code import codes_of
from bench.catalog.data import Catalog
from bench.catalog.titles import with_titles
from bench.errors import ConfigError, UnknownNameError
from bench.records.planned import PlannedRun
from bench.records.spec import Label, Spec
from bench.runs.datasets import OnUnreadable, datasets_of, readable, refuse, with_sources
from bench.runs.profiles import PROFILES, Profile
from bench.runs.rows import UNTUNED, Row, changed, config_of, recipe_of, written_out
from bench.runs.sources import Sources, sources_of
from bench.runs.suite import Method, Suite, load_suite, validated
from bench.runs.tuned import Tuned, TunedFolder
from bench.runs.wanted import wanted_by
from bench.settings import FROM_FILE, TASKS, TaskSettings, Weights
from bench.types import DataIdentity, DatasetCard

S = TypeVar("S")
SEEDS: Final = 2**32  # as many as numpy takes
NO_CODE: Final = 12 * "0"  # of a model that cannot be used


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the command line asks of a suite; an empty tuple or None leaves the suite's own choice."""

    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    profile: str = "quick"
    protocol: str | None = None
    task: str | None = None
    overrides: tuple[str, ...] = ()
    shard: str | None = None


def plan(
    suite: Suite,
    selection: Selection,
    catalog: Catalog,
    tuned: TunedFolder | None = None,
    device: str = "cpu",
    on_unreadable: OnUnreadable = refuse,
) -> list[PlannedRun]:
    """Every run of a suite as selected, each once, data set by data set, in a stable order.

    On each data set naive baselines come first, then what is fitted in closed form, then what is trained.
    With ``tuned``, every model but the naive baselines takes the settings found for it on each data set, and so does
    every variant, each its own; what the variant and the selection set wins over them. ``device`` says what the
    precision "auto" is. ``on_unreadable`` is told of data sets that cannot be read while others can.

    Raises:
        ConfigError, UnknownNameError: If the selection names something unknown or invalid.
        BenchError: If no data set can be read, or a file of weights cannot.
    """
    profile = _choice("profile", selection.profile, PROFILES)
    overrides = settings_by_group(selection.overrides)
    methods = _methods(suite, selection, profile)
    names = [selection.task] if selection.task else suite.tasks
    tasks = [_task(name, suite, selection, {**profile.task, **suite.task, **overrides["task"]}) for name in names]
    written = partial(written_out, profile=profile, overrides=overrides, device=device)
    rows = [written(method, None) for method in methods]
    _check_used(overrides["model"], [row.config for row in rows])
    selected = selection.datasets
    data = readable(datasets_of(suite, selected, catalog), catalog, on_unreadable)
    targets = with_sources(suite, data, tasks, catalog, on_unreadable, required=bool(selected))
    cells = [(name, task, row) for (name, task), row in product(targets, rows)]
    behind = {(name, task): targets[name, task].names for name, task in targets}
    codes = codes_of((name, row.method.model, *behind[name, task]) for name, task, row in cells if not row.problem)
    firsts = [_run(*data[name], task, row, codes, targets[name, task]) for name, task, row in cells]
    searched_settings = _tuned_settings(suite, selection.overrides, firsts, tuned) if tuned else {}
    runs: dict[str, PlannedRun] = {}
    for first, (dataset, task, row) in zip(firsts, cells, strict=True):
        settings = searched_settings.get((dataset, task.name, row.method.name))
        of_target = targets[dataset, task]
        one = _run(*data[dataset], task, written(row.method, settings), codes, of_target) if settings else first
        for seed in _seeds(selection.seeds or profile.seeds):
            label = structs.replace(one.label, suite=suite.name)
            run = replace(one, spec=structs.replace(one.spec, seed=seed), label=label)
            runs.setdefault(run.run_id, run)  # two methods may be one run
    return _shard(list(runs.values()), selection.shard)


def _run(
    data: DataIdentity,
    card: DatasetCard,
    task: TaskSettings,
    row: Row,
    codes: Mapping[tuple[str, ...], str],
    sources: Sources,
) -> PlannedRun:
    """A row on a data set, with seed 0."""
    model, config, tuned = row.method.model, row.config, row.tuned
    spec = Spec(
        data=data,
        task=sources.written_into(task),
        model=model,
        config=config,
        train=row.train,
        seed=0,
        weights=_weights(config),
        weights_sha256=row.weights_sha256,
        tuned=tuned is not None,
        tuned_with=tuned.found_with if tuned else "",
        sources=sources.identities,
    )
    label = sources.labelled(with_titles(row.label, card, model))
    code = NO_CODE if row.problem else codes[spec.behind]
    return PlannedRun(spec=spec, code=code, method=row.method.name, label=label, variant=row.variant)


def plan_own(
    name: str,
    config: type[Any],
    selection: Selection,
    catalog: Catalog,
    code: Callable[[Sequence[str]], str],
    device: str,
) -> PlannedRun:
    """The run of a model that is in no registry, with its ``Config``, on the selection's data set, task and seed.

    ``code`` gives the digest of its code and that of the readers, with those of the sources.

    Raises:
        ConfigError, UnknownNameError: If the selection names something unknown or invalid.
        DataError: If the data set's files cannot be read.
    """
    profile, overrides = _choice("profile", selection.profile, PROFILES), settings_by_group(selection.overrides)
    usual, chosen = (config_of(config, name, profile, values) for values in ({}, overrides["model"]))
    _check_used(overrides["model"], [chosen])
    train, recipe = recipe_of(profile, UNTUNED, overrides["train"], device)
    own = changed("model", chosen, usual) | recipe
    protocol, dataset = selection.protocol or "strict", selection.datasets[0]
    task = task_settings(selection.task or "short", protocol, {**profile.task, **overrides["task"]})
    identity = catalog.identity(dataset)
    sources = sources_of(task, dataset, datasets_of(load_suite("short_term"), (), catalog), catalog)
    spec = Spec(
        data=identity,
        task=sources.written_into(task),
        model=name,
        config=chosen,
        train=train,
        seed=_seeds(selection.seeds)[0],
        weights=_weights(chosen),
        sources=sources.identities,
    )
    label = sources.labelled(Label(profile=profile.name, overrides=own, base=own))
    label = with_titles(label, catalog.card(dataset), name)
    return PlannedRun(spec=spec, code=code(sources.names), method=name, label=label)


def overrides_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings by "group.name" as the texts of ``--set``.

    Raises:
        ConfigError: If a value is no number, text or truth value.
    """
    for name, value in settings.items():
        if not isinstance(value, bool | int | float | str):
            raise ConfigError(f"the setting {name} is {value!r}, wanted a number, a text or a truth value")
    return tuple(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items())


def _tuned_settings(
    suite: Suite, fixed: Sequence[str], runs: Sequence[PlannedRun], folder: TunedFolder
) -> dict[tuple[str, str, str], Tuned]:
    """Tuned settings by data set, task and row of the suite; what is not there is named in an error.

    Args:
        suite: Whose rows they are for.
        fixed: What the selection sets.
        runs: One of each row on each data set and task, as it is without tuning.
        folder: Where the settings are.
    """
    settings: dict[tuple[str, str, str], Tuned] = {}
    for task in dict.fromkeys(run.spec.task for run in runs):
        of_task = [run for run in runs if run.spec.task == task and not registry.is_naive(run.model)]
        of_task = [run for run in of_task if run.code != NO_CODE]
        real = {run.dataset for run in of_task if not run.spec.data.synthetic}
        files = folder.require(wanted_by(of_task, suite, fixed), task, runs[0].label.profile, real=real)
        if suite.tuned:
            folder.check_equal(files, task)
        settings |= {(one.dataset, task.name, one.row): tuned for one, tuned in files.items()}
    return settings


def settings_by_group(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """``--set group.setting=value`` by group, which is task, model or train, and setting."""
    overrides: dict[str, dict[str, str]] = {"task": {}, "model": {}, "train": {}}
    for text in texts:
        path, equals, value = text.partition("=")
        group, dot, name = path.strip().partition(".")
        if not (equals and dot and name) or group not in overrides:
            raise ConfigError(
                f"the setting {text} is not understood; write task., model. or train. before its name, as --set "
                f"train.epochs=3 or settings={{'train.epochs': 3}} do"
            )
        overrides[group][name] = value.strip()
    return overrides


def _check_used(overrides: Iterable[str], configs: Iterable[Mapping[str, Any]]) -> None:
    """A model setting must exist in at least one of the models."""
    known = sorted({name for config in configs for name in config})
    for name in overrides:
        if name not in known:
            raise UnknownNameError("setting model.*", name, known)


def variants_left_out(suite: Suite, selection: Selection) -> list[str]:
    """The variants that start from a file of weights, where weights are random by profile or by ``--set``.

    Then nothing pre-trained is run unless by name.
    """
    profile = _choice("profile", selection.profile, PROFILES)
    weights = settings_by_group(selection.overrides)["model"].get("weights", profile.model["weights"])
    variants = [variant for variant in suite.variants if not selection.models or variant.model in selection.models]
    random = weights == "random" and not selection.variants
    return [variant.name for variant in variants if random and variant.weights in FROM_FILE]


def _methods(suite: Suite, selection: Selection, profile: Profile) -> list[Method]:
    """The selected models, each a method without settings, and the selected variants.

    Raises:
        ConfigError, UnknownNameError: If a name is unknown, or nothing is left.
    """
    for name in selection.models:
        if name not in registry.model_names():
            raise registry.unknown("model", name)
    everyone = [name for name in registry.model_names() if name not in profile.without]
    names = everyone if suite.models == "all" else suite.models
    plain = [Method(name=name, model=name) for name in _unique(selection.models or names)]
    variants = [variant for variant in suite.variants if not selection.models or variant.model in selection.models]
    if selection.variants:
        known = {variant.name: variant for variant in suite.variants}
        plain = plain if selection.models else []
        variants = [_choice("variant", name, known) for name in selection.variants]
    else:
        left_out = variants_left_out(suite, selection)
        variants = [variant for variant in variants if variant.name not in left_out]
    if selection.models:  # a model that was asked for by name brings its variants in its place
        covered = {variant.model for variant in variants}
        plain = [method for method in plain if method.model not in covered]
    methods = sorted([*plain, *variants], key=lambda method: _effort(method.model))
    if not methods:
        raise ConfigError(f"the suite '{suite.name}' has no model or variant that was asked for")
    problems = [registry.problem_of("model", method.model) for method in methods]
    if all(problems):
        raise ConfigError(problems[0])
    return methods


def _effort(model: str) -> int:
    """0 for what is not trained, 1 for what is fitted at once, 2 for the rest."""
    if registry.problem_of("model", model):
        return 2
    return 0 if registry.is_naive(model) else 1 if registry.is_fitted(model) else 2


def _seeds(asked: Sequence[int]) -> list[int]:
    for seed in asked:
        if type(seed) is not int or not 0 <= seed < SEEDS:
            raise ConfigError(f"the seed {seed!r} is no whole number from 0 to {SEEDS - 1}")
    return _unique(asked)


def _weights(config: Mapping[str, Any]) -> Weights:
    """A model of one's own may have a setting of this name that says something else."""
    return next((known for known in get_args(Weights) if known == config.get("weights")), "none")


def _task(name: str, suite: Suite, selection: Selection, switches: Mapping[str, Any]) -> TaskSettings:
    return task_settings(name, selection.protocol or suite.protocol, switches)


def task_settings(name: str, protocol: str, overrides: Mapping[str, Any]) -> TaskSettings:
    """A task by name with every switch written out; which windows are few follows from the protocol, unless said."""
    usual = asdict(_choice("task", name, TASKS)) | {"protocol": protocol, "windows": "all"}
    return validated(TaskSettings, {**usual, **overrides}, "task")


def _shard(runs: list[PlannedRun], shard: str | None) -> list[PlannedRun]:
    if shard is None:
        return runs
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ConfigError(f"--shard {shard} is not understood; write i/n with 1 <= i <= n, such as 2/8")
    spread = sorted(runs, key=lambda run: run.run_id)  # so that no shard gets all the runs of one model
    return spread[int(number) - 1 :: int(count)]


def _choice(what: str, name: str, choices: Mapping[str, S]) -> S:
    if name not in choices:
        raise UnknownNameError(what, name, choices)
    return choices[name]


def _unique(names: Sequence[S]) -> list[S]:
    return list(dict.fromkeys(names))
