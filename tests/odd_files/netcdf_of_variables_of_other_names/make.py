"""Two variables."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    dims = ("time", "row", "col")
    data = xr.Dataset({"drop": (dims, [[[1.0]]]), "pick": (dims, [[[2.0]]])})
    data.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
