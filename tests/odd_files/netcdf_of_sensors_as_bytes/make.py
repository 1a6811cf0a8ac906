"""Names as texts of a fixed length."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    coords = {"node": np.array([b"a", b"bb"])}
    array = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("time", "node"), coords=coords, name="speed")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
