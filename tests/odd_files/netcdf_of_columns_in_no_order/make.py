"""Columns whose numbers were sorted as texts."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    coords = {"x": [0, 10, 2]}
    xr.DataArray([[[1.0, 2.0, 3.0]]], dims=("time", "y", "x"), coords=coords, name="v").to_netcdf(folder / "a.nc")
    return folder / "a.nc"
