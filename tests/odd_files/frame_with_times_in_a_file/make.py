"""A frame as pandas writes it."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    frame = pd.DataFrame(
        [[1.0, 2.0], [3.0, 4.0]], index=pd.date_range("2024-03-01", periods=2, freq="h"), columns=["a", "b"]
    )
    frame.to_hdf(folder / "a.h5", key="df", mode="w")
    return folder / "a.h5"
