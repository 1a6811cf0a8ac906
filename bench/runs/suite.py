"""Suites: which data sets, models, variants and tasks make one table, read from TOML."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from annotated_types import Interval, MinLen
from pydantic import (
    Field,
    PydanticUserError,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bench.catalog import own_files, registry
from bench.catalog.known_keys import UNKNOWN, KnownKeys
from bench.catalog.plugins import Group
from bench.errors import ConfigError, UnknownNameError
from bench.plain_files import read_toml
from bench.plain_text import one_line, shown
from bench.records.spec import changes
from bench.runs.profiles import PROFILES, Profile
from bench.runs.published import Published, load_published
from bench.settings import OTHERS, Protocol, TaskSettings

FOLDER = Path(__file__).resolve().parent / "suites"
BY_ITS_PATH = "a suite of your own is named by the path of its TOML file"
S = TypeVar("S")


class Method(KnownKeys):
    """A row of a suite's table: a model, or a variant of it with a name and settings of its own."""

    name: str
    model: str
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def weights(self) -> str | None:
        """What the row is about, one of ``bench.settings.Weights``; None for any."""
        return self.settings.get("weights")

    @cached_property
    def usable(self) -> bool:
        """Whether its model is here and can be used; else nobody knows what its usual settings are."""
        return not registry.problem_of("model", self.model)

    @cached_property
    def named(self) -> dict[str, dict[str, str | None]]:
        """By profile its settings but the weights, as "model.<name>" with the value as text, or None for the usual one.

        Raises:
            UnknownNameError, ConfigError: If the model or a setting does not exist.
        """
        return {name: self._named(profile) for name, profile in PROFILES.items()}

    def _named(self, profile: Profile) -> dict[str, str | None]:
        if not self.usable:
            return {f"model.{name}": _text(name, value) for name, value in self.settings.items() if name != "weights"}
        config = registry.config_class(self.model)
        usual = profile.settings_of(self.model, [field.name for field in dataclasses.fields(config)])
        default, chosen = (
            asdict(cast(Any, validated(config, {**usual, **settings}, f"model ({self.name})")))
            for settings in ({}, self.settings)
        )
        return {
            f"model.{name}": None if chosen[name] == default[name] else _text(name, chosen[name])
            for name in chosen
            if name in self.settings and name != "weights"
        }

    def changes(self, base: Iterable[str], profile: str) -> frozenset[str]:
        """What a run of this row changes when all runs of its group, of one profile, change ``base``."""
        named = self.named.get(profile, {})
        shared = {change for change in base if change.partition("=")[0] not in named}
        return frozenset({*shared, *(f"{name}={value}" for name, value in named.items() if value is not None)})

    def made(self, changed: frozenset[str], base: frozenset[str], profile: str, config: Mapping[str, Any]) -> bool:
        """Whether a run of its model, in a group that changes ``base``, is of this row.

        Args:
            changed: What the run changes of the usual settings, without the weights.
            base: What all runs of its group change.
            profile: Of the group.
            config: All of the run's settings, which tell where the usual ones are not known.
        """
        if self.usable:
            return self.changes(base, profile) == changed
        own = {f"model.{name}" for name in self.settings}
        others = ({change for change in changes if change.partition("=")[0] not in own} for changes in (changed, base))
        return next(others) == next(others) and all(config.get(name) == self.settings[name] for name in self.settings)


class Suite(KnownKeys):
    """One TOML file in ``bench/runs/suites/``, or the user's own.

    Attributes:
        extras: Whether every other data set joins whose files are there. Without it, runs on others stand in its table
            only if they were made for it.
        models: Names, or "all" that are registered; "all" goes without variants.
        variants: Rows after the models.
        references: What the others are compared with, the first that has runs: names of variants, with which the other
            variants are compared, or in a suite without variants names of models, with which all its rows are.
        question: What the comparison answers.
        margin: Within which a difference from the reference does not matter, in percent of its mean absolute error.
            Declared before anything is run: the verdict "equivalent" says that a difference is smaller.
        planted: Whether its data are synthetic on purpose, so that what is true of them is known: what is claimed of
            them then counts.
        published: A file of ``bench/runs/published_tables/``, whose numbers are shown beside ours.
        task: Settings of the tasks, the same for all, such as ``days_back``.
        tuned: True for a suite of tuned runs, which takes no others; False for one that takes none of them; without
            either, its table shows tuned runs in groups of their own.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
    title: str
    tasks: Annotated[tuple[str, ...], MinLen(1)]
    protocol: Protocol
    datasets: Annotated[tuple[str, ...], MinLen(1)]
    extras: bool = False
    models: tuple[str, ...] | Literal["all"] = "all"
    variants: tuple[Method, ...] = ()
    references: tuple[str, ...] = ()
    question: str = ""
    margin: Annotated[float, Interval(gt=0, le=100)] = 1.0
    planted: bool = False
    published: str = ""
    task: dict[str, Any] = Field(default_factory=dict)
    tuned: bool | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Suite:
        names = [variant.name for variant in self.variants]
        if self.models == "all" and names:
            raise ValueError(
                'a suite with variants names its models: write models = [], or names; "all" goes without variants'
            )
        if repeated := [name for name in names if [*names, *self.models].count(name) > 1]:
            raise ValueError(f"'{repeated[0]}' names two rows")
        known = names or self.models
        unread = not names and any(map(own_files.is_path, self.models))  # who knows what the files declare
        if known != "all" and not unread and (unknown := [name for name in self.references if name not in known]):
            what = "no variant; add a model to [[variants]], with a name" if names else "none of the models"
            raise ValueError(f"the reference '{unknown[0]}' is {what}")
        return self

    @property
    def plain(self) -> bool:
        """Whether it neither compares variants nor lays published numbers beside."""
        return not self.compares_variants and not self.published

    @property
    def compares_variants(self) -> bool:
        """Whether its rows are there to be compared with one of them."""
        return bool(self.variants and self.references)

    @property
    def methods(self) -> tuple[Method, ...]:
        """Its rows in order; none for a suite of all models, whose rows are whatever was run."""
        if self.models == "all":
            return ()
        return (*(Method(name=name, model=name) for name in self.models), *self.variants)

    @cached_property
    def switches(self) -> dict[str, Any]:
        """Its settings of the tasks as a run's specification has them.

        Raises:
            UnknownNameError, ConfigError: If one does not exist or does not fit.
        """
        known = validated(TaskSettings, {"name": "", **self.task}, "task")
        return {name: getattr(known, name) for name in self.task}

    def takes(self, task: TaskSettings) -> bool:
        """Whether runs of this task belong to it, whatever its protocol."""
        wanted = self.switches
        if wanted.get("sources") == OTHERS and task.sources:  # which a run has written out
            wanted = {**wanted, "sources": task.sources}
        return task.name in self.tasks and all(getattr(task, name) == value for name, value in wanted.items())

    def shows(self, task: str, planned_by: str) -> bool:
        """Whether a run of one of its tasks is to stand in its table whatever its model.

        It is if the plan was its own. And a task that no plain suite has is shown by those that have it: else its runs
        would be in no table.

        Args:
            task: By name.
            planned_by: The suite whose plan the run was made of, by name.
        """
        return planned_by == self.name or (self.name in suite_names() and task not in plain_tasks())

    @property
    def published_table(self) -> Published | None:
        """Numbers of others to lay ours beside."""
        return load_published(self.published) if self.published else None

    def check(self) -> None:
        """Look at what loading does not: settings of task and variants, models, and the published numbers.

        Raises:
            UnknownNameError, ConfigError: If one does not exist, or two variants are the same.
        """
        _ = self.published_table, self.switches
        for name in () if self.variants else self.references:
            if name not in registry.model_names():
                raise registry.unknown("model", name)
        for profile, (number, variant) in product(PROFILES, enumerate(self.variants)):
            changed = variant.changes((), profile)
            twins = (v for v in self.variants[:number] if v.model == variant.model and v.weights == variant.weights)
            if twin := next((twin for twin in twins if twin.changes((), profile) == changed), None):
                raise ConfigError(
                    f"the variants '{twin.name}' and '{variant.name}' of the suite '{self.name}' are the same"
                )


def suite_names() -> list[str]:
    """Names of the suites that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def plain_tasks() -> frozenset[str]:
    """The tasks of the plain suites that come with the project."""
    suites = map(load_suite, suite_names())
    return frozenset(task for suite in suites if suite.plain for task in suite.tasks)


def load_suite(name: str) -> Suite:
    """Read a suite by name, or from a TOML file.

    A file may name models and data sets by the paths of files of the user's own, from its folder on. This process and
    those that it starts know these from now on.

    Raises:
        UnknownNameError: If there is none of this name.
        ConfigError: If there is no such file, or it does not validate, or a path in it is that of no model's file.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in suite_names():
        raise UnknownNameError("suite", name, suite_names(), BY_ITS_PATH)
    try:
        suite = _with_own_files(Suite.model_validate(read_toml(path)), path.absolute().parent)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no file {name}; give the path of a suite's TOML file, or the name of a suite"
        ) from error
    except OSError as error:
        raise ConfigError(f"the suite {path} cannot be read: {error.strerror or error}; give a TOML file") from error
    except ValidationError as error:
        raise ConfigError(f"the suite {path} is not valid: {first_problem(error)}") from error
    except ValueError as error:
        raise ConfigError(f"the suite {path} is not valid TOML: {one_line(error)}") from error
    if path.resolve().parent != FOLDER and suite.name in suite_names():
        raise ConfigError(f"the suite {path} has the name '{suite.name}' of one that is there; choose another")
    return suite


def _with_own_files(suite: Suite, folder: Path) -> Suite:
    """The suite with names in place of paths, which are known from now on."""
    files: list[own_files.OwnFile] = []

    def names(group: Group, texts: Iterable[str]) -> tuple[str, ...]:
        found, listed = registry.named(group, [own_files.below(folder, text) for text in texts])
        files.extend(listed)
        return found

    values = suite.model_dump(exclude_unset=True)
    if suite.models != "all":
        values["models"] = names("model", suite.models)
    if not suite.variants:  # of which references are names
        values["references"] = names("model", suite.references)
    values["datasets"] = names("dataset", suite.datasets)
    models = names("model", [variant.model for variant in suite.variants])
    values["variants"] = [v.model_dump() | {"model": m} for v, m in zip(suite.variants, models, strict=True)]
    own_files.list_also(files)
    return Suite.model_validate(values) if files else suite


def load_suites(names: Sequence[str] = ()) -> list[Suite]:
    """Suites by name or TOML file, their variants checked; all that come with the project if there are no names.

    Raises:
        UnknownNameError, ConfigError: If a suite does not exist or does not validate, or a variant of it.
    """
    suites = [load_suite(name) for name in names or suite_names()]
    for suite in suites:
        suite.check()
    return suites


def validated(config: type[S], values: Mapping[str, Any], where: str) -> S:
    """Build a settings dataclass from values that may be strings.

    Raises:
        UnknownNameError: If a field does not exist.
        ConfigError: If a value does not fit its field.
    """
    known = [field.name for field in dataclasses.fields(cast(Any, config))]
    for name in values:
        if name not in known:
            raise UnknownNameError(f"setting {where}.*", name, known)
    try:
        made: S = _validator(cast(Any, config)).validate_python(dict(values))
        json.dumps(asdict(cast(Any, made)), allow_nan=False)
        _check_whole_numbers(asdict(cast(Any, made)))
    except ValidationError as error:
        raise ConfigError(f"the setting {where}.{first_problem(error)}") from error
    except (PydanticUserError, TypeError, ValueError) as error:
        raise ConfigError(f"the settings {where}.* must be finite numbers, texts and truth values: {error}") from error
    return made


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation, as "field: message, found value"."""
    problem = error.errors()[0]
    if not problem["loc"]:
        return problem["msg"].removeprefix("Value error, ")
    path = ".".join(str(part) for part in problem["loc"])
    found = "" if problem["type"] == UNKNOWN else f", found {shown(problem['input'])}"
    return f"{path}: {problem['msg']}{found}"


@cache
def _validator(config: Any) -> TypeAdapter[Any]:
    return TypeAdapter(config)


def _check_whole_numbers(value: object) -> None:
    """Raise ValueError if a whole number needs more than 64 bits: a record could not hold it."""
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            _check_whole_numbers(part)
    elif isinstance(value, int) and value.bit_length() > 63:
        raise ValueError("a whole number in it needs more than 64 bits")


def _text(name: str, value: object) -> str:
    (change,) = changes({f"model.{name}": value})
    return change.partition("=")[2]
