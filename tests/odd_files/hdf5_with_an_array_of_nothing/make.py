"""An array without a shape."""

from pathlib import Path

import h5py
import numpy as np


def make(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["speed"], file["note"] = np.array([[1.0, 2.0], [3.0, 4.0]]), h5py.Empty("f4")
    return folder / "a.h5"
