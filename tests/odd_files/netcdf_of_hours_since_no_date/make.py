"""Units without a date."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    times = ("time", [0, 1], {"units": "hours since yesterday"})
    data = xr.Dataset({"speed": (("time", "node"), [[1.0, 2.0], [3.0, 4.0]])}, coords={"time": times})
    data.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
