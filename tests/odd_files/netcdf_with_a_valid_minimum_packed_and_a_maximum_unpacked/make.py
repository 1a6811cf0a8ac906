"""A smallest number as packed by a factor below 0, so a largest value, beside a largest value in fractions."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    encoding = {"dtype": "int16", "scale_factor": -0.5, "_FillValue": -999}
    attrs = {"valid_min": np.int16(-400), "valid_max": 150.0}
    array = xr.DataArray([[[0.0, 150.0]], [[150.5, 0.5]]], dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc", encoding={"v": encoding})
    return folder / "a.nc"
