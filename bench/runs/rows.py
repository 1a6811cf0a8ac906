"""The rows of a plan: methods with every setting written out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from bench.catalog import registry
from bench.catalog.pretrained import weights_digest
from bench.records.spec import Label
from bench.runs.precision import precision_on
from bench.runs.profiles import Profile
from bench.runs.search import spaces, variant_texts
from bench.runs.suite import Method, validated
from bench.runs.tuned import Tuned
from bench.settings import TrainSettings

UNTUNED: Final = Tuned()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method with all of its settings written out, the same on every data set.

    Attributes:
        problem: Why its model cannot be used, so that its settings are those that were asked for and no others.
    """

    method: Method
    tuned: Tuned | None
    config: dict[str, Any]
    train: TrainSettings
    label: Label
    variant: tuple[str, ...]
    weights_sha256: str | None
    problem: str = ""


def written_out(
    method: Method, found: Tuned | None, profile: Profile, overrides: Mapping[str, Mapping[str, str]], device: str
) -> Row:
    """A method's settings, its recipe and its label, with the tuned settings that were found for it.

    A naive baseline is not trained and has no recipe. Tuned settings are not in the label: they differ by data set. A
    model that cannot be used has a row, too, whose runs will fail and say why.
    """
    if problem := registry.problem_of("model", method.model):
        return _unusable(method, profile, recipe_of(profile, UNTUNED, overrides["train"], device), problem)
    tuned, asked = found or UNTUNED, {**overrides["model"], **method.settings}
    default, base, labelled, config = (
        config_of(registry.config_class(method.model), method.model, profile, values)
        for values in ({}, overrides["model"], asked, {**tuned.model, **asked})
    )
    own, in_base = changed("model", labelled, default), changed("model", base, default)
    train, recipe = TrainSettings(precision="fp32"), dict[str, Any]()
    if not registry.is_naive(method.model):
        train, recipe = recipe_of(profile, tuned, overrides["train"], device)
    return Row(
        method=method,
        tuned=found,
        config=config,
        train=train,
        label=Label(profile=profile.name, overrides=own | recipe, base=in_base | recipe),
        variant=_variant(method, profile, overrides["model"]),
        weights_sha256=weights_digest(method.model, config),
    )


def _unusable(method: Method, profile: Profile, recipe: tuple[TrainSettings, dict[str, Any]], problem: str) -> Row:
    config = json.loads(json.dumps(method.settings, default=str))
    label = Label(profile=profile.name, overrides=changed("model", config, dict.fromkeys(config)) | recipe[1])
    return Row(
        method=method,
        tuned=None,
        config=config,
        train=recipe[0],
        label=label,
        variant=variant_texts(config),
        weights_sha256=None,
        problem=problem,
    )


def recipe_of(
    profile: Profile, tuned: Tuned, overrides: Mapping[str, str], device: str
) -> tuple[TrainSettings, dict[str, Any]]:
    """The recipe written out, and what of it is not the profile's, tuned settings apart."""
    usual = asdict(profile.train)
    labelled, train = (
        validated(TrainSettings, {**usual, **values, **overrides}, "train") for values in ({}, tuned.train)
    )
    train = replace(train, precision=precision_on(device, train.precision))
    return train, changed("train", asdict(labelled), usual)


def changed(group: str, values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as usual; task switches have columns of their own in the tables."""
    return {f"{group}.{name}": value for name, value in values.items() if value != usual[name]}


def config_of(config: type[Any], model: str, profile: Profile, overrides: Mapping[str, Any]) -> dict[str, Any]:
    known = [field.name for field in dataclasses.fields(config)]
    asked = {name: value for name, value in overrides.items() if name in known}
    values = {**profile.settings_of(model, known), **asked}
    plain: dict[str, Any] = json.loads(json.dumps(asdict(validated(config, values, f"model ({model})"))))
    return plain  # as a record has it


def _variant(method: Method, profile: Profile, overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What a method sets: all that it changes, and what would be searched if it did not set it."""
    base, own = (
        config_of(registry.config_class(method.model), method.model, profile, values)
        for values in (overrides, {**overrides, **method.settings})
    )
    held = {name for name in method.settings if name not in overrides and f"model.{name}" in spaces(method.model)}
    return variant_texts({name: value for name, value in own.items() if value != base[name] or name in held})
