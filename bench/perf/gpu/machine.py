"""The device: what it is called, and what it can do at most."""

from __future__ import annotations

import platform
import subprocess

import torch

from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import median_seconds


def machine(bench: Bench) -> None:
    """Names and versions, the peaks of matrix products, and the bandwidth of a copy."""
    facts = {"python": platform.python_version(), "torch": str(torch.__version__), "device": _name(bench)}
    if bench.on_gpu:
        properties = torch.cuda.get_device_properties(bench.device)
        facts |= {
            "compute capability": f"{properties.major}.{properties.minor}",
            "memory": f"{properties.total_memory / 2**30:.0f} GiB",
            "cuda": str(torch.version.cuda),
            "driver": _driver(),
        }
    for name, value in facts.items():
        bench.row("machine", name, value)
    torch.set_float32_matmul_precision("highest")
    for kind in (torch.bfloat16, torch.float32):
        rate = peak_rate(bench, kind, bench.share(3))
        bench.row("matrix product", str(kind).removeprefix("torch."), rate / 1e12, "TFLOP/s")
    source = torch.empty(2**28 if bench.on_gpu else 2**20, device=bench.device).normal_()
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), bench, bench.share(2))
    bench.row("memory", "copy, read and written", 2 * source.nbytes / seconds / 1e9, "GB/s")


def peak_rate(bench: Bench, kind: torch.dtype, budget: float) -> float:
    """Operations a second of a large product of random matrices."""
    side = 8192 if bench.on_gpu else 256
    left, right = (torch.randn(side, side, device=bench.device).to(kind) for _ in range(2))
    return 2 * side**3 / median_seconds(lambda: left @ right, bench, budget)


def _name(bench: Bench) -> str:
    return torch.cuda.get_device_name(bench.device) if bench.on_gpu else "cpu"


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - no input
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip().split("\n")[0]
