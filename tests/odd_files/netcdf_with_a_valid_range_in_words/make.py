"""A valid range that is a text."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    array = xr.DataArray([[[1.0, 2.0]]], dims=("time", "row", "col"), name="v", attrs={"valid_range": "0 to 100"})
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
