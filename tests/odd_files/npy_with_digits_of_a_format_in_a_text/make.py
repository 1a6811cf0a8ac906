"""An array whose times lie beside its card."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.save(folder / "a.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    return folder / "a.npy"
