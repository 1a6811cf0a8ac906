"""Times as seconds since 1970, half an hour apart."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    np.savez(folder / "odd.npz", v=np.ones((3, 2)), t=1709251200 + 1800 * np.arange(3))
    return folder / "odd.npz"
