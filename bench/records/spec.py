"""What a run is: the specification that gives it its identity, and the label by which tables name it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.records.plain import Whole
from bench.settings import FROM_FILE, TRANSFER, TaskSettings, TrainSettings, Weights
from bench.types import DataIdentity

LATER: Final = (
    "weights_sha256",
    "tuned_with",
    "forecasts_sha256",
    "sources",
)  # keys of a specification that earlier ones have not


class Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked: one run with every default written out, without device and paths.

    Attributes:
        config: The model's ``Config`` as plain values.
        weights: What the model starts from; "none" for a model without a pre-trained part.
        weights_sha256: What tells the files of pre-trained weights that it starts from: the sha256 of the file, or
            that of a list of several (``bench.catalog.pretrained.digest_of``). None for a run that reads none, for a
            plug-in that loads its own, and in records that were made before it was kept.
        tuned: Whether settings come from a file of tuned ones; so that a table shows it, and no untuned run counts as
            a tuned one where both have the same settings.
        tuned_with: What found them: "20 trials", "600 s", or "by hand"; empty where none are, and in records that were
            made before it was kept.
        forecasts_sha256: Digest of forecasts that were made elsewhere and are only scored here; None for every run, and
            so in all records that were made before such forecasts could be scored.
        sources: The data sets that are trained on before ``data``, sorted by name; none but in transfer across cities.
    """

    data: DataIdentity
    task: TaskSettings
    model: str
    config: dict[str, Any]
    train: TrainSettings
    seed: Whole
    weights: Weights
    weights_sha256: str | None = None
    tuned: bool = False
    tuned_with: str = ""
    forecasts_sha256: str | None = None
    sources: tuple[DataIdentity, ...] = ()

    @property
    def spec_id(self) -> str:
        """Digest of the canonical JSON, without later keys that say nothing."""
        values = msgspec.structs.asdict(self) | {"task": _identity(self.task)}
        return _digest({key: value for key, value in values.items() if value or key not in LATER})[:16]

    @property
    def settings_id(self) -> str:
        """Digest of everything but data and seed: runs that differ in it never share a mean."""
        settings = [_identity(self.task), self.model, self.config, self.train, self.weights, self.tuned]
        laters = (self.weights_sha256, self.tuned_with, self.sources)
        return _digest([*settings, *(later for later in laters if later)])[:8]

    @property
    def datasets(self) -> tuple[DataIdentity, ...]:
        """The data set and the sources."""
        return (self.data, *self.sources)

    @property
    def behind(self) -> tuple[str, ...]:
        """The data set, the model and the sources: the names whose code is behind a run."""
        return (self.data.name, self.model, *(source.name for source in self.sources))

    @property
    def reads_weights(self) -> bool:
        """Whether it starts from a file of pre-trained weights."""
        return self.weights in FROM_FILE

    @property
    def external(self) -> bool:
        """Whether nothing was run: forecasts that were made elsewhere were scored."""
        return self.forecasts_sha256 is not None


class Label(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run is named in tables; no part of its identity.

    Attributes:
        overrides: Settings that are not the profile's, by "model.<name>" or "train.<name>".
        base: Those of them that all models were run with.
        city, source: Of the data set, as its card says; empty where it does not, and in records of earlier schemas.
        dataset_title, model_title: What readers see in place of their names, where neither is known to who reads the
            record; empty in records that were made before they were kept.
        interval: Minutes of a slot; 0 in records that were made before it was kept.
        suite: Whose plan the run was made of; empty outside of suites, and in records made before it was kept.
        sources: The sources that were asked for, as ``task.sources`` had them before they were written out.
        related: By its name what a source shares with the data set: "same city", or "same measurements, other days".
    """

    profile: str
    overrides: dict[str, Any] = {}
    base: dict[str, Any] = {}
    city: str = ""
    source: str = ""
    dataset_title: str = ""
    model_title: str = ""
    interval: Whole = 0
    suite: str = ""
    sources: str = ""
    related: dict[str, str] = {}


def changes(overrides: dict[str, Any]) -> tuple[str, ...]:
    """Overrides as sorted texts, such as "model.width=64"; the weights are not among them."""
    kept = {key: value for key, value in sorted(overrides.items()) if key != "model.weights"}
    return tuple(f"{k}={v if isinstance(v, str) else json.dumps(v, sort_keys=True)}" for k, v in kept.items())


def _identity(task: TaskSettings) -> dict[str, Any]:
    """What of a task is in the identity of a run: nothing of sources where there are none."""
    return {name: value for name, value in vars(task).items() if task.sources or name not in TRANSFER}


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
