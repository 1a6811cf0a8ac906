"""Frames without channels."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.save(folder / "a.npy", np.ones((1, 2, 3)))
    return folder / "a.npy"
