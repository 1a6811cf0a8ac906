"""The devices of the runs that go side by side on one machine."""

from __future__ import annotations

import os
from itertools import cycle, islice
from math import ceil
from pathlib import Path

from bench.errors import ConfigError
from bench.runs.executors import Places
from bench.runs.precision import is_cpu

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def slots(places: Places) -> list[str]:
    """The device of each run that may go beside the others, "cpu" or "cuda:<number>", so long as there are jobs.

    Raises:
        DeviceError: If the device is not there.
        ConfigError: If more jobs are asked for than the GPUs have places, or shares of a GPU where runs have none.
    """
    devices = _devices(places.device)
    if devices == ["cpu"]:
        refuse_shares(places)
        return devices * (places.jobs or max(1, cores() // places.threads))
    most = len(devices) * (places.runs_per_gpu or ceil((places.jobs or 1) / len(devices)))
    if places.jobs is not None and places.jobs > most:
        raise ConfigError(
            f"{places.jobs} jobs are more than {len(devices)} GPUs with {places.runs_per_gpu} runs each carry, "
            f"{most}; leave out --jobs or --runs-per-gpu, in Python jobs= or runs_per_gpu="
        )
    return list(islice(cycle(devices), places.jobs or most))


def refuse_shares(places: Places) -> None:
    """Where runs take no GPU.

    Raises:
        ConfigError: If several were to share one.
    """
    if places.runs_per_gpu is not None:
        raise ConfigError(
            f"--runs-per-gpu, or runs_per_gpu=, {places.runs_per_gpu} shares GPUs among runs, which on the "
            f"device {places.device} take none here; leave it out, or say --device cuda, or device='cuda', "
            "where there is one"
        )


def wants_gpu(device: str) -> bool:
    """Whether runs on a cluster take GPUs: those for "cuda", and for "auto" where this machine has one, as planned."""
    if device != "auto" or is_cpu(device):
        return device.startswith("cuda")
    from bench.context import resolve_device

    return resolve_device(device).type == "cuda"


def cores() -> int:
    """The processor cores that this process may use, whole ones of what a container is given."""
    has_affinity = hasattr(os, "sched_getaffinity")
    known = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, min(known, int(_quota())))


def _quota() -> float:
    """The cores' worth of time that a control group leaves; infinity without one."""
    try:
        limit, period = QUOTA.read_text(encoding="ascii").split()
        return int(limit) / int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return 1e9


def _devices(name: str) -> list[str]:
    """Of "auto" and "cuda" every GPU that is visible; else the one that is meant."""
    if is_cpu(name):
        return ["cpu"]
    from bench.context import resolve_device

    first = resolve_device(name)
    if first.type == "cpu":
        return ["cpu"]
    if name not in ("auto", "cuda"):
        return [str(first)]
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
