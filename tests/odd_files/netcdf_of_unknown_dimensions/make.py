"""Dimensions whose names say nothing."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    xr.DataArray(np.ones((3, 1, 2)), dims=("a", "b", "c"), name="v").to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
