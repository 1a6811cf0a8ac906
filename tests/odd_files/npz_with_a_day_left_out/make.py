"""Hours of three days, of which the second is left out."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    hours = np.arange("2024-03-01", "2024-03-04", dtype="datetime64[h]")
    np.savez(folder / "odd.npz", counts=np.ones((48, 2)), hours=np.delete(hours, np.s_[24:48]))
    return folder / "odd.npz"
