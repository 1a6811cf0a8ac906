"""The identity of a run: what was asked (``spec_id``) and which code would answer (``bench.catalog.code``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bench.records.spec import Label, Spec


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run of a plan.

    Attributes:
        method: The row of the suite's table that it belongs to, a model's or a variant's name; no part of its identity.
        variant: What that row sets, such as "model.control=shuffled"; no part of its identity.
        label: How the run is named in tables; no part of its identity.
    """

    spec: Spec
    code: str
    method: str
    label: Label
    variant: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        return f"{self.spec_id}.{self.code}"

    @cached_property
    def spec_id(self) -> str:
        return self.spec.spec_id

    @property
    def dataset(self) -> str:
        return self.spec.data.name

    @property
    def model(self) -> str:
        return self.spec.model

    @property
    def title(self) -> str:
        """Names the run to a person; its task is named where it is not the usual one."""
        task = "" if self.spec.task.name == "short" else f"{self.spec.task.name} / "
        return f"{self.dataset} / {self.method} / {task}seed {self.spec.seed}"
