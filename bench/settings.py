"""What a run is asked to do: the task and the training recipe, as plain values without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from annotated_types import Ge, Interval

Protocol = Literal["strict", "unist"]
Weights = Literal["none", "random", "matched", "permuted", "pretrained"]
FROM_FILE: Final = frozenset({"pretrained", "matched", "permuted"})
"""The weights that a run takes from a file, as they are or to draw others by: such a run needs the file, and
its digest is part of the run."""
RANDOM: Final = frozenset({"random", "matched", "permuted"})
"""The weights that know nothing."""
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What is asked of every model.

    Attributes:
        name: A name of ``TASKS``.
        protocol: "strict" (ours) or "unist" (behind published tables).
        history: P, steps.
        horizon: F, steps.
        fraction: Share of the training windows used; 0 for none, where ``sources`` are trained on.
        sources: Data sets that are trained on before: "others" (those of the suite that fit, as
            ``bench.runs.sources`` says), or names such as "bikenyc,taxinyc2"; empty for none.
        scaler: What the scaler is fitted on: all that is trained on first ("train"), or with ``sources`` the training
            windows of the data set itself ("target").
        windows: Which they are: the "last" ones of the training period, as a city has that began to measure, or the
            "first", as in published tables; "all" where ``fraction`` is 1. Else "all" becomes "last" under ``strict``
            and "first" under ``unist``.
        equal_steps: Whether a small ``fraction`` is trained for as many steps as all windows are.
        days_back: Days before that models are given beside the history: "own" (those that a model's file asks for as
            ``DAYS_BACK``), "none", or the same for all, such as "7,1".
        calendar: Whether models know the slot of day and day of week; without it both are 0 for all of them.
        leaky_scaler: UniST's min-max scaler fitted over train, validation and test. A leak; for comparison only.
        clamp: Clip forecasts to the range of the values the scaler was fitted on, as UniST does.
        scored: At most so many windows of validation, and of test, evenly from the first to the last; 0 means all.
    """

    name: str
    protocol: Protocol = "strict"
    history: Annotated[int, Ge(1)] = 6
    horizon: Annotated[int, Ge(1)] = 6
    fraction: Annotated[float, Interval(ge=0, le=1)] = 1.0
    windows: Literal["all", "first", "last"] = "all"
    equal_steps: bool = True
    days_back: str = "own"
    calendar: bool = True
    leaky_scaler: bool = False
    clamp: bool = False
    scored: Annotated[int, Ge(0)] = 0
    sources: str = ""
    scaler: Literal["train", "target"] = "train"

    def __post_init__(self) -> None:
        """Write out which windows are used, and days and sources in one form, so that equal tasks are equal values.

        Raises:
            ValueError: If ``days_back`` is not understood, or nothing is there to be trained on or to fit a scaler on.
        """
        names = sorted({name.strip() for name in self.sources.split(",")} - {""})
        object.__setattr__(self, "sources", ",".join(names))
        self._check_transfer()
        if self.fraction in (0, 1):
            object.__setattr__(self, "windows", "all")
            object.__setattr__(self, "equal_steps", True)
        elif self.windows == "all":
            object.__setattr__(self, "windows", "last" if self.protocol == "strict" else "first")
        if (days := self.days) is not None:
            object.__setattr__(self, "days_back", ",".join(map(str, days)) or "none")

    def _check_transfer(self) -> None:
        """What is trained on, and what the scaler is fitted on, must be there."""
        if not self.sources and not self.fraction:
            raise ValueError("fraction=0 trains on nothing without sources; name some as task.sources=others")
        if self.scaler == "target" and not (self.sources and self.fraction):
            raise ValueError(
                "scaler=target needs sources, and windows of the target to adapt to, as transfer1 has them"
            )
        if self.sources and self.leaky_scaler:
            raise ValueError("leaky_scaler is fitted on the target's test, so it excludes sources")

    @property
    def days(self) -> tuple[int, ...] | None:
        """The days before that all models are given, the longest ago first; None if each model's own are."""
        if self.days_back == "own":
            return None
        texts = [] if self.days_back == "none" else [text.strip() for text in self.days_back.split(",")]
        if not all(text.isdecimal() and int(text) > 0 for text in texts):
            raise ValueError(f"days_back={self.days_back!r} is neither own nor none nor whole numbers such as 7,1")
        return tuple(sorted({int(text) for text in texts}, reverse=True))


FEW = (1, 2, 5, 10, 25, 50)
TASKS = {
    "short": TaskSettings(name="short"),
    "long": TaskSettings(name="long", history=64, horizon=64),
    **{f"few{percent}": TaskSettings(name=f"few{percent}", fraction=percent / 100) for percent in FEW},
    "transfer": TaskSettings(name="transfer", fraction=0.0, sources="others"),
    "transfer1": TaskSettings(name="transfer1", fraction=0.01, sources="others"),
}
"""Every task under ``strict``; another protocol takes other windows of a small fraction."""
OTHERS: Final = "others"
TRANSFER: Final = ("sources", "scaler")
"""Fields of ``TaskSettings`` that are in the identity of runs with ``sources`` alone."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """The training recipe, the same for every neural model.

    Attributes:
        epochs: At most this many.
        steps_per_epoch: Batches per epoch; 0 means every training window once, and as many batches where few are used.
        batch_size: Windows per step.
        lr: Peak learning rate.
        weight_decay: AdamW's, on matrices and not on vectors.
        loss: On standardised values.
        schedule: "onecycle" or "cosine"; both end near zero.
        warmup: Share of all steps in which the rate rises.
        clip: Largest gradient norm; 0 turns clipping off.
        patience: Epochs without a better validation MAE before stopping.
        precision: "auto" becomes bf16 when a run is planned for a GPU that has it, else fp32.
    """

    epochs: Annotated[int, Ge(1)] = 60
    steps_per_epoch: Annotated[int, Ge(0)] = 0
    batch_size: Annotated[int, Ge(1)] = 64
    lr: Annotated[float, Interval(gt=0, lt=math.inf)] = 2e-3
    weight_decay: Annotated[float, Interval(ge=0, lt=math.inf)] = 1e-4
    loss: Literal["l1", "mse", "huber"] = "l1"
    schedule: Literal["onecycle", "cosine"] = "onecycle"
    warmup: Annotated[float, Interval(gt=0, lt=1)] = 0.3
    clip: Annotated[float, Interval(ge=0, lt=math.inf)] = 5.0
    patience: Annotated[int, Ge(1)] = 20
    precision: Precision = "auto"


def chronological_split(slots: int) -> dict[str, tuple[int, int]]:
    """Half-open ranges of slots "train", "val" and "test": 70 / 15 / 15 by time, borders rounded down."""
    first, second = slots * 70 // 100, slots * 85 // 100
    return {"train": (0, first), "val": (first, second), "test": (second, slots)}
