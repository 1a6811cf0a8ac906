"""Which runs make a table, and under which names: a suite as tables and figures see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.runs.published import Published

Changes = frozenset[str]
"""Settings of a model that are not its profile's, such as "model.flow=false"; weights are told apart elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table.

    Attributes:
        variant: Whether it is a variant of a model, and takes part in comparisons.
        settings: The model settings that it names, with their value as text, or None for the usual value.
        weights: "random", "pretrained" or "none" if the line is about just these; None for any.
    """

    name: str
    model: str
    variant: bool = False
    settings: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    weights: str | None = None

    def changes(self, base: Changes) -> Changes:
        """What a run of this line changes when all runs of its block change ``base``."""
        shared = {change for change in base if setting(change) not in self.settings}
        return frozenset({*shared, *(f"{name}={value}" for name, value in self.settings.items() if value is not None)})


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The lines of a table.

    Attributes:
        tasks: Names of its tasks.
        lines: Its lines in order. Without any, every model is a line, and every change of its settings one more.
        references: Names of lines that the other variants are compared with: the first that has runs.
        question: What the comparison answers.
        published: Numbers of others to lay ours beside.
        tuned: Whether its runs are those with tuned settings, or those without; None for both.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    references: tuple[str, ...] = ()
    question: str = ""
    published: Published | None = field(default=None, hash=False)
    tuned: bool | None = None

    @property
    def plain(self) -> bool:
        """Whether it neither compares variants nor lays published numbers beside."""
        return not self.references and self.published is None

    def placed(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows of ``bench.records.frame`` that belong to the lines, with their place, perhaps in several blocks.

        Returns:
            The rows with ``order`` and ``line``; ``variant``, the changes that make the line; ``base``, those of the
            model that all runs of a block share; and ``recipe``, those of the training, and whether settings are tuned.
        """
        mine = self._of_setting([row for row in rows if row["task"] in self.tasks])
        bases = sorted({_model(row["base"]) for row in mine}, key=text)
        return [
            {**row, **place, "recipe": _recipe(row)}
            for row in mine
            for place in ([*self._places(row, bases)] if self.lines else _open_places(row))
        ]

    def _of_setting(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Without the runs of the other fair setting; floors, which are never tuned, stay where a tuned run is."""
        if self.tuned is None:
            return rows
        places = {_place(row) for row in rows if row["tuned"]}
        floors = [row for row in rows if row["role"] == "floor" and _place(row) in places] if self.tuned else []
        return [*floors, *(row for row in rows if row["tuned"] == self.tuned)]

    def _places(self, row: Mapping[str, Any], bases: Iterable[Changes]) -> Iterable[dict[str, Any]]:
        """At most one per base: the first line whose runs would be just this one."""
        changes = _model(row["changes"])
        for base in bases:
            for order, line in enumerate(self.lines):
                fits = line.model == row["model"] and line.weights in (None, row["weights"])
                if fits and line.changes(base) == changes:
                    yield {"order": order, "line": line.name, "variant": text(changes - base), "base": text(base)}
                    break


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("dataset", "task", "protocol"))


def _open_places(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A run that was made as a variant stands in the tables of variants alone."""
    if row["made_as_variant"]:
        return []
    return [{"order": 0, "line": row["model"], "variant": text(_model(row["changes"])), "base": ""}]


def _recipe(row: Mapping[str, Any]) -> str:
    """Runs with tuned settings never share a block with others."""
    return text([*(["tuned settings"] if row["tuned"] else []), *_training(row["changes"])])


def text(changes: Iterable[str]) -> str:
    """Changes in one line, sorted."""
    return ", ".join(sorted(changes))


def setting(change: str) -> str:
    """The name of a changed setting."""
    return change.partition("=")[0]


def _training(changes: Iterable[str]) -> Changes:
    return frozenset(change for change in changes if change.startswith("train."))


def _model(changes: Iterable[str]) -> Changes:
    return frozenset(change for change in changes if not change.startswith("train."))
