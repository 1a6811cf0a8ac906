"""A dimension of size 1 before those that count, and time last."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    times = np.array(["2024-03-01T00", "2024-03-01T01"], dtype="datetime64[ns]")
    values = xr.DataArray(
        [[[[1.0, 3.0]], [[2.0, 4.0]]]], dims=("height", "y", "x", "when"), coords={"when": times}, name="wind"
    )
    values.to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
