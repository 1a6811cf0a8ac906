"""The numeric precision of a run, settled when it is planned, since it is part of the run's identity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Literal

from bench.errors import DeviceError
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
    if is_cpu(device):
        return "fp32"
    from bench.context import resolve_device, resolve_precision

    try:
        return resolve_precision(asked, resolve_device(device))
    except DeviceError as error:
        raise DeviceError(
            f"{error}, or, for runs that other machines make, --set train.precision=bf16 or fp32 (settings= in "
            "Python), since their GPUs cannot be asked from here"
        ) from error


def name_of(device: str) -> str:
    """What a device is called in records, as ``bench.context.device_name`` has it; torch is not asked for a CPU.

    Raises:
        DeviceError: If the device is not there.
    """
    if is_cpu(device):
        return "cpu"
    from bench.context import device_name, resolve_device

    return device_name(resolve_device(device))


def is_cpu(device: str) -> bool:
    """Whether a device, as on the command line, can only be the processor; torch is not asked."""
    return device == "cpu" or (device == "auto" and not may_have_gpu())


def may_have_gpu() -> bool:
    """Whether torch could find a GPU here, found out without importing it: on Linux its driver leaves a file."""
    if sys.platform == "darwin":
        return False
    return sys.platform != "linux" or any(Path(file).exists() for file in DRIVER_FILES)
