"""Bounds of times, as climate models write them."""

from pathlib import Path

import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    times = pd.date_range("2024-03-01", periods=2, freq="h")
    bounds = [[time, time] for time in times]
    data = xr.Dataset(
        {"speed": (("time", "node"), [[1.0, 2.0], [3.0, 4.0]]), "time_bnds": (("time", "bnds"), bounds)},
        coords={"time": times},
    )
    data.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
