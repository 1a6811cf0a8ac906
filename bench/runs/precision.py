"""The numeric precision of a run, settled when it is planned, since it is part of the run's identity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Literal

from bench.settings import Precision

DRIVER_FILES: Final = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""Of NVIDIA's driver, on a Jetson and under WSL, too, and of AMD's."""


def precision_on(device: str, asked: Precision) -> Literal["fp32", "bf16"]:
    """The precision of a run on a device, "auto" resolved; torch is not asked where there can be no GPU.

    Raises:
        DeviceError: If the device is not there.
    """
    if asked != "auto":
        return asked
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return "fp32"
    from bench.context import resolve_device, resolve_precision

    return resolve_precision(asked, resolve_device(device))


def may_have_gpu() -> bool:
    """Whether torch could find a GPU here, found out without importing it: on Linux its driver leaves a file."""
    if sys.platform == "darwin":
        return False
    return sys.platform != "linux" or any(Path(file).exists() for file in DRIVER_FILES)
