"""Dates with an hour."""

from pathlib import Path

import h5py
import numpy as np


def make(folder: Path) -> Path:
    dates = ["2013070123", "2013070200", "2013070201"]
    with h5py.File(folder / "odd.h5", "w") as file:
        file["data"] = np.arange(1.0, len(dates) + 1).reshape(-1, 1, 1, 1)
        file["date"] = np.array(dates, dtype="S10")
    return folder / "odd.h5"
