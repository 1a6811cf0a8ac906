"""Units of time that no library reads."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    coords = {"time": ("time", [0, 1], {"units": "Hours Since 2024-03-01"})}
    array = xr.DataArray([[[1.0, 2.0]], [[3.0, 4.0]]], dims=("time", "row", "col"), coords=coords, name="v")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
