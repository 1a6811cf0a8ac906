"""Times that are no index."""

from pathlib import Path

import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    times = pd.DatetimeIndex(["2024-03-01T00", "2024-03-01T03"])
    array = xr.DataArray(
        [[1.0, 2.0], [3.0, 4.0]], dims=("step", "node"), coords={"time": ("step", times)}, name="speed"
    )
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
