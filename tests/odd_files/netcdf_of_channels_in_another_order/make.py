"""Channels with names."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    coords = {"channel": ["out", "in"]}
    array = xr.DataArray([[[[1.0]], [[2.0]]]], dims=("time", "channel", "row", "col"), coords=coords, name="flow")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
