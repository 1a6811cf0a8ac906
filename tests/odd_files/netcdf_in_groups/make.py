"""A group."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    data = xr.Dataset({"speed": (("time", "node"), [[1.0, 2.0], [3.0, 4.0]])})
    data.to_netcdf(folder / "a.nc", group="obs")
    return folder / "a.nc"
