"""Plans: a suite and what was asked of it on the command line, as runs with every default written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar, cast

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.errors import ConfigError, UnknownNameError
from bench.runs.profiles import PROFILES, Profile
from bench.runs.spec import PlannedRun, RunSpec, code_hash
from bench.runs.suite import Suite, Variant, validated
from bench.runs.tuned import Tuned, TunedFolder, check_equal
from bench.settings import TASKS, TaskSettings, TrainSettings, Weights

S = TypeVar("S")
UNTUNED: Final = Tuned()


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


def plan(suite: Suite, selection: Selection, catalog: Catalog, tuned: TunedFolder | None = None) -> list[PlannedRun]:
    """Every run of a suite as selected, each once, data set by data set, in a stable order.

    With ``tuned``, every model but the floors takes the settings found for it on each data set. A variant's own
    settings win over them, and so does what the selection overrides.

    Raises:
        ConfigError, UnknownNameError: If the selection names something unknown or invalid.
        DataError: If a data set's files cannot be read.
    """
    profile = _choice("profile", selection.profile, PROFILES)
    overrides = _Overrides(selection.overrides)
    lines = _lines(suite, selection, overrides.of("model").get("weights", profile.model["weights"]))
    tasks = [_task(name, suite, selection, overrides) for name in ([selection.task] if selection.task else suite.tasks)]
    overrides.check_used(_resolved(line, profile, overrides)[1] for line in lines)
    datasets = _datasets(suite, selection, catalog)
    pairs = [(dataset, line.model) for dataset in datasets for line in lines]
    data = {dataset: catalog.identity(dataset) for dataset in datasets}
    real = {dataset for dataset in datasets if not data[dataset].stand_in}
    files = {task.name: tuned.require(pairs, task, profile.name, real=real) if tuned else {} for task in tasks}
    if suite.tuned:
        for each in files.values():
            check_equal(each)
    runs: dict[str, PlannedRun] = {}
    for dataset in datasets:
        for task in tasks:
            for line in lines:
                found = files[task.name].get((dataset, line.model))
                model, config, train, changed, base = _resolved(line, profile, overrides, found or UNTUNED)
                for seed in _unique(selection.seeds or profile.seeds):
                    spec = RunSpec(
                        data=data[dataset],
                        task=task,
                        model=model,
                        config=config,
                        train=train,
                        seed=seed,
                        weights=cast(Weights, config.get("weights", "none")),
                        tuned=found is not None,
                    )
                    label = {"profile": profile.name, "overrides": changed, "base": base}
                    run = PlannedRun(spec=spec, code=code_hash(dataset, model), line=line.name, label=label)
                    runs.setdefault(run.run_id, run)  # two lines may be one run
    return _shard(list(runs.values()), selection.shard)


class _Overrides:
    """``--set group.field=value`` as given, with the groups task, model and train."""

    def __init__(self, given: Iterable[str]) -> None:
        self._values: dict[str, dict[str, str]] = {"task": {}, "model": {}, "train": {}}
        for text in given:
            path, equals, value = text.partition("=")
            group, dot, name = path.strip().partition(".")
            if not (equals and dot and name) or group not in self._values:
                raise ConfigError(f"--set {text} is not understood; write task|model|train.<setting>=<value>")
            self._values[group][name] = value.strip()

    def of(self, group: str) -> dict[str, str]:
        return self._values[group]

    def check_used(self, configs: Iterable[Mapping[str, Any]]) -> None:
        """A model setting must exist in at least one of the models."""
        known = sorted({name for config in configs for name in config})
        for name in self._values["model"]:
            if name not in known:
                raise UnknownNameError("setting model.*", name, known)


def _lines(suite: Suite, selection: Selection, weights: str) -> list[Variant]:
    """The selected models, each a variant without settings, and the selected variants.

    Raises:
        ConfigError, UnknownNameError: If a name is unknown, or nothing is left.
    """
    names = registry.model_names() if suite.models == "all" else suite.models
    plain = [Variant(name=name, model=name) for name in _unique(selection.models or names)]
    variants = [line for line in suite.variants if not selection.models or line.model in selection.models]
    if selection.variants:
        known = {line.name: line for line in suite.variants}
        plain = plain if selection.models else []
        variants = [_choice("variant", name, known) for name in selection.variants]
    elif weights == "random":  # by profile or by --set: then nothing pre-trained is run unless by name
        variants = [line for line in variants if line.settings.get("weights") != "pretrained"]
    if selection.models:  # a model that was asked for by name brings its variants in its place
        covered = {line.model for line in variants}
        plain = [line for line in plain if line.model not in covered]
    lines = [*plain, *variants]
    for line in lines:
        registry.find("model", line.model)
    if not lines:
        raise ConfigError(f"the suite '{suite.name}' has no model or variant that was asked for")
    return lines


def _datasets(suite: Suite, selection: Selection, catalog: Catalog) -> list[str]:
    if selection.datasets:
        for name in selection.datasets:
            catalog.card(name)
        return _unique(selection.datasets)
    others = [name for name in catalog.names() if catalog.has_real(name)] if suite.extras else []
    return _unique([*suite.datasets, *others])


def _task(name: str, suite: Suite, selection: Selection, overrides: _Overrides) -> TaskSettings:
    base = _choice("task", name, TASKS)
    protocol = selection.protocol or suite.protocol
    values = {**asdict(base), "protocol": protocol, **overrides.of("task")}
    return validated(TaskSettings, values, "task")


def _resolved(
    line: Variant, profile: Profile, overrides: _Overrides, tuned: Tuned = UNTUNED
) -> tuple[str, dict[str, Any], TrainSettings, dict[str, Any], dict[str, Any]]:
    """A line's model, settings and recipe; what of both is not the profile's; and what was asked of all lines.

    Tuned settings are in neither of the last two: a model has its own on each data set. A floor is not trained and has
    no recipe.
    """
    own = {**overrides.of("model"), **line.settings}
    usual, shared, asked, config = (
        _config(line.model, profile, values) for values in ({}, overrides.of("model"), own, {**tuned.model, **own})
    )
    changed, base = _changed("model", asked, usual), _changed("model", shared, usual)
    if registry.role(line.model) == "floor":
        return line.model, config, TrainSettings(), changed, base
    profiled = asdict(profile.train)
    named, train = (
        validated(TrainSettings, {**profiled, **values, **overrides.of("train")}, "train")
        for values in ({}, tuned.train)
    )
    recipe = _changed("train", asdict(named), profiled)
    return line.model, config, train, changed | recipe, base | recipe


def _changed(group: str, values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as usual; task switches have a place of their own in the tables."""
    return {f"{group}.{name}": value for name, value in values.items() if value != usual[name]}


def _config(model: str, profile: Profile, overrides: Mapping[str, Any]) -> dict[str, Any]:
    kind = registry.config_class(model)
    known = {field.name for field in dataclasses.fields(kind)}
    values = {name: value for name, value in {**profile.model, **overrides}.items() if name in known}
    return asdict(validated(kind, values, f"model ({model})"))


def _shard(runs: list[PlannedRun], shard: str | None) -> list[PlannedRun]:
    if shard is None:
        return runs
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ConfigError(f"--shard {shard} is not understood; write i/n with 1 <= i <= n, such as 2/8")
    spread = sorted(runs, key=lambda run: run.run_id)  # so that no shard gets all the runs of one model
    return spread[int(number) - 1 :: int(count)]


def _choice(kind: str, name: str, choices: Mapping[str, S]) -> S:
    if name not in choices:
        raise UnknownNameError(kind, name, choices)
    return choices[name]


def _unique(names: Sequence[S]) -> list[S]:
    return list(dict.fromkeys(names))
