"""A channel with a name, and a card without one."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    dims, coords = ("time", "channel", "row", "col"), {"channel": ["speed"]}
    xr.DataArray([[[[1.0]]]], dims=dims, coords=coords, name="v").to_netcdf(folder / "a.nc")
    return folder / "a.nc"
