"""Options of the commands that make runs: how many side by side, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.runs.executors import Asked


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """How many runs go side by side, and where."""

    jobs: Annotated[
        str,
        typer.Option(
            "--jobs",
            help="Runs side by side: a number, or auto for as many as fit (on Slurm: in each array, or all).",
        ),
    ] = "auto"
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Threads of each run on the processor; scores depend on it.")
    ] = 1
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            min=1,
            help="Seconds after which a run, or the reader of a data set of your own, is ended (default: none).",
        ),
    ] = None
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print the whole traceback of a model's error, which its log holds.")
    ] = False
    runs_per_gpu: Annotated[
        int | None, typer.Option("--runs-per-gpu", min=1, help="Runs side by side on each visible GPU.")
    ] = None
    executor: Annotated[
        str, typer.Option("--executor", help="Where runs are made: processes of this machine, ray or slurm.")
    ] = "processes"
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Ray cluster (or $RAY_ADDRESS; default: one of this machine).")
    ] = None
    slurm_partition: Annotated[str | None, typer.Option("--slurm-partition", help="Slurm's partition.")] = None
    slurm_time: Annotated[
        int | None,
        typer.Option("--slurm-time", min=3, help="Minutes of each job (60); a longer run is queued again and goes on."),
    ] = None
    slurm_gpus: Annotated[int | None, typer.Option("--slurm-gpus", min=1, help="GPUs of each run (1 on a GPU).")] = None
    slurm_option: Annotated[
        list[str] | None,
        typer.Option("--slurm-option", help="Another option of sbatch, account=me or exclusive; may be repeated."),
    ] = None
    slurm_local: Annotated[
        bool, typer.Option("--slurm-local", help="Try it without Slurm, with jobs on this machine.")
    ] = False
    slurm_detach: Annotated[
        bool, typer.Option("--slurm-detach", help="Queue the runs and leave; the same command without it follows them.")
    ] = False

    def asked(self, device: str, say: Callable[[str], None]) -> Asked:
        """What is to make the runs; ``say`` is told in a sentence what it does. Nothing is connected to yet.

        Raises:
            BenchError: If there is no such executor, or a number is none.
        """
        from bench.runs.executors import Asked, Places, number_of_jobs

        places = Places(
            jobs=number_of_jobs(self.jobs), device=device, threads=self.threads, runs_per_gpu=self.runs_per_gpu
        )
        return Asked(name=self.executor, places=places, options=self._own(say))

    def _own(self, say: Callable[[str], None]) -> dict[str, Any]:
        """The options of this executor alone.

        Raises:
            ConfigError: If one of another executor was given.
        """
        given = [field.name for field in fields(self) if "_" in field.name and getattr(self, field.name)]
        for name in given:
            executor = name.partition("_")[0]
            if executor in ("ray", "slurm") and self.executor != executor:
                option = f"--{name.replace('_', '-')}"
                raise ConfigError(f"{option} is an option of --executor {executor}; give both, or neither")
        if self.executor == "ray":
            return {"address": self.ray_address}
        if self.executor != "slurm":
            return {}
        return {
            "partition": self.slurm_partition,
            "minutes": self.slurm_time or 60,
            "gpus": self.slurm_gpus,
            "options": _pairs(self.slurm_option or ()),
            "local": self.slurm_local,
            "detach": self.slurm_detach,
            "say": say,
        }


def _pairs(options: Iterable[str]) -> dict[str, str | bool]:
    """Options of sbatch by their long names; True for one that takes no value.

    Raises:
        ConfigError: If one is written neither NAME=VALUE nor NAME.
    """
    split = {option: option.lstrip("-").split("=", 1) for option in options}
    for option, parts in split.items():
        if not parts[0]:
            raise ConfigError(f"--slurm-option {option} is not understood; write NAME=VALUE, such as account=me")
    return {name: value[0] if value else True for name, *value in split.values()}
