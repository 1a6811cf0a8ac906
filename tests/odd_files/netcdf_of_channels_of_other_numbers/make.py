"""Channels with numbers that neither count them nor stand in the card."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    coords = {"channel": [1, 0]}
    array = xr.DataArray([[[[1.0]], [[2.0]]]], dims=("time", "channel", "row", "col"), coords=coords, name="v")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
