"""Times as seconds since 1970, the first of each month."""

from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    path = folder / "data.npz"
    times = np.array(["2024-01", "2024-02", "2024-03", "2024-04"], dtype="datetime64[s]").astype(np.int64)
    np.savez(path, values=np.arange(1.0, 9.0).reshape(4, 1, 1, 2), time=times)
    return path
