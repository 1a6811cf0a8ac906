"""An array without names of dimensions, in a group."""

from pathlib import Path

import numpy as np
import zarr


def make(folder: Path) -> Path:
    group = zarr.open_group(folder / "a.zarr", mode="w").create_group("obs")
    group.create_array("speed", data=np.array([[1.0, 2.0], [3.0, 4.0]]))
    return folder / "a.zarr"
