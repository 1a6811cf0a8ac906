"""The side effects of a run: seeding, device, clock and memory. Nothing else in the project touches them."""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from bench.errors import DeviceError
from bench.settings import Precision

STATUS: Final = Path("/proc/self/status")
ANEW: Final = Path("/proc/self/clear_refs")  # "5" begins the peak of the process anew


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:i`` into a device that exists.

    Raises:
        DeviceError: If CUDA is asked for and not there; the CPU is never taken silently in its place.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"there is no device '{name}'; use auto, cpu, cuda or cuda:<number>") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"the device '{name}' is not supported; use auto, cpu, cuda or cuda:<number>")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceError(f"'{name}' was asked for and this machine offers {count} CUDA devices; use --device cpu")
        return torch.device("cuda", device.index or 0)
    return device


def resolve_precision(name: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """What ``auto`` is on a device: bf16 on a GPU that has it, else fp32."""
    if name != "auto":
        return name
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has_bf16 else "fp32"


@contextmanager
def flags_kept() -> Iterator[None]:
    """Give torch's global flags and its number of threads back as they were, whatever happens to them meanwhile."""
    cudnn = torch.backends.cudnn
    put_back: list[Callable[[], object]] = [
        partial(torch.set_default_dtype, torch.get_default_dtype()),
        partial(_restore_default_device, torch.get_default_device()),
        partial(torch.set_grad_enabled, torch.is_grad_enabled()),
        partial(torch.set_num_threads, torch.get_num_threads()),
        partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()),
        partial(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode()),
        *(partial(setattr, cudnn, name, getattr(cudnn, name)) for name in ("enabled", "benchmark", "allow_tf32")),
    ]
    try:
        yield
    finally:
        for put in put_back:
            put()


def _restore_default_device(device: torch.device) -> None:
    if torch.get_default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)


def held_megabytes() -> float | None:
    """What this process holds at the start of a run, resident; its peak is counted anew from here.

    None where it is not the run's own process, and where the system does not tell (any but Linux).
    """
    if multiprocessing.parent_process() is None or not ANEW.exists():
        return None
    try:
        ANEW.write_text("5")
        return _megabytes("VmRSS")
    except OSError:
        return None


def _megabytes(name: str) -> float:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 2**10


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """One run's seed and device.

    Attributes:
        held: As ``held_megabytes`` gives it when the run begins.
    """

    seed: int
    device: torch.device
    held: float | None = None

    def begin(self) -> None:
        """Seed every generator, and set every global flag of torch anew.

        Kernels are deterministic ones, and float32 is float32 in products and convolutions alike: no TF32.
        """
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        self.seed_generators()
        torch.manual_seed(self.seed)  # of every device
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
        torch.set_float32_matmul_precision("highest")
        torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, which imports the compiler
        torch.backends.cudnn.enabled = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def seed_generators(self) -> None:
        """Seed Python's, numpy's and torch's global generators, the last on this device."""
        random.seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002 - third-party models may draw from the legacy generator
        torch.default_generator.manual_seed(self.seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(self.seed)

    @contextmanager
    def own_random_numbers(self) -> Iterator[None]:
        """Seed every generator; what follows goes on as if nothing had been drawn."""
        states = self.random_states()
        self.seed_generators()
        try:
            yield
        finally:
            self.restore_random_states(states)

    def random_states(self) -> dict[str, Any]:
        """The states of all generators that ``begin`` seeds, to be stored in a checkpoint."""
        numpy_state: dict[str, Any] = dict(np.random.get_state(legacy=False))  # noqa: NPY002
        inner = numpy_state["state"]
        numpy_state["state"] = {"key": torch.from_numpy(inner["key"].astype(np.int64)), "pos": inner["pos"]}
        states: dict[str, Any] = {"cpu": torch.get_rng_state(), "numpy": numpy_state, "python": random.getstate()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def restore_random_states(self, states: Mapping[str, Any]) -> None:
        """Continue where ``random_states`` was taken."""
        torch.set_rng_state(states["cpu"])
        inner = states["numpy"]["state"]
        key = inner["key"].numpy().astype(np.uint32)
        np.random.set_state({**states["numpy"], "state": {**inner, "key": key}})  # noqa: NPY002
        random.setstate(states["python"])
        if self.device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def seconds(self) -> float:
        """Monotonic seconds, after all work on the device has ended."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def environment(self) -> dict[str, Any]:
        """What a reader needs to know of the machine and of torch's build; no host name, no path."""
        return {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "device": device_name(self.device),
            "cuda": torch.version.cuda if self.device.type == "cuda" else None,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
        }

    def peak_megabytes(self) -> float | None:
        """Peak memory of this run: allocated on a GPU, or on a CPU what its process held beyond the start.

        None where that is not known.
        """
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return None if self.held is None else _megabytes("VmHWM") - self.held


def device_name(device: torch.device) -> str:
    """What the device is called: a GPU's product name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
