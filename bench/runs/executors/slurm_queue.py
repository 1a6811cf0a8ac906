"""Batches of jobs below ``results/slurm/``, what Slurm says of them, and how they are queued and cancelled.

A batch is one array of jobs with a folder of its own, private since submitit keeps pickles in it. The batch's name is
in the jobs' names, and ``runs.json`` in its folder is written before it is queued, so that whatever is stopped at
whatever moment, the next command knows which runs are queued.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from filelock import FileLock

from bench.errors import BenchError, ConfigError
from bench.files import atomic_write
from bench.records.store import ResultStore
from bench.runs.executors.slurm_job import ERROR

NAME: Final = "stbench-"
GONE: Final = "GONE"
OVER: Final = frozenset(
    (
        *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE"),
        *("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", GONE),
    )
)
"""States of a job that is no longer queued; ``GONE`` is ours, of one that is no longer listed."""
REQUEUED: Final = 20  # times that a run may use up its minutes; each time it goes on from its last epoch
IDS_A_CALL: Final = 500
FOLDERS: Final = {False: "slurm", True: "slurm-local"}  # of all batches, in the results folder, by ``Wishes.local``
ANSWER_S: Final = 60.0  # for squeue or scancel; one that takes longer does not answer


class RefusedError(BenchError):
    """What Slurm will not queue."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked of Slurm.

    Attributes:
        minutes: Of each run, before it is stopped and queued again.
        gpus: Of each run.
        cpus: Of each run.
        at_once: How many jobs of a batch run side by side.
        options: Any others of sbatch, by their long names; True is one that takes no value.
        local: Whether to try it without Slurm, with processes of this machine.
    """

    partition: str | None = None
    minutes: int = 60
    gpus: int = 0
    cpus: int = 1
    at_once: int = 1
    options: Mapping[str, str | bool] = field(default_factory=dict)
    local: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A job as Slurm lists it.

    Attributes:
        job: Its number, with that of the task behind it.
        state: As Slurm calls it.
        batch: The name of its folder, where its log is.
    """

    job: str
    state: str
    batch: str

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def rank(self) -> tuple[bool, int]:
        """The higher, the more it says of its run: it is not over, or came later."""
        return not self.over, int(self.job.partition("_")[0])


class Queue:
    """The jobs of one results folder.

    Attributes:
        name: Of the folder in it that has a folder for each batch.
    """

    def __init__(self, results: Path, wishes: Wishes) -> None:
        self.name = FOLDERS[wishes.local]
        self._results, self._folder, self._locks = results, results.absolute() / self.name, results / "locks"
        self._wishes, self._store = wishes, ResultStore(results)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other command looks and queues, so that two do not queue one run."""
        self._locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._locks / "slurm.lock")
        lock.acquire()
        try:
            yield
        finally:
            self._store.release(lock)

    def look(self) -> dict[str, Seen] | None:
        """The jobs by the ids of their runs, of several the one of the highest rank; None if Slurm does not answer."""
        listed = _processes(self._folder) if self._wishes.local else _jobs()
        if listed is None:
            return None
        found: dict[str, Seen] = {}
        for file in self._folder.glob("*/runs.json"):
            for index, run_id in enumerate(_read(file)):
                seen = listed.get((file.parent.name, index))
                if seen is not None and (run_id not in found or seen.rank > found[run_id].rank):
                    found[run_id] = seen
        return found

    def submit(self, calls: Sequence[Callable[[], None]], run_ids: Sequence[str]) -> list[Seen]:
        """Queue a batch, and say as what jobs.

        Raises:
            ConfigError: If the folder of all batches belongs to somebody else.
            RefusedError: If Slurm will not have it; then nothing is left of it.
        """
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        folder = self._folder / uuid4().hex[:12]
        self._own_folder()
        folder.mkdir()
        with atomic_write(folder / "runs.json") as part:
            part.write_text(json.dumps(list(run_ids)), encoding="utf-8")
        try:
            cluster = "local" if self._wishes.local else "slurm"
            executor = submitit.AutoExecutor(folder, cluster=cluster, slurm_max_num_timeout=REQUEUED)
            executor.update_parameters(**self._parameters(folder.name))
            with redirect_stderr(io.StringIO()):  # submitit prints what it raises
                jobs = executor.submit_array(calls)
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            text = " ".join(str(error).split())
            hint = "; 'sinfo' lists the partitions" if "invalid partition" in text.lower() else ""
            raise RefusedError(text + hint) from error
        return [Seen(job=str(job.job_id), state="PENDING", batch=folder.name) for job in jobs]

    def error(self, batch: str) -> str:
        """What a function raised in a job of a batch; empty if nothing."""
        try:
            return (self._folder / batch / ERROR).read_text(encoding="utf-8")
        except OSError:
            return ""

    def _own_folder(self) -> None:
        """The folder of all batches, private, since what lies in it is executed."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._is_ours():
            raise ConfigError(
                f"{self._folder} belongs to another user or is a link, and jobs are read from it; give --results, or "
                "results=, of your own"
            )
        self._folder.chmod(0o700)

    def cancel(self, jobs: Iterable[Seen]) -> bool:
        """Cancel jobs that are not over; False if scancel fails or does not answer, so that some may be left."""
        ids = [seen.job for seen in jobs if not seen.over]
        if self._wishes.local:
            for process in ids:
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGINT)
            return True
        done = True
        try:
            for start in range(0, len(ids), IDS_A_CALL):
                command = ["scancel", *ids[start : start + IDS_A_CALL]]
                answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=ANSWER_S)  # noqa: S603
                done &= answer.returncode == 0 or _only_over(answer.stderr)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done

    def tidy(self, *, done_alone: bool = False) -> None:
        """Remove the folders of batches that have no job any more; with ``done_alone``, if their runs have records."""
        if not self._is_ours():
            return
        with self.alone():
            found = self.look()
            busy = {seen.batch for seen in (found or {}).values() if not seen.over}
            for folder in self._folder.glob("*/") if found is not None else ():
                if folder.name not in busy and not (done_alone and self._lacks_records(folder)):
                    shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                self._folder.rmdir()  # if nothing is in it

    def _is_ours(self) -> bool:
        """Whether the folder of all batches is there, belongs to this user and is no link to elsewhere."""
        try:
            about = self._folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()

    def _lacks_records(self, batch: Path) -> bool:
        """Whether a run of a batch is not done, so that its log may be wanted."""
        run_ids = _read(batch / "runs.json")
        return not run_ids or not all(any(self._results.glob(f"runs/*/*/{run_id}.json")) for run_id in run_ids)

    def _parameters(self, batch: str) -> dict[str, Any]:
        wishes = self._wishes
        common = {"name": NAME + batch, "timeout_min": wishes.minutes, "cpus_per_task": wishes.cpus}
        if wishes.gpus:
            common["gpus_per_node"] = wishes.gpus
        if wishes.local:
            return common
        return common | {
            "slurm_partition": wishes.partition,
            "slurm_array_parallelism": wishes.at_once,
            "slurm_additional_parameters": dict(wishes.options),
        }


def _jobs() -> dict[tuple[str, int], Seen] | None:
    """What Slurm has of ours, by batch and place in it; None if it does not answer."""
    command = ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T|%j"]
    try:
        answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=ANSWER_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = {}
    for job, state, name in (line.split("|", 2) for line in answer.stdout.splitlines()):
        if name.startswith(NAME):
            batch = name.removeprefix(NAME)
            found[batch, int(job.partition("_")[2] or 0)] = Seen(job=job, state=state, batch=batch)
    return found


def _only_over(complaints: str) -> bool:
    """Whether scancel complains of nothing but jobs that are over."""
    lines = complaints.lower().splitlines()
    return bool(lines) and all("invalid job id" in line or "already completing or completed" in line for line in lines)


def _processes(folder: Path) -> dict[tuple[str, int], Seen]:
    """What submitit has started on this machine below a folder; each is a batch of one."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().decode(errors="replace").split("\0")
            if "submitit.local._local" in words and words[-2].startswith(f"{folder}/"):
                batch = Path(words[-2]).name
                found[batch, 0] = Seen(job=file.parent.name, state="RUNNING", batch=batch)
    return found


def _read(file: Path) -> list[str]:
    try:
        return list(json.loads(file.read_bytes()))
    except (OSError, ValueError):  # another command is tidying
        return []
