"""Tuned settings: ``results/tuned/<data set>/<model>.toml``, written by ``tune`` and read by ``run --tuned``.

A file holds the settings that were searched and no others, so that a run with it differs from the default in nothing
that a table would not say. It may be edited by hand; a digest of what was found shows that it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import tomli_w
from annotated_types import Ge
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from bench.catalog import registry
from bench.config import Space
from bench.errors import BenchError, ConfigError, StoreError, UnknownNameError
from bench.files import atomic_write
from bench.runs.suite import first_problem, validated
from bench.settings import TaskSettings, TrainSettings

RECIPE: Final = MappingProxyType({"lr": Space(low=3e-4, high=1e-2, log=True)})
"""What of the recipe is tuned; all else of it is the same for every model."""
HEAD = "# {model} on {dataset}: settings for 'stbench run --tuned', found on validation. Edit them, or tune again.\n"
MOST_NAMED = 3  # missing files in one sentence


class Found(BaseModel):
    """What a study gave a model, and what came of it.

    Attributes:
        fixed: What was set by hand while tuning, such as "train.epochs=2".
        asked: The target, such as "20 trials" or "600 s".
        failed: Trials that ended with an error; those whose process was killed are not among them.
        seconds: Of all finished and failed trials.
        default_mae: Validation MAE of the default settings; None if that trial did not finish.
        best_trial: Its number in the study, from 0.
        values: Digest of the settings that were found.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str
    task: str
    protocol: str
    profile: str
    fixed: tuple[str, ...] = ()
    weights: str
    synthetic: Annotated[bool, Field(validation_alias=AliasChoices("synthetic", "stand_in"))]
    asked: str
    finished: Annotated[int, Ge(0)]
    pruned: Annotated[int, Ge(0)]
    failed: Annotated[int, Ge(0)]
    seconds: float
    default_mae: float | None = None
    best_mae: float
    best_trial: int
    values: str


class Tuned(BaseModel):
    """One file; ``found`` is absent in one that was written by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: dict[str, bool | int | float | str] = {}
    train: dict[str, float] = {}
    found: Found | None = None

    @property
    def edited(self) -> bool:
        """Whether the settings are not those that were found."""
        return self.found is None or self.found.values != digest(self.model, self.train)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TunedFile:
    """What a file of tuned settings says, and of which data set and model."""

    dataset: str
    model: str
    tuned: Tuned


def digest(model: Mapping[str, Any], train: Mapping[str, Any]) -> str:
    """Tells tuned settings apart."""
    text = json.dumps([model, train], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def spaces(model: str) -> dict[str, Space]:
    """What is searched for a model, by "model.<setting>" and "train.<setting>".

    Nothing for a naive baseline; and of the recipe nothing for a model that is fitted, since it takes no steps.
    """
    if registry.role(model) == "naive":
        return {}
    fields = dataclasses.fields(registry.config_class(model))
    config = {f"model.{field.name}": field.metadata["tune"] for field in fields if "tune" in field.metadata}
    recipe = {} if registry.is_fitted(model) else RECIPE
    return config | {f"train.{name}": space for name, space in recipe.items()}


class TunedFolder:
    """The tuned settings of one results folder."""

    def __init__(self, results: Path) -> None:
        self._folder = results / "tuned"

    def path(self, dataset: str, model: str, task: str) -> Path:
        """``<model>.toml`` for the task short, ``<model>.<task>.toml`` for another."""
        return self._folder / dataset / f"{model}{'' if task == 'short' else f'.{task}'}.toml"

    def read(self, dataset: str, model: str, task: str) -> Tuned:
        """The settings in a file.

        Raises:
            ConfigError: If there is no file, or it does not validate.
        """
        return _usable(self.path(dataset, model, task), model)

    def require(
        self, pairs: Iterable[tuple[str, str]], task: TaskSettings, profile: str, *, real: Container[str] = ()
    ) -> dict[tuple[str, str], Tuned]:
        """The settings of every (data set, model); naive baselines have none and are left out.

        Raises:
            ConfigError: If a file is missing or does not validate, or was found under another protocol or profile, or
                on a synthetic data set of data that are ``real``.
        """
        wanted = [pair for pair in pairs if registry.role(pair[1]) != "naive"]
        missing = [pair for pair in wanted if not self.path(*pair, task.name).exists()]
        if missing:
            named = ", ".join(str(self.path(*pair, task.name)) for pair in missing[:MOST_NAMED])
            more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            dataset, model = missing[0]
            raise ConfigError(
                f"there are no tuned settings {named}{more}; 'stbench tune --model {model} --dataset {dataset}' with "
                "the same task, protocol and profile finds them ('--suite NAME': those of a suite)"
            )
        settings = {pair: self.read(*pair, task.name) for pair in wanted}
        for pair, tuned in settings.items():
            _check_place(tuned, self.path(*pair, task.name), task, profile)
            _check_data(tuned, self.path(*pair, task.name), is_real=pair[0] in real)
        return settings

    def files(self) -> Iterator[TunedFile]:
        """Every file, sorted by path; those of models not installed here are left out.

        Settings that a model no longer has are passed on: only ``read`` refuses them.

        Raises:
            ConfigError: If a file is not of this form.
        """
        for path in sorted(self._folder.glob("*/*.toml")):
            model = path.name.partition(".")[0]
            if model in registry.model_names():
                yield TunedFile(dataset=path.parent.name, model=model, tuned=_parsed(path))

    def write(self, dataset: str, model: str, task: str, tuned: Tuned) -> Path | None:
        """Write what a study found, unless the file has it already; one that was edited is kept aside.

        Returns:
            Where the edited file is now, or None if there was none.

        Raises:
            StoreError: If the file cannot be written.
        """
        path = self.path(dataset, model, task)
        if _found_in(path) == tuned.found:
            return None
        aside = _unused(path) if _is_edited(path) else None
        try:
            with atomic_write(path) as part:
                part.write_bytes(dumped(dataset, model, tuned).encode())
                if aside is not None:
                    path.replace(aside)
        except OSError as error:
            raise StoreError(f"{path} cannot be written ({error}); check the folder's space and rights") from error
        return aside


def dumped(dataset: str, model: str, tuned: Tuned) -> str:
    """The file's text; a table without settings is left out."""
    tables = {name: table for name, table in tuned.model_dump(exclude_none=True).items() if table}
    return f"{HEAD.format(model=model, dataset=dataset)}\n{tomli_w.dumps(tables)}"


def _parsed(path: Path) -> Tuned:
    try:
        return Tuned.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}; 'stbench tune' writes it") from error
    except ValidationError as error:
        raise ConfigError(f"the tuned settings {path} are not valid: {first_problem(error)}") from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"the tuned settings {path} cannot be read as TOML: {error}") from error


def _usable(path: Path, model: str) -> Tuned:
    """The settings in a file, which are of the model as it is now."""
    tuned = _parsed(path)
    try:
        _check_names(tuned, model)
        validated(registry.config_class(model), tuned.model, f"model ({model})")
        validated(TrainSettings, tuned.train, "train")
    except BenchError as error:
        raise ConfigError(f"the tuned settings {path} are not valid: {error}") from error
    return tuned


def _check_names(tuned: Tuned, model: str) -> None:
    """A file may hold only what is searched: tables name what else is changed, and would not name this."""
    known = spaces(model)
    for name in (*(f"model.{name}" for name in tuned.model), *(f"train.{name}" for name in tuned.train)):
        if name not in known:
            raise UnknownNameError(f"tunable setting of '{model}'", name, known)


def check_equal(files: Mapping[tuple[str, str], Tuned]) -> None:
    """On each data set all models must have been given the same; files that were written by hand are not asked.

    Raises:
        ConfigError: If they were not.
    """
    first: dict[str, tuple[str, str]] = {}
    for (dataset, model), tuned in files.items():
        if tuned.found is None:
            continue
        other, asked = first.setdefault(dataset, (model, tuned.found.asked))
        if tuned.found.asked != asked:
            raise ConfigError(
                f"on {dataset} {other} was tuned with {asked} and {model} with {tuned.found.asked}; tune all with the "
                "same, or run a suite that does not call itself equally tuned with --tuned"
            )


def _check_place(tuned: Tuned, path: Path, task: TaskSettings, profile: str) -> None:
    if (found := tuned.found) is None:
        return
    there = (found.task, found.protocol, found.profile)
    if there != (task.name, task.protocol, profile):
        raise ConfigError(
            f"the settings {path} were found for task {found.task}, protocol {found.protocol}, profile "
            f"{found.profile}, and {task.name}, {task.protocol}, {profile} is asked for; tune for that, or delete the "
            "file's table [found] to use its settings as they are"
        )


def _check_data(tuned: Tuned, path: Path, *, is_real: bool) -> None:
    if is_real and tuned.found and tuned.found.synthetic:
        raise ConfigError(
            f"the settings {path} were found on synthetic data, and the real data are here; tune on these, or delete "
            "the file's table [found] to use its settings as they are"
        )


def _found_in(path: Path) -> Found | None:
    try:
        return _parsed(path).found
    except ConfigError:
        return None


def _unused(path: Path) -> Path:
    """A name for an edited file that no other has: one kept aside before stays."""
    names = (path.with_name(f"{path.name}.edited{number}") for number in ("", *range(2, 1000)))
    return next(name for name in names if not name.exists())


def _is_edited(path: Path) -> bool:
    """Also true of a file that cannot be read: it is somebody's work."""
    try:
        return path.exists() and _parsed(path).edited
    except ConfigError:
        return True
