"""Times as seconds since 1970."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.savez(folder / "odd.npz", v=np.arange(1.0, 7.0).reshape(3, 2), t=1709251200 + 3600 * np.arange(3))
    return folder / "odd.npz"
