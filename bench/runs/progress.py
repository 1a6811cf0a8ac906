"""How far a plan is, in a line a minute at most, for those who have no bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from bench.plain_text import counted, duration
from bench.records.planned import PlannedRun
from bench.records.record import Record

EVERY_S: Final = 60.0


def epochs_of(run: PlannedRun) -> int:
    """How many epochs a run has at most; in transfer those on the sources and those of adaptation."""
    return run.spec.train.epochs * (2 if run.spec.sources and run.spec.task.fraction else 1)


class MinuteLines:
    """An observer that says where a plan is, at most once a minute, when something happens."""

    def __init__(
        self,
        on_line: Callable[[str], Any],
        lengths: Mapping[str, float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow the runs that are to do.

        Args:
            on_line: Called with each line.
            lengths: By run id about how long each of them takes, in any unit; 0 if that is not known.
            clock: Seconds that pass.
        """
        self._on_line, self._lengths, self._clock = on_line, lengths, clock
        self._begun = self._said = clock()
        self._ended = 0
        self._parts: dict[str, float] = {}  # done of each run, by its id
        self._before: dict[str, float] = {}  # of it what an earlier call had done
        self._under_way: dict[str, str] = {}  # where each run is

    def run_started(self, run: PlannedRun) -> None:
        self._under_way[run.run_id] = run.title

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None:
        epochs = epochs_of(run)
        self._under_way.pop(run.run_id, None)  # who told last comes last
        self._under_way[run.run_id] = f"{run.title} at epoch {row['epoch']:.0f} of {epochs}"
        self._before.setdefault(run.run_id, (row["epoch"] - 1) / epochs)
        self._parts[run.run_id] = row["epoch"] / epochs
        self._say()

    def run_finished(self, run: PlannedRun, record: Record) -> None:  # noqa: ARG002 - an Observer's signature
        self._under_way.pop(run.run_id, None)
        self._end(run)
        self._say()

    def run_retried(self, run: PlannedRun, why: str) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None:
        if why == "elsewhere":
            self._end(run)

    def _end(self, run: PlannedRun) -> None:
        self._ended += 1
        self._parts[run.run_id] = 1.0

    def _say(self) -> None:
        now = self._clock()
        if now - self._said < EVERY_S or not self._under_way:
            return
        self._said = now
        texts = [f"{self._ended} of {counted(len(self._lengths), 'run')} done"] if len(self._lengths) > 1 else []
        beside = f" and {len(self._under_way) - 1} beside it" if len(self._under_way) > 1 else ""
        texts.append([*self._under_way.values()][-1] + beside)
        self._on_line("; ".join([*texts, *self._left(now - self._begun)]))

    def _left(self, passed: float) -> list[str]:
        """How much longer it takes, if all goes on as it went; nothing where nobody knows how long a run takes."""
        if not all(self._lengths.values()):
            return []
        left = sum(length * (1 - self._parts.get(run_id, 0.0)) for run_id, length in self._lengths.items())
        done = sum(
            (part - self._before.get(run_id, 0.0)) * self._lengths.get(run_id, 0.0)
            for run_id, part in self._parts.items()
        )
        return [f"about {duration(passed * left / done)} left"] if done > 0 and left > 0 else []
