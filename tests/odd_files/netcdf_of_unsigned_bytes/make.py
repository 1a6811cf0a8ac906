"""Bytes that are said to be unsigned, with a valid range of theirs."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    attrs = {"_Unsigned": "true", "valid_range": np.array([0, -56], np.int8)}
    values = np.array([[[0, 127]], [[-56, -1]]], np.int8)
    array = xr.DataArray(values, dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
