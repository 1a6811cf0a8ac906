"""Channels of different lengths."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.savez(folder / "odd.npz", a=np.ones((4, 3)), b=np.ones((5, 3)))
    return folder / "odd.npz"
