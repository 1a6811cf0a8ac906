"""What a run is asked to do: the task and the training recipe, as plain values without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from annotated_types import Ge, Interval

Protocol = Literal["strict", "unist"]
Weights = Literal["none", "random", "pretrained"]
FROM_FILE: Final = frozenset({"pretrained"})
"""The weights that a run takes from a file: such a run needs the file, and its digest is part of the run."""
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What is asked of every model.

    Attributes:
        name: "short", "long", "few1" or "few5".
        protocol: "strict" (ours) or "unist" (behind published tables).
        history: P, steps.
        horizon: F, steps.
        fraction: Share of training windows used, from the first on.
        leaky_scaler: UniST's min-max scaler fitted over train, validation and test. A leak; for comparison only.
        clamp: Clip forecasts to the range of the values the scaler was fitted on, as UniST does.
    """

    name: str
    protocol: Protocol = "strict"
    history: Annotated[int, Ge(1)] = 6
    horizon: Annotated[int, Ge(1)] = 6
    fraction: Annotated[float, Interval(gt=0, le=1)] = 1.0
    leaky_scaler: bool = False
    clamp: bool = False


TASKS = {
    "short": TaskSettings(name="short"),
    "long": TaskSettings(name="long", history=64, horizon=64),
    "few1": TaskSettings(name="few1", fraction=0.01),
    "few5": TaskSettings(name="few5", fraction=0.05),
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """The training recipe, the same for every neural model.

    Attributes:
        epochs: At most this many.
        steps_per_epoch: Batches per epoch; 0 means every training window once.
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
