"""How much memory this process holds, as tests of it want to know."""

from __future__ import annotations

from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
on_linux = pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what a process holds of mapped files")


def resident_bytes() -> int:
    """Resident memory of this process, mapped files included."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return 1024 * int(line.split()[1])
