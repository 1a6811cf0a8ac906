"""Whether the card that a data set's file declares is one: nobody has looked at it before."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from bench.clock import STEPS_OF_A_YEAR, moment_of
from bench.types import MINUTES_PER_DAY, DatasetCard


def problem_of_card(card: object) -> str:
    """What is wrong with a ``CARD``, as the end of a sentence that begins with its name; empty if nothing is."""
    if not isinstance(card, DatasetCard):
        return "is no bench.types.DatasetCard; make it one"
    try:
        msgspec.convert(msgspec.to_builtins(card, enc_hook=_number), DatasetCard)
    except (msgspec.ValidationError, TypeError) as error:
        return f"is not as bench.types.DatasetCard says: {error}; correct it"
    if card.interval not in STEPS_OF_A_YEAR and (card.interval < 1 or MINUTES_PER_DAY % card.interval):
        return f"has interval={card.interval}, wanted minutes of which a day holds a whole number; correct it"
    try:
        moment_of(card.start or "2020-01-01")
    except ValueError:
        return f"has start={card.start!r}, wanted an ISO date-time such as '2020-01-06T00:00', or None; correct it"
    return ""


def _number(value: Any) -> Any:
    """A number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no kind of value that a card has")
