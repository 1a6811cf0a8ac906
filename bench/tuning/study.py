"""A finished study as a value: what was searched, and every trial; what its figures are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from annotated_types import Ge, Interval, MaxLen, MinLen
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from bench.plain_text import counted
from bench.runs.search import slug, stem

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

EDGE = 0.05  # share of a range that is its edge, at either end
FEWEST_ORDERED = 3  # choices; of two each is an end
LARGEST = 1e30  # an error above it counts as none
LONGEST = 200  # characters of a text
MOST_SETTINGS = 64
MOST_CHOICES = 256


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a text must be printable")
    return text


Text: TypeAlias = Annotated[str, MaxLen(LONGEST), AfterValidator(_printable)]
Number: TypeAlias = Annotated[float, Interval(ge=-LARGEST, le=LARGEST), Field(allow_inf_nan=False)]
Choice: TypeAlias = bool | Annotated[int, Interval(ge=-(2**53), le=2**53)] | Number | Text
State: TypeAlias = Literal["complete", "pruned", "failed", "killed"]


class Scale(BaseModel):
    """The search space of one setting: either choices, or a range.

    Attributes:
        whole: Whether a range is of whole numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    choices: Annotated[tuple[Choice, ...], MinLen(1), MaxLen(MOST_CHOICES)] | None = None
    low: Number = 0.0
    high: Number = 0.0
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Scale:
        if self.choices is None and (self.low > self.high or (self.log and self.low <= 0)):
            raise ValueError(f"there is no range from {self.low} to {self.high}")
        return self

    def holds(self, value: Choice) -> bool:
        """Whether a value belongs to it."""
        if self.choices is not None:
            return any(
                value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in self.choices
            )
        is_number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        return is_number and self.low <= float(value) <= self.high

    def at_edge(self, value: Choice) -> bool:
        """Whether a value lies at an edge, so that a better one may lie beyond.

        Of a range that is within ``EDGE`` of either end, on its own scale; of at least three numbers to choose from the
        smallest and the largest. Other choices have no edge, nor has a range that begins at 0 one there: rates and
        numbers of things have nothing below.
        """
        if self.choices is not None:
            numbers = sorted({float(choice) for choice in self.choices if _is_number(choice)})
            ordered = len(numbers) == len(self.choices) >= FEWEST_ORDERED
            return ordered and (float(value) == numbers[-1] or float(value) == numbers[0] != 0)
        low, high, own = (math.log(part) if self.log else part for part in (self.low, self.high, float(value)))
        least = -1.0 if self.low == 0 else EDGE
        return high > low and not least < (own - low) / (high - low) < 1 - EDGE


def _is_number(choice: Choice) -> bool:
    return isinstance(choice, int | float) and not isinstance(choice, bool)


def edges(space: Mapping[str, Scale], values: Mapping[str, Choice]) -> tuple[str, ...]:
    """The settings whose value lies at the edge of its range, sorted."""
    return tuple(name for name, scale in sorted(space.items()) if name in values and scale.at_edge(values[name]))


class TrialFacts(BaseModel):
    """One trial.

    Attributes:
        value: Validation MAE of a complete trial, in physical units; of another None.
        default: Whether it tried the default settings.
        params: By "model.<setting>" or "train.<setting>"; a killed trial may have none.
        epochs: Pairs of epoch and validation MAE after it.
        reason: Why it failed.
        started, ended: In seconds since 1970; None if not known, as of what was tuned before they were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Interval(ge=0, le=10**7)]
    state: State
    value: Number | None = None
    seconds: Annotated[Number, Ge(0)] = 0.0
    default: bool = False
    params: dict[Text, Choice] = {}
    epochs: tuple[tuple[Annotated[int, Interval(ge=0, le=10**7)], Number | None], ...] = ()
    reason: Text = ""
    started: Annotated[Number, Ge(0)] | None = None
    ended: Annotated[Number, Ge(0)] | None = None

    @property
    def reached(self) -> float | None:
        """The validation MAE of a complete trial; of a pruned one the lowest that it came to."""
        if self.state == "complete":
            return self.value
        seen = [value for _, value in self.epochs if value is not None]
        return min(seen, default=None) if self.state == "pruned" else None


class Study(BaseModel):
    """One study, its trials by number.

    Attributes:
        study: Its name in Optuna's storage.
        key: Tells it from another study of the same name.
        fixed: What was set by hand, such as "train.epochs=2".
        variant: What the row of the suite sets, such as "model.control=shuffled".
        space: By "model.<setting>" and "train.<setting>".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: Text
    key: Text = ""
    dataset: Text
    model: Text
    task: Text
    protocol: Text
    profile: Text
    weights: Text
    synthetic: Annotated[bool, Field(validation_alias=AliasChoices("synthetic", "stand_in"))]
    fixed: tuple[Text, ...] = ()
    variant: tuple[Text, ...] = ()
    space: Annotated[dict[Text, Scale], MaxLen(MOST_SETTINGS)]
    trials: tuple[TrialFacts, ...] = ()

    def __repr__(self) -> str:
        best = min((trial.value for trial in self.trials if trial.value is not None), default=None)
        found = "" if best is None else f", best validation MAE {best:.4g}"
        variant = f" ({', '.join(self.variant)})" if self.variant else ""
        return f"Study({self.dataset} / {self.model}{variant}: {counted(len(self.trials), 'trial')}{found})"

    __str__ = __repr__

    @model_validator(mode="after")
    def _trials_fit(self) -> Study:
        numbers = [trial.number for trial in self.trials]
        if numbers != sorted(set(numbers)):
            raise ValueError("the trials are not in the order of their numbers")
        for trial in self.trials:
            for name, value in trial.params.items():
                if name not in self.space or not self.space[name].holds(value):
                    raise ValueError(f"trial {trial.number} has {name}={value!r}, which is not in the space")
        return self

    @property
    def started(self) -> float | None:
        """When its first trial began."""
        return min((trial.started for trial in self.trials if trial.started is not None), default=None)

    @property
    def ended(self) -> float | None:
        """When its last trial ended."""
        return max((trial.ended for trial in self.trials if trial.ended is not None), default=None)

    def count(self, state: State) -> int:
        return sum(trial.state == state for trial in self.trials)

    @property
    def slug(self) -> str:
        """Of the variant; empty for the model itself."""
        return slug(self.variant)

    @property
    def name(self) -> str:
        """Of the model, with its variant."""
        return stem(self.model, self.slug)

    @property
    def best(self) -> TrialFacts | None:
        """The complete trial of the lowest error, the first of equals."""
        complete = [(trial.value, trial.number, trial) for trial in self.trials if trial.state == "complete"]
        known = [(value, number, trial) for value, number, trial in complete if value is not None]
        return min(known, key=lambda entry: entry[:2])[2] if known else None


def distribution(scale: Scale) -> BaseDistribution:
    """A scale in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if scale.choices is not None:
        return CategoricalDistribution(scale.choices)
    if scale.whole:
        return IntDistribution(int(scale.low), int(scale.high), log=scale.log)
    return FloatDistribution(scale.low, scale.high, log=scale.log)
