"""A slot that was never written, in a variable without a fill value of its own."""

from pathlib import Path

import netCDF4


def make(folder: Path) -> Path:
    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        for name, size in (("time", 3), ("row", 1), ("col", 2)):
            file.createDimension(name, size)
        values = file.createVariable("v", "i2", ("time", "row", "col"))
        values[0], values[2] = [[1, 2]], [[3, 4]]
    return folder / "a.nc"
