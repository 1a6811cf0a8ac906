"""Which runs make a table, and under which names: a suite as tables and figures see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Changes = frozenset[str]
"""Settings of a model that are not its profile's, such as "model.flow=false"; weights are told apart elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table.

    Attributes:
        weights: "random" or "pretrained" if the line is about just these; None for either.
    """

    name: str
    model: str
    changes: Changes = frozenset()
    weights: str | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The lines of a table.

    Attributes:
        tasks: Names of its tasks.
        lines: Its lines in order. Without any, every model is a line, and every change of its settings one more.
        elsewhere: Models with changes that are lines of other tables, and so none of a table without lines.
        references: Names of lines that the others are compared with: the first that has runs.
        question: What the comparison answers.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    elsewhere: frozenset[tuple[str, Changes]] = field(default_factory=frozenset)
    references: tuple[str, ...] = ()
    question: str = ""

    def placed(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Where a run of ``bench.frame`` belongs; None if to none of the lines.

        Returns:
            ``order`` and ``line``; ``variant``, the changes that make the line; ``base``, those that all runs of a
            block share beside them; and ``recipe``, those of the training.
        """
        if row["task"] not in self.tasks:
            return None
        recipe = ", ".join(change for change in row["changes"] if change.startswith("train."))
        changes = frozenset(change for change in row["changes"] if not change.startswith("train."))
        if not self.lines:
            if (row["model"], changes) in self.elsewhere:
                return None
            return {"order": 0, "line": row["model"], "variant": text(changes), "base": "", "recipe": recipe}
        named = {setting(change) for line in self.lines if line.model == row["model"] for change in line.changes}
        mine = frozenset(change for change in changes if setting(change) in named)
        for order, line in enumerate(self.lines):
            if (line.model, line.changes) == (row["model"], mine) and line.weights in (None, row["weights"]):
                base = text(changes - mine)
                return {"order": order, "line": line.name, "variant": text(mine), "base": base, "recipe": recipe}
        return None


def text(changes: Changes | Sequence[str]) -> str:
    """Changes in one line, sorted."""
    return ", ".join(sorted(changes))


def setting(change: str) -> str:
    """The name of a changed setting."""
    return change.partition("=")[0]
