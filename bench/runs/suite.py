"""Suites: which data sets x models and variants x tasks make one table, read from TOML."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from annotated_types import MinLen
from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bench.catalog import registry
from bench.errors import ConfigError, UnknownNameError
from bench.records.arrays import check_whole_numbers
from bench.records.frame import changes
from bench.runs.layout import Layout, Line
from bench.runs.published import load_published
from bench.settings import Protocol

FOLDER = Path(__file__).resolve().parent / "suites"
S = TypeVar("S")


class Variant(BaseModel):
    """A model with settings of its own and a name in the suite's table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model: str
    settings: dict[str, Any] = {}


class Suite(BaseModel):
    """One TOML file in ``bench/runs/suites/``, or the user's own.

    Attributes:
        extras: Whether every other data set joins whose files are there.
        models: Names, or "all" that are registered; "all" goes without variants.
        variants: Lines after the models.
        references: Names of variants that the other variants are compared with: the first that has runs.
        question: What the comparison answers.
        published: A file of ``bench/runs/published_tables/``, whose numbers stand beside ours.
        tuned: True for a suite of tuned runs, which takes no others; False for one that takes none of them; without
            either, its table shows tuned runs in blocks of their own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
    title: str
    tasks: Annotated[tuple[str, ...], MinLen(1)]
    protocol: Protocol
    datasets: Annotated[tuple[str, ...], MinLen(1)]
    extras: bool = False
    models: tuple[str, ...] | Literal["all"] = "all"
    variants: tuple[Variant, ...] = ()
    references: tuple[str, ...] = ()
    question: str = ""
    published: str = ""
    tuned: bool | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Suite:
        names = [variant.name for variant in self.variants]
        if self.models == "all" and names:
            raise ValueError('a suite with variants names its models; models = "all" goes without')
        if repeated := [name for name in names if [*names, *self.models].count(name) > 1]:
            raise ValueError(f"'{repeated[0]}' names two lines")
        if unknown := [name for name in self.references if name not in names]:
            raise ValueError(f"the reference '{unknown[0]}' is no variant")
        return self


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
        suite = Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigError(f"the suite {path} is not valid: {first_problem(error)}") from error
    except ValueError as error:
        raise ConfigError(f"the suite {path} is not valid TOML: {error}") from error
    if path.resolve().parent != FOLDER and suite.name in suite_names():
        raise ConfigError(f"the suite {path} has the name '{suite.name}' of one that is there; choose another")
    return suite


def layouts(names: Sequence[str]) -> list[Layout]:
    """The tables of suites, by name or TOML file.

    Raises:
        UnknownNameError, ConfigError: If a suite does not exist or does not validate, or a variant of it.
    """
    return [
        Layout(
            name=suite.name,
            title=suite.title,
            tasks=suite.tasks,
            lines=_lines(suite),
            references=suite.references,
            question=suite.question,
            published=load_published(suite.published) if suite.published else None,
            tuned=suite.tuned,
        )
        for suite in map(load_suite, names)
    ]


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
        made: S = _validator(cast(Any, kind)).validate_python(dict(values))
        json.dumps(asdict(cast(Any, made)), allow_nan=False)
        check_whole_numbers(asdict(cast(Any, made)))
    except ValidationError as error:
        raise ConfigError(f"the setting {where}.{first_problem(error)}") from error
    except (PydanticUserError, TypeError, ValueError) as error:
        raise ConfigError(f"the settings {where}.* must be finite numbers, texts and truth values: {error}") from error
    return made


@cache
def _validator(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation, as "field: message, found value"."""
    problem = error.errors()[0]
    if not problem["loc"]:
        return problem["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}, found {problem['input']!r}"


def _lines(suite: Suite) -> tuple[Line, ...]:
    """None for a suite of all models, whose lines are whatever was run.

    Raises:
        UnknownNameError, ConfigError: If a variant's model or settings do not exist, or two variants are the same.
    """
    if suite.models == "all":
        return ()
    variants = [_line(variant) for variant in suite.variants]
    for number, line in enumerate(variants):
        same = (other.name for other in variants[:number] if replace(line, name=other.name) == other)
        if twin := next(same, None):
            raise ConfigError(f"the variants '{twin}' and '{line.name}' of the suite '{suite.name}' are the same")
    return (*(Line(name=name, model=name) for name in suite.models), *variants)


def _line(variant: Variant) -> Line:
    kind, where = registry.config_class(variant.model), f"model ({variant.name})"
    usual = asdict(cast(Any, kind()))
    chosen = asdict(cast(Any, validated(kind, variant.settings, where)))
    named = [name for name in chosen if name in variant.settings and name != "weights"]
    values = {name: changes({f"model.{name}": chosen[name]})[0].partition("=")[2] for name in named}
    return Line(
        name=variant.name,
        model=variant.model,
        variant=True,
        settings={f"model.{name}": None if chosen[name] == usual[name] else value for name, value in values.items()},
        weights=chosen["weights"] if "weights" in variant.settings else None,
    )
