"""Runs as tasks of a Ray cluster. Their records come back to the driver, so the machines need no folder in common."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bench.catalog import own_files
from bench.errors import BenchError, ConfigError, WorkerError, require
from bench.files import held_file
from bench.runs.ends import End
from bench.runs.execution import failure_of
from bench.runs.executors import Follower, Places
from bench.runs.executors.arriving import Arriving
from bench.runs.executors.elsewhere import results_of
from bench.runs.executors.places import cores, refuse_shares, wants_gpu
from bench.runs.executors.ray_task import BEGUN, Piece, helped, in_memory, made
from bench.runs.isolation import Row
from bench.runs.worker import Work

QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody outside
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of streams that nobody reads to their end
}
TOKENS: Final = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
SENT: Final = ("STBENCH_", "OMP_WAIT_POLICY")  # how variables begin that workers elsewhere get from the driver


class OnRay:
    """The executor of a Ray cluster: keeps ``jobs`` tasks with it, which it gives to its machines.

    Args:
        jobs: How many runs at once.
        device: Of each run, "cpu" or "cuda:0", as Ray numbers the GPUs of a task.
        threads: Of each run.
        gpus: The share of a GPU that a run takes.
    """

    here: str | None = None
    stores = False

    def __init__(self, jobs: int, device: str, threads: int, gpus: float) -> None:
        import ray

        self.jobs, self._device, self._threads = jobs, device, threads
        needs = {"num_cpus": threads, "num_gpus": gpus, "max_retries": 0, "max_calls": 0}
        self._task = ray.remote(**needs, num_returns="streaming")(made)
        self._helper = ray.remote(**needs)(helped)
        self._sent: dict[str, Any] = {}  # by data set, in Ray's store

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        import ray

        under_way: dict[Any, Work] = {}  # by the stream of what its task says
        arriving = Arriving()
        try:
            while True:
                while len(under_way) < self.jobs and (work := next(works, None)) is not None:
                    under_way[self._given(work)] = work
                if not under_way:
                    return
                for stream in ray.wait(list(under_way), num_returns=1)[0]:
                    work = under_way[stream]
                    said = _heard(stream)
                    if isinstance(said, dict):
                        follower.row(work, said)
                    elif isinstance(said, Piece):
                        arriving.take(work, said)
                    elif said == BEGUN:
                        follower.begun(work)
                    else:
                        arriving.forget(work.run.run_id)
                        del under_way[stream]
                        if isinstance(said, End):
                            _tell(follower, work, said)
                        else:
                            under_way[self._given(work, self._data(work))] = work
        finally:
            arriving.forget_all()
            for stream in under_way:
                ray.cancel(stream, force=True)

    @contextmanager
    def beside(self, function: Callable[..., None], *arguments: object) -> Iterator[Callable[[], bool]]:
        import ray

        here, witness = Path.cwd(), results_of(arguments).absolute() / f".{uuid4().hex}.tmp"
        given = (function, (*arguments, self._device), here, witness, _variables())
        with held_file(witness):
            tasks = [self._helper.remote(*given) for _ in range(self.jobs)]

            def at_work(timeout: float | None = 0) -> bool:
                for task in ray.wait(list(tasks), timeout=timeout)[0] if tasks else ():
                    tasks.remove(task)
                    _heed(task)
                return bool(tasks)

            try:
                yield at_work
                while at_work(None):
                    pass
            finally:
                for task in tasks:
                    ray.cancel(task, force=True)

    def _given(self, work: Work, data: Sequence[Any] = ()) -> Any:
        return self._task.remote(work.placed(self._device), list(data), self._threads, _variables())

    def _data(self, work: Work) -> list[Any]:
        """The data sets of a run in Ray's store, where each is put once."""
        import ray

        names = [data.name for data in work.run.spec.datasets]
        for name in names:
            if name not in self._sent:
                self._sent[name] = ray.put(in_memory(work.catalog.load(name)))
        return [self._sent[name] for name in names]  # in a list they are fetched by the task alone


def _heard(stream: Any) -> str | Row | Piece | End:
    """What a task says next."""
    import ray

    try:
        said: str | Row | Piece | End = ray.get(next(stream))
    except ray.exceptions.RayTaskError as error:
        return End("raised", failure_of(error.cause if isinstance(error.cause, Exception) else error))
    except (ray.exceptions.RayError, StopIteration) as error:
        return End("died", f"the Ray worker of this run is gone ({_line(error)})")
    return said


def _tell(follower: Follower, work: Work, end: End) -> None:
    if end.how == "died":
        follower.died(work, end.value)
    else:
        follower.answered(work, end.value)


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _heed(task: Any) -> None:
    """A helper that raises is an error; one that died leaves its work to the others."""
    import ray

    try:
        ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, BenchError) else WorkerError(_line(error))) from error
    except ray.exceptions.RayError:
        return


def _variables() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name.startswith(SENT)}
    return {**ours, **own_files.variables()}


def make(places: Places, address: str | None = None) -> OnRay:
    """Side by side on a Ray cluster: on that at an address, of ``$RAY_ADDRESS``, or else one of this machine alone.

    Raises:
        ConfigError: If it cannot be used.
        MissingPackageError: If Ray is not installed.
    """
    require("ray", "ray", "the executor ray")
    if not (on_gpus := wants_gpu(places.device)):
        refuse_shares(places)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.update(QUIET)
    if address != "local" and (any(map(os.environ.get, TOKENS)) or (Path.home() / ".ray" / "auth_token").exists()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # a cluster that was begun where there is one asks for it
    import ray  # which reads these variables once

    if not ray.is_initialized():
        _connect(address, places)
    there = ray.cluster_resources()
    share = 1 / (places.runs_per_gpu or 1) if on_gpus else 0
    fit = int(there.get("GPU", 0) / share) if on_gpus else int(there.get("CPU", 0)) // places.threads
    return OnRay(places.jobs or max(1, fit), "cuda:0" if on_gpus else "cpu", places.threads, share)


def _connect(address: str, places: Places) -> None:
    import ray

    jobs = places.jobs or max(1, cores() // places.threads)
    own = {"num_cpus": jobs * places.threads} if address == "local" else {}
    heeded = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises many kinds
        raise ConfigError(
            f"the Ray cluster at {address} cannot be used ({_line(error)}); check --ray-address, or address in "
            "executor_options="
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, heeded)  # which Ray would answer by aborting
