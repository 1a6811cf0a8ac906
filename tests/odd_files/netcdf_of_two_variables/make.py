"""Two variables, of which the card names none."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    ones = xr.DataArray(np.ones((2, 1, 2)), dims=("time", "y", "x"))
    xr.Dataset({"rain": ones, "wind": ones}).to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
