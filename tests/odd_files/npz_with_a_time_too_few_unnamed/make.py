"""One time fewer than slots, which the card does not name."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    times = np.array(["2024-03-01T00", "2024-03-01T01"], "datetime64[h]")
    np.savez(folder / "a.npz", data=np.ones((3, 1, 2)), times=times)
    return folder / "a.npz"
