"""Profiles: how much a suite may spend, and what its models start from.

A profile is written out into every run's spec, so no result depends on this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from bench.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much a suite may spend.

    Attributes:
        claims: Whether anything may be claimed of its runs.
        caveat: What is to be said of numbers that may be shown and ranked, with {training} for how long that was; empty
            if nothing is.
        task: Settings of every task, in place of its own, for naive baselines too.
        model: Settings of every model that has them, in place of its defaults.
        members: Settings of one model alone, by its name, likewise.
        without: Models that a suite of all models leaves out, since each takes longer than all others together, or
            nothing is to be learned of it; a suite or a user that names them gets them.
    """

    name: Literal["quick", "laptop", "reference", "paper"]
    claims: bool
    seeds: tuple[int, ...]
    train: TrainSettings
    task: Mapping[str, int]
    model: Mapping[str, str]
    members: Mapping[str, Mapping[str, str | int]]
    without: tuple[str, ...] = ()
    caveat: str = ""

    def settings_of(self, model: str, known: Iterable[str]) -> dict[str, str | int]:
        """What the profile sets of the settings that a model has."""
        chosen = {**self.model, **self.members.get(model, {})}
        return {name: chosen[name] for name in known if name in chosen}


DAYS_BEFORE: Final[Mapping[str, str | int]] = MappingProxyType({"days": True, "base": "mixed"})
"""Of ST-VFM in every profile: it knows the days before, as the best baselines do."""
SMALL: Final[Mapping[str, Mapping[str, str | int]]] = MappingProxyType(
    {
        "stvfm": {**DAYS_BEFORE, "backbone": "dinov2_small"},  # with the four blocks of its default
        "chronos_bolt": {"checkpoint": "chronos_bolt_tiny"},
        "convlstm": {"width": 16},
        "fracast": {"length": 48},  # the context of the short task
        "visionts": {"weights": "random"},  # its smallest pre-trained auto-encoder takes a CPU a day
        "time_llm": {"depth": 1, "side": 16, "prototypes": 50},  # its prompts and its vocabulary cost most
        "st_llm": {"depth": 2, "side": 4},
    }
)
"""Settings of models that a processor can carry."""

PROFILES: Final = MappingProxyType(
    {
        "quick": Profile(
            name="quick",
            claims=False,
            seeds=(0,),
            train=TrainSettings(epochs=1, steps_per_epoch=5, batch_size=4),
            task={"scored": 13},  # the fewest that are of every quarter of the day on the ten data sets
            model={"weights": "random"},
            members={  # so that each costs about what the others do
                "convlstm": {"width": 8},
                "fracast": {"weights": "pretrained"},  # which are in its package
                "itransformer": {"layers": 1},
                "patchtst": {"layers": 1},
                "predrnn": {"width": 16},
                "simvp": {"hidden": 64},
                "st_llm": {"side": 2},
                "stvfm": {**DAYS_BEFORE, "depth": 3},
                "time_llm": {"side": 4},
                "visionts": {"mae": "vit_mae_nano"},
            },
            without=("fracast",),
        ),
        "laptop": Profile(
            name="laptop",
            claims=False,
            caveat="Laptop profile: training is short, so nothing is claimed; use `--profile paper`.",
            seeds=(0, 1, 2),
            train=TrainSettings(epochs=10, batch_size=32),
            task={},
            model={"weights": "pretrained", "llm": "distilgpt2"},
            members=SMALL,
        ),
        "reference": Profile(
            name="reference",
            claims=True,
            caveat=(
                "Reference profile: what is claimed holds of small models trained for {training}; larger models or "
                "longer training may change it."
            ),
            seeds=(0, 1, 2),
            train=TrainSettings(epochs=8, batch_size=8),
            task={},
            model={"weights": "pretrained", "llm": "HuggingFaceTB/SmolLM2-135M-Instruct"},
            members=SMALL,
            without=("fracast", "visionts"),  # one is not trained and slow, of the other the weights would be random
        ),
        "paper": Profile(
            name="paper",
            claims=True,
            seeds=(0, 1, 2, 3, 4, 5),
            train=TrainSettings(),
            task={},
            model={"weights": "pretrained", "llm": "gpt2", "mae": "vit_mae_base"},
            members={
                "stvfm": {**DAYS_BEFORE, "backbone": "dinov2_small", "depth": 0},  # of its paper's family, and whole
                "chronos_bolt": {"checkpoint": "chronos_bolt_base"},
                "fracast": {"length": 2048},  # as its authors do
            },
        ),
    }
)
