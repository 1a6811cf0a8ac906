"""A value below what its attributes call valid."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    array = xr.DataArray([[[1.0, -1.0]]], dims=("time", "row", "col"), name="v", attrs={"valid_min": 0})
    array.to_dataset().to_zarr(folder / "a.zarr", consolidated=False)
    return folder / "a.zarr"
