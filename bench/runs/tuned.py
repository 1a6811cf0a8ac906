"""Tuned settings: ``results/tuned/<data set>/<model>.toml``, written by ``tune`` and read by ``run --tuned``.

A variant of a suite has a file of its own, ``<model>@<its settings>.toml``: it is tuned by itself, and never takes the
settings that were found for the model that it is compared with.

A file holds the settings that were searched and no others, so that a run with it differs from the default in nothing
that a table would not say. It may be edited by hand; a digest of what was found shows that it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import tomli_w
from annotated_types import Ge
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from bench.catalog import registry
from bench.catalog.known_keys import KnownKeys
from bench.errors import BenchError, ConfigError, UnknownNameError, unwritten
from bench.files import atomic_write
from bench.plain_files import read_toml
from bench.plain_text import first_few, one_line
from bench.records.planned import PlannedRun
from bench.runs.search import Search, parts_of_stem, slug, spaces, stem
from bench.runs.suite import first_problem, validated
from bench.runs.wanted import Wanted
from bench.settings import TaskSettings, TrainSettings

HEAD = "# {model} on {dataset}: settings for 'stbench run --tuned', found on validation. Edit them, or tune again.\n"
BY_HAND: Final = "by hand"
SECONDS: Final = " s"  # behind their number, in what was asked for
OR_ELSE: Final = "or run a suite that does not call itself equally tuned with --tuned, or tuned=True"


class Found(BaseModel):
    """What a study gave a model, and what came of it.

    Attributes:
        fixed: What was set by hand while tuning, such as "train.epochs=2".
        variant: What the row of the suite sets, such as "model.control=shuffled".
        asked: The target, such as "20 trials" or "600 s"; the largest, where a study goes on.
        code: Digest of the code of the trials; empty in a file of an earlier version.
        failed: Trials that ended with an error; those whose process was killed are not among them.
        seconds: Of all finished and failed trials.
        default_mae: Validation MAE of the default settings; None if that trial did not finish.
        best_trial: Its number in the study, from 0.
        values: Digest of the settings that were found.
        edges: The settings whose value that was found lies at the edge of its range.
        search: What was searched, and how; None in a file of an earlier version.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str
    task: str
    protocol: str
    profile: str
    fixed: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    weights: str
    synthetic: Annotated[bool, Field(validation_alias=AliasChoices("synthetic", "stand_in"))]
    asked: str
    code: str = ""
    finished: Annotated[int, Ge(0)]
    pruned: Annotated[int, Ge(0)]
    failed: Annotated[int, Ge(0)]
    seconds: float
    default_mae: float | None = None
    best_mae: float
    best_trial: int
    values: str
    edges: tuple[str, ...] = ()
    search: Search | None = None


class Tuned(KnownKeys):
    """One file; ``found`` is absent in one that was written by hand."""

    model: dict[str, bool | int | float | str] = Field(default_factory=dict)
    train: dict[str, float] = Field(default_factory=dict)
    found: Found | None = None

    @property
    def edited(self) -> bool:
        """Whether the settings are not those that were found."""
        return self.found is None or self.found.values != digest(self.model, self.train)

    @property
    def found_with(self) -> str:
        """What the settings are owed to: "20 trials", "600 s", or "by hand"."""
        return BY_HAND if self.found is None or self.edited else self.found.asked


@dataclasses.dataclass(frozen=True, kw_only=True)
class TunedFile:
    """What a file of tuned settings says, and of which data set and model.

    Attributes:
        slug: Of the variant; empty for the model itself.
    """

    dataset: str
    model: str
    tuned: Tuned
    slug: str = ""

    @property
    def name(self) -> str:
        """Of the model, with its variant."""
        return stem(self.model, self.slug)


def digest(model: Mapping[str, Any], train: Mapping[str, Any]) -> str:
    """Tells tuned settings apart."""
    text = json.dumps([model, train], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class TunedFolder:
    """The tuned settings of one results folder."""

    def __init__(self, results: Path) -> None:
        self._folder = results / "tuned"

    def path(self, dataset: str, model: str, task: str, variant_slug: str = "") -> Path:
        """``<model>.toml`` or ``<model>@<slug>.toml`` for the task short; with ``.<task>`` for another."""
        return self._folder / dataset / f"{stem(model, variant_slug)}{'' if task == 'short' else f'.{task}'}.toml"

    def read(self, dataset: str, model: str, task: str, variant_slug: str = "") -> Tuned:
        """The settings in a file.

        Raises:
            ConfigError: If there is no file, or it does not validate.
        """
        return _usable(self.path(dataset, model, task, variant_slug), model)

    def require(
        self, wanted: Sequence[Wanted], task: TaskSettings, profile: str, *, real: Container[str] = ()
    ) -> dict[Wanted, Tuned]:
        """The settings that are wanted, each of its own file.

        Raises:
            ConfigError: If a file is missing or does not validate, or was found under another protocol or profile, or
                on a synthetic data set of data that are ``real``.
        """
        missing = [one for one in wanted if not self._path_of(one, task).exists()]
        if missing:
            named = first_few([str(self._path_of(one, task)) for one in missing])
            raise ConfigError(
                f"there are no tuned settings {named}; {missing[0].finder} with the same task, protocol, "
                "profile and folders finds them (with --suite NAME, or suite=, those of a suite)"
            )
        settings = {one: _usable(self._path_of(one, task), one.model) for one in wanted}
        for one, tuned in settings.items():
            _check_place(tuned, self._path_of(one, task), task, profile)
            _check_data(tuned, self._path_of(one, task), is_real=one.dataset in real)
        return settings

    def check_equal(self, settings: Mapping[Wanted, Tuned], task: TaskSettings) -> None:
        """Refuse settings that were not all found by the search that is asked for, with equal effort on a data set.

        Raises:
            ConfigError: If a file was written or edited by hand, or another search found it; or if two models of a
                data set were given different numbers of trials or seconds.
        """
        first: dict[str, tuple[Wanted, str]] = {}
        for one, tuned in settings.items():
            found = _found_by(one, tuned, self._path_of(one, task))
            other, asked = first.setdefault(one.dataset, (one, found.asked))
            if found.asked != asked:
                raise ConfigError(
                    f"on {one.dataset} {other.row} was tuned with {asked} and {one.row} with {found.asked}; tune all "
                    f"with the same, {OR_ELSE}"
                )

    def of_other_code(self, runs: Iterable[PlannedRun]) -> list[str]:
        """Data set and row of each of these tuned runs whose settings were searched with other code than its own."""
        tuned = {(run.dataset, run.method, run.spec.task.name): run for run in runs if run.spec.tuned}
        other = []
        for run in tuned.values():
            found = self.found(run.dataset, run.model, run.spec.task.name, slug(run.variant))
            other += [f"{run.dataset} / {run.method}"] if found and found.code not in ("", run.code) else []
        return list(dict.fromkeys(other))

    def _path_of(self, one: Wanted, task: TaskSettings) -> Path:
        return self.path(one.dataset, one.model, task.name, slug(one.variant))

    def files(self) -> Iterator[TunedFile]:
        """Every file, sorted by path; those of models that are neither here nor among the records are left out.

        Settings that a model no longer has are passed on: only ``read`` refuses them.

        Raises:
            ConfigError: If a file is not of this form.
        """
        for path in sorted(self._folder.glob("*/*.toml")):
            model, variant_slug = parts_of_stem(path.name)
            if is_of_a_model(self._folder.parent, path.parent.name, model):
                yield TunedFile(dataset=path.parent.name, model=model, slug=variant_slug, tuned=_parsed(path))

    def found(self, dataset: str, model: str, task: str, variant_slug: str = "") -> Found | None:
        """What a study left in a file; None if there is no such file, or nobody knows."""
        try:
            return _parsed(self.path(dataset, model, task, variant_slug)).found
        except ConfigError:
            return None

    def write(self, dataset: str, model: str, task: str, tuned: Tuned, variant_slug: str = "") -> Path | None:
        """Write what a study found, unless the file has it already; one that was edited is kept aside.

        A file of the same study with as many trials keeps what was asked for when they were made, if that, or what is
        asked for now, are seconds: so many trials may take any time.

        Returns:
            Where the edited file is now, or None if there was none.

        Raises:
            StoreError: If the file cannot be written.
        """
        path = self.path(dataset, model, task, variant_slug)
        before, found = self.found(dataset, model, task, variant_slug), tuned.found
        same = before and found and (before.study, before.finished) == (found.study, found.finished)
        if before and found and same and SECONDS in (before.asked[-2:], found.asked[-2:]):
            found = found.model_copy(update={"asked": before.asked})
        if before == found:
            return None
        tuned = tuned.model_copy(update={"found": found})
        aside = _unused(path) if _is_edited(path) else None
        try:
            with atomic_write(path) as part:
                part.write_bytes(dumped(dataset, stem(model, variant_slug), tuned).encode())
                if aside is not None:
                    path.replace(aside)
        except OSError as error:
            raise unwritten(str(path), error) from error
        return aside


def is_of_a_model(results: Path, dataset: str, model: str) -> bool:
    """Whether a model is registered, or was run once, so that its file may be gone."""
    return model in registry.model_names() or (results / "runs" / dataset / model).is_dir()


def dumped(dataset: str, model: str, tuned: Tuned) -> str:
    """The file's text; a table without settings is left out."""
    tables = {name: table for name, table in tuned.model_dump(exclude_none=True).items() if table}
    return f"{HEAD.format(model=model, dataset=dataset)}\n{tomli_w.dumps(tables)}"


def _parsed(path: Path) -> Tuned:
    try:
        return Tuned.model_validate(read_toml(path))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}; 'stbench tune', or bench.tune, writes it") from error
    except ValidationError as error:
        raise ConfigError(f"the tuned settings {path} are not valid: {first_problem(error)}") from error
    except OSError as error:
        raise ConfigError(f"the tuned settings {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"the tuned settings {path} cannot be read as TOML: {one_line(error)}") from error


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


def _found_by(one: Wanted, tuned: Tuned, path: Path) -> Found:
    """What the search that is asked for found in a file.

    Raises:
        ConfigError: If nothing, or if another search found it.
    """
    found, again = tuned.found, f"{one.finder} finds settings"
    if found is None:
        raise ConfigError(f"the settings {path} were written by hand; {again}, {OR_ELSE}")
    if tuned.edited:
        raise ConfigError(f"the settings {path} were edited by hand since they were found; {again}, {OR_ELSE}")
    if found.search is None:
        raise ConfigError(f"the settings {path} do not say by which search they were found; {again}, {OR_ELSE}")
    if difference := found.search.difference(one.search):
        fixed = [f"with {', '.join(texts)}" if texts else "without --set" for texts in (found.fixed, one.fixed)]
        by_hand = f"; tuned {fixed[0]}, run {fixed[1]}" if sorted(found.fixed) != sorted(one.fixed) else ""
        raise ConfigError(
            f"the settings {path} were found by another search ({difference}{by_hand}); {again} with what this run "
            f"sets, {OR_ELSE}"
        )
    return found


def _check_place(tuned: Tuned, path: Path, task: TaskSettings, profile: str) -> None:
    if (found := tuned.found) is None:
        return
    there = (found.task, found.protocol, found.profile)
    if there != (task.name, task.protocol, profile):
        raise ConfigError(
            f"the settings {path} were found for task {found.task}, protocol {found.protocol}, profile "
            f"{found.profile}, and {task.name}, {task.protocol}, {profile} is asked for; tune for that, or delete all "
            "from its line [found] on to use its settings as they are"
        )


def _check_data(tuned: Tuned, path: Path, *, is_real: bool) -> None:
    if is_real and tuned.found and tuned.found.synthetic:
        raise ConfigError(
            f"the settings {path} were found on synthetic data, and the real data are here; tune on these, or delete "
            "all from its line [found] on to use its settings as they are"
        )


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
