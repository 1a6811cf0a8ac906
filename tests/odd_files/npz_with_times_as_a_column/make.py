"""Times of the shape [T, 1]."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    times = np.array(["2024-03-01T00", "2024-03-01T03"], dtype="datetime64[h]")
    np.savez(folder / "a.npz", speed=np.array([[1.0, 2.0], [3.0, 4.0]]), when=times[:, None])
    return folder / "a.npz"
