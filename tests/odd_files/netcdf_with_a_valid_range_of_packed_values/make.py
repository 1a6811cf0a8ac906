"""A valid range of numbers as they are packed, by a factor below 0."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    encoding = {"dtype": "int16", "scale_factor": -0.5, "add_offset": 1.0, "_FillValue": -999}
    attrs = {"valid_range": np.array([-20, 2], np.int16)}
    array = xr.DataArray([[[0.0, 11.0]], [[-0.5, 11.5]]], dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc", encoding={"v": encoding})
    return folder / "a.nc"
