"""A time fewer than slots."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.savez(folder / "odd.npz", v=np.ones((3, 2)), t=np.array(["2024-03-01T00", "2024-03-01T01"]))
    return folder / "odd.npz"
