"""Suites and plans: which data sets x models x seeds x tasks, every default written out."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bench import registry
from bench.data import Catalog
from bench.errors import ConfigError, UnknownNameError
from bench.settings import PROFILES, TASKS, Profile, Protocol, TaskSettings, TrainSettings, Weights
from bench.spec import PlannedRun, RunSpec, code_hash

FOLDER = Path(__file__).parent / "suites"
S = TypeVar("S")


class Suite(BaseModel):
    """One TOML file in ``bench/suites/``, or the user's own.

    Attributes:
        extras: Whether every other data set joins whose files are there.
        models: Names, or "all" that are registered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    tasks: tuple[str, ...]
    protocol: Protocol
    datasets: tuple[str, ...]
    extras: bool = False
    models: tuple[str, ...] | Literal["all"] = "all"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the command line asks of a suite; an empty tuple or None leaves the suite's own choice."""

    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    profile: str = "quick"
    protocol: str | None = None
    task: str | None = None
    overrides: tuple[str, ...] = ()
    shard: str | None = None


def suite_names() -> list[str]:
    """Names of the suites that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_suite(name: str) -> Suite:
    """Read a suite by name, or from a TOML file.

    Raises:
        UnknownNameError: If there is neither.
        ConfigError: If the file does not validate.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UnknownNameError("suite", name, suite_names())
    try:
        return Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the suite {path} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"the suite {path} is not valid: {first_problem(error)}") from error


def plan(suite: Suite, selection: Selection, catalog: Catalog) -> list[PlannedRun]:
    """Every run of a suite as selected, data set by data set, in a stable order.

    Raises:
        ConfigError, UnknownNameError: If the selection names something unknown or invalid.
        DataError: If a data set's files cannot be read.
    """
    profile = _choice("profile", selection.profile, PROFILES)
    overrides = _Overrides(selection.overrides)
    models = _models(suite, selection)
    tasks = [_task(name, suite, selection, overrides) for name in ([selection.task] if selection.task else suite.tasks)]
    resolved = {model: _resolved(model, profile, overrides) for model in models}
    overrides.check_used(config for config, _, _ in resolved.values())
    runs = [
        PlannedRun(
            spec=RunSpec(
                data=catalog.identity(dataset),
                task=task,
                model=model,
                config=config,
                train=train,
                seed=seed,
                weights=cast(Weights, config.get("weights", "none")),
            ),
            code=code_hash(dataset, model),
            label={"profile": profile.name, "overrides": changed},
        )
        for dataset in _datasets(suite, selection, catalog)
        for task in tasks
        for model, (config, train, changed) in resolved.items()
        for seed in _unique(selection.seeds or profile.seeds)
    ]
    return _shard(runs, selection.shard)


def validated(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Build a settings dataclass from values that may be strings.

    Raises:
        UnknownNameError: If a field does not exist.
        ConfigError: If a value does not fit its field.
    """
    known = [field.name for field in dataclasses.fields(cast(Any, kind))]
    for name in values:
        if name not in known:
            raise UnknownNameError(f"setting {where}.*", name, known)
    try:
        made: S = TypeAdapter(kind).validate_python(dict(values))
        json.dumps(asdict(cast(Any, made)), allow_nan=False)
    except ValidationError as error:
        raise ConfigError(f"the setting {where}.{first_problem(error)}") from error
    except (PydanticUserError, TypeError, ValueError) as error:
        raise ConfigError(f"the settings {where}.* must be finite numbers, texts and truth values: {error}") from error
    return made


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation, as "field: message, found value"."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}, found {problem['input']!r}"


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


def _changed(group: str, values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run a variant; task switches have a place of their own in the tables."""
    return {f"{group}.{name}": value for name, value in values.items() if value != usual[name]}


def _models(suite: Suite, selection: Selection) -> list[str]:
    names = selection.models or (registry.model_names() if suite.models == "all" else suite.models)
    for name in names:
        registry.find("model", name)
    return _unique(names)


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
    model: str, profile: Profile, overrides: _Overrides
) -> tuple[dict[str, Any], TrainSettings, dict[str, Any]]:
    """A model's settings, its recipe, and what of both is not the profile's; a floor is not trained and has none."""
    config = _config(model, profile, overrides.of("model"))
    changed = _changed("model", config, _config(model, profile, {}))
    usual = asdict(profile.train)
    train = validated(TrainSettings, {**usual, **overrides.of("train")}, "train")
    if registry.role(model) == "floor":
        return config, TrainSettings(), changed
    return config, train, changed | _changed("train", asdict(train), usual)


def _config(model: str, profile: Profile, overrides: Mapping[str, str]) -> dict[str, Any]:
    kind = registry.config_class(model)
    known = {field.name for field in dataclasses.fields(kind)}
    values: dict[str, Any] = {"weights": profile.weights} if "weights" in known else {}
    values |= {name: value for name, value in overrides.items() if name in known}
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
