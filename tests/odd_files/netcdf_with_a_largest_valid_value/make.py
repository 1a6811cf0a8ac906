"""A value beyond what its attributes call valid."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    attrs = {"valid_max": 100.0}
    array = xr.DataArray([[[1.0, 400.0]], [[3.0, 100.0]]], dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
