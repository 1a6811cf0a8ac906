"""Names that are a row and a column."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    coords = {"node": ["r0c1", "r0c0"]}
    array = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("time", "node"), coords=coords, name="speed")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
