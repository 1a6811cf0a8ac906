"""Times lie beside the card."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    array = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("time", "node"), name="speed")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
