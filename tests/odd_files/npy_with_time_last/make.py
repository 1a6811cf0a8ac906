"""Time as the last axis, as Matlab has it."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.save(folder / "odd.npy", np.array([[[1.0, 2.0]], [[3.0, 4.0]]]))
    return folder / "odd.npy"
