"""Valid limits in fractions, of whole numbers that are packed by a factor below 0."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    encoding = {"dtype": "int16", "scale_factor": -0.5, "_FillValue": -999}
    attrs = {"valid_min": 0.0, "valid_max": 200.0}
    array = xr.DataArray([[[0.0, 200.0]], [[200.5, -1.0]]], dims=("time", "row", "col"), name="v", attrs=attrs)
    array.to_netcdf(folder / "a.nc", encoding={"v": encoding})
    return folder / "a.nc"
