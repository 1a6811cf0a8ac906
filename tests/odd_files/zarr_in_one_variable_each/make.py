"""Inflow and outflow as variables of a Zarr store."""

from pathlib import Path

import xarray as xr


def make(folder: Path) -> Path:
    dims = ("time", "row", "column")
    data = {"inflow": (dims, [[[1.0, 2.0]], [[3.0, 4.0]]]), "outflow": (dims, [[[5.0, 6.0]], [[7.0, 8.0]]])}
    xr.Dataset(data).to_zarr(folder / "odd.zarr", consolidated=False)
    return folder / "odd.zarr"
