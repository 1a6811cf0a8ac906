"""How a plug-in declares its settings: a frozen dataclass whose fields carry their search space.

For instance::

    @dataclass(frozen=True, kw_only=True)
    class Config:
        width: int = tunable(64, choices=(32, 64, 128))
        dropout: float = tunable(0.1, low=0.0, high=0.5)
        weights: Literal["pretrained", "random"] = "random"

The registry reads this class statement without running the rest of the file, so a ``Config`` may use only names from
``dataclasses``, ``typing`` and this module; this is what keeps ``list``, ``status`` and ``--dry-run`` free of torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Space:
    """The search space of one setting: either choices, or a range."""

    choices: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False

    def __str__(self) -> str:
        if self.choices is not None:
            return ", ".join(str(choice) for choice in self.choices)
        return f"{self.low} to {self.high}{' (log)' if self.log else ''}"


def tunable(
    default: T,
    *,
    choices: tuple[T, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
) -> T:
    """Declare a dataclass field with a default and a search space.

    Raises:
        ValueError: If neither choices nor a range is given, or both are.
    """
    if (choices is None) == (low is None or high is None):
        raise ValueError("a tunable field needs either choices or low and high")
    value: T = field(default=default, metadata={"tune": Space(choices=choices, low=low, high=high, log=log)})
    return value
