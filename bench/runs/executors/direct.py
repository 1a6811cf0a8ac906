"""Runs in this very process, one after the other: quick, and open to whatever a model does to its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from bench.runs.executors import Follower
from bench.runs.isolation import DirectCaller
from bench.runs.worker import Work, record_text


class Direct:
    """The executor without processes, for tests and for models that exist in this process alone."""

    jobs, stores = 1, False

    def __init__(self, device: str) -> None:
        self.here: str | None = device

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        for work in works:
            follower.begun(work)
            caller = DirectCaller(partial(follower.row, work))
            follower.answered(work, record_text(replace(work, device=self.here or "cpu"), caller))

    def beside(self, function: Callable[..., None], *arguments: object) -> AbstractContextManager[Callable[[], bool]]:  # noqa: ARG002
        """There is nobody beside it."""
        return nullcontext(lambda: False)
