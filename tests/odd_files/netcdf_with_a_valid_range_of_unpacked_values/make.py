"""A valid range in fractions, of whole numbers that are packed."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    encoding = {"dtype": "int16", "scale_factor": 0.5, "_FillValue": -999}
    attrs = {"valid_range": np.array([0.0, 10.0])}
    array = xr.DataArray([[[0.0, 10.0]], [[10.5, 1.0]]], dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc", encoding={"v": encoding})
    return folder / "a.nc"
