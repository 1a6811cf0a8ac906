"""Where runs are carried out: in processes of this machine, or on several machines.

The driver (``bench.runs.runner``) holds the plan, the store, the locks and the observers. An executor takes works from
it, one whenever it has room, makes each in a fresh process, and tells the driver what becomes of it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

from bench.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.records.record import Failure
    from bench.runs.isolation import Row
    from bench.runs.worker import Work

MODULES: Final = {
    "processes": "bench.runs.executors.processes",
    "ray": "bench.runs.executors.on_ray",
    "slurm": "bench.runs.executors.on_slurm",
}
"""By the name on the command line; each has ``make(places, **options)``, and may have ``tidy(results, **options)``."""
THREADS: Final = 1
"""Of a run, however many runs there are beside it: sums of floats depend on it, so scores would."""


class Follower(Protocol):
    """The driver, as an executor sees it: called in the thread of ``Executor.run`` alone.

    What it raises, and a KeyboardInterrupt, ends ``Executor.run`` and all work at once.
    """

    def begun(self, work: Work) -> None:
        """A worker has begun."""

    def row(self, work: Work, row: Row) -> None:
        """A worker has ended an epoch."""

    def answered(self, work: Work, answer: bytes | Failure | None) -> None:
        """The text of a record, or what kept a worker from making one; None if the record is in the store already."""

    def died(self, work: Work, reason: str) -> None:
        """A worker has ended without an answer. The driver gives the work once more, or records the failure."""


@runtime_checkable
class Executor(Protocol):
    """Carries out works, each in a fresh process.

    Attributes:
        jobs: How many go side by side, at most.
        stores: Whether workers lock their runs and store their records themselves, so that they may outlive the
            driver. Else the driver holds the lock of a run from when it gives the work until it is told of its end.
        here: The device of this machine on which the driver may work, too, "cpu" or "cuda:<number>"; None if it shall
            only wait.
    """

    jobs: int
    stores: bool
    here: str | None

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        """Carry out all works, each taken when there is room for it, on the device that the executor chooses.

        It returns when all have ended. It may be called again, with works that were not to be had before.
        """

    def beside(self, function: Callable[..., None], *arguments: object) -> AbstractContextManager[Callable[[], bool]]:
        """Call a function in other processes while this one goes on; for tuning, whose workers find their own work.

        The context gives what says whether any of them is still at work, and raises what one of them raised.

        There are ``jobs`` of them, one less where the driver works ``here``. Each is given its device after the other
        arguments. Leaving the context waits for their ends; leaving it with an error ends them.
        """


def number_of_jobs(text: str | int) -> int | None:
    """The number that a person writes; None for "auto".

    Raises:
        ConfigError: If it is neither.
    """
    if text == "auto":
        return None
    try:
        number = int(str(text))
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(f"--jobs {text}, or jobs={text}, is neither auto nor a whole number above 0")
    return number


@dataclass(frozen=True, kw_only=True)
class Places:
    """How many runs go side by side, and on what.

    Attributes:
        jobs: None is as many as fit: the GPUs times ``runs_per_gpu``, or the processor's cores by ``threads``.
        device: "auto", "cpu", "cuda" or "cuda:<number>".
        threads: Of the libraries of each run.
        runs_per_gpu: How many share a GPU; None is as many as ``jobs`` asks for, else one.

    Raises:
        ConfigError: If one of the numbers is none above 0.
    """

    jobs: int | None = None
    device: str = "auto"
    threads: int = THREADS
    runs_per_gpu: int | None = None

    def __post_init__(self) -> None:
        for name, number in (("jobs", self.jobs), ("threads", self.threads), ("runs_per_gpu", self.runs_per_gpu)):
            if not (number is None and name != "threads") and (type(number) is not int or number < 1):
                raise ConfigError(f"{name} is {number!r}, wanted a whole number above 0")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An executor that was asked for and is not made yet: it connects to nothing and starts nothing.

    Attributes:
        name: A name of ``MODULES``.
        places: How many runs, and where.
        options: Its own, such as the address of a cluster.

    Raises:
        UnknownNameError: If there is no such executor.
        ConfigError: If it has no option of such a name.
    """

    name: str
    places: Places
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in MODULES:
            raise UnknownNameError("executor", self.name, MODULES)
        known = list(inspect.signature(self._make).parameters)[1:]
        for option in self.options:
            if option not in known:
                names = f"those of '{self.name}' are {', '.join(known)}" if known else f"'{self.name}' has none"
                raise ConfigError(f"there is no executor option '{option}'; {names}")

    @property
    def here(self) -> bool:
        """Whether it works on this machine alone, so that making it connects to nothing."""
        return self.name == "processes"

    def made(self) -> Executor:
        """The executor, connected to where it works.

        Raises:
            BenchError: If it cannot work here.
        """
        return cast("Executor", self._make(self.places, **self.options))

    def tidy(self, results: Path) -> None:
        """Remove what this executor has left in a results folder of runs that are done, when a command was killed."""
        remove = getattr(importlib.import_module(MODULES[self.name]), "tidy", None)
        if remove is not None:
            remove(results, **self.options)

    @property
    def _make(self) -> Callable[..., Any]:
        made_by: Callable[..., Any] = importlib.import_module(MODULES[self.name]).make
        return made_by


def make_executor(name: str, places: Places, options: Mapping[str, Any] | None = None) -> Executor:
    """The executor of this name, as ``Asked`` describes it.

    Raises:
        UnknownNameError: If there is no such executor.
        BenchError: If it cannot work here.
    """
    return Asked(name=name, places=places, options=options or {}).made()
