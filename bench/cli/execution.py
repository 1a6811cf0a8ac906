"""Options of the commands that make runs: how many side by side, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.runs.executors import Executor


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How many runs go side by side, and where."""

    jobs: Annotated[
        str, typer.Option("--jobs", help="Runs side by side: a number, or auto for as many as there are cores or GPUs.")
    ] = "auto"
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Threads of each run on the processor; scores depend on it.")
    ] = 1
    runs_per_gpu: Annotated[
        int | None, typer.Option("--runs-per-gpu", min=1, help="Runs side by side on each visible GPU.")
    ] = None
    executor: Annotated[
        str, typer.Option("--executor", help="Where runs are made: processes of this machine, ray or slurm.")
    ] = "processes"

    def open(self, device: str) -> Executor:
        """What makes the runs.

        Raises:
            BenchError: If there is no such executor or device, or the numbers do not go together.
        """
        from bench.runs.executors import Places, make_executor, number_of_jobs

        places = Places(
            jobs=number_of_jobs(self.jobs), device=device, threads=self.threads, runs_per_gpu=self.runs_per_gpu
        )
        return make_executor(self.executor, places, self.own)

    @property
    def own(self) -> dict[str, Any]:
        """The options of this executor alone."""
        return {}
