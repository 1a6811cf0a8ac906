"""What tuning searches of a row of a suite, and all that is held fixed around it: what makes two searches equal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from bench.catalog import registry
from bench.config import Space
from bench.records.spec import Spec

METHOD: Final = "tpe, median of 5, a third of the epochs first; 2"
"""How trials are chosen and stopped; part of a study's name."""
RECIPE: Final = MappingProxyType({"lr": Space(low=1e-5, high=1e-2, log=True)})
"""What of the recipe is tuned; all else of it is the same for every model."""
WORDS: Final = MappingProxyType(
    {
        "method": "its trials were chosen in another way",
        "space": "another space was searched",
        "recipe": "another recipe, task or setting was held fixed",
        "data": "on other data of the same name",
        "weights": "from other pre-trained weights",
    }
)
"""What it means where two searches differ."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_]+=[A-Za-z0-9_]+")
LONGEST: Final = 80  # characters of a slug
NOT_ASKED: Final = ("precision",)  # of the recipe: it follows the device


class Search(BaseModel):
    """One search, as digests: settings that were found by equal ones are equally tuned.

    Attributes:
        method: How trials are chosen and stopped.
        space: What is searched, and the values that are there without tuning.
        recipe: Task, model, its settings and the recipe, without what is searched.
        data: Of the data set.
        weights: Of the pre-trained weights; empty for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    space: str
    recipe: str
    data: str
    weights: str = ""

    def difference(self, other: Search) -> str:
        """What tells another search from this one, in a few words; empty if nothing does."""
        mine, its = self.model_dump(), other.model_dump()
        return " and ".join(words for name, words in WORDS.items() if mine[name] != its[name])


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


def searched(model: str, held: Iterable[str]) -> dict[str, Space]:
    """What is searched of a model where settings are held fixed, given as texts such as "model.width=64"."""
    names = {text.partition("=")[0].strip() for text in held}
    return {key: space for key, space in spaces(model).items() if key not in names}


def search_of(spec: Spec, space: Mapping[str, Space]) -> Search:
    """The search of a space around a run."""
    groups = {"model": spec.config, "train": asdict(spec.train)}
    default = {key: groups[key.partition(".")[0]][key.partition(".")[2]] for key in sorted(space)}
    fixed = {
        group: {
            name: value for name, value in values.items() if f"{group}.{name}" not in space and name not in NOT_ASKED
        }
        for group, values in groups.items()
    }
    return Search(
        method=METHOD,
        space=_digest([default, {key: asdict(own) for key, own in space.items()}]),
        recipe=_digest([spec.model, asdict(spec.task), fixed]),
        data=spec.data.sha256[:12],
        weights=(spec.weights_sha256 or "")[:12],
    )


def variant_texts(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """A variant's own settings, sorted, as texts such as "model.control=shuffled"."""
    return tuple(
        f"model.{name}={value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"
        for name, value in sorted(settings.items())
    )


def slug(variant: Sequence[str]) -> str:
    """A variant as a part of a file's name, the same wherever it has the same settings; empty for none.

    It is made of letters, digits, ``_``, ``-`` and ``+``, and two variants never share one.
    """
    settings = [text.removeprefix("model.") for text in variant]
    name = "+".join(text.replace("=", "-") for text in settings)
    if len(name) <= LONGEST and all(map(PLAIN.fullmatch, settings)):
        return name
    return f"{re.sub('[^A-Za-z0-9_]+', '-', name)[:40].strip('-')}-{_digest(list(variant))[:8]}"


def stem(model: str, variant_slug: str) -> str:
    """What the files of a model, or of a variant of it, are called."""
    return f"{model}@{variant_slug}" if variant_slug else model


def parts_of_stem(name: str) -> tuple[str, str]:
    """The model and the slug of a file's name, up to its first dot."""
    model, _, variant_slug = name.partition(".")[0].partition("@")
    return model, variant_slug


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
