"""An array of an ``.npy`` written again in other formats, a piece at a time, by the libraries that are theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.npy import mapped
from bench.errors import require
from bench.mapped import let_go, pieces

DIMS: Final = ("time", "channel", "row", "column")


def written_as(kind: str, file: Path) -> Path:
    """The array ``[T, C, H, W]`` of an ``.npy`` as a file of this kind beside it.

    Raises:
        MissingPackageError: If the library of this kind is not installed.
    """
    if kind == "npy":
        return file
    other = file.with_suffix(f".{kind}")
    WRITERS[kind](mapped(file), other)
    return other


def _npz(array: NDArray[Any], file: Path) -> None:
    np.savez(file, values=array)
    let_go(array)


def _h5(array: NDArray[Any], file: Path) -> None:
    import h5py

    with h5py.File(file, "w") as target:
        _fill(target.create_dataset("values", array.shape, array.dtype), array)


def _nc(array: NDArray[Any], file: Path) -> None:
    require("netCDF4", "formats", "a NetCDF file")
    import netCDF4

    with netCDF4.Dataset(file, "w") as target:
        for name, size in zip(DIMS, array.shape, strict=True):
            target.createDimension(name, size)
        _fill(target.createVariable("values", "f4", DIMS, contiguous=True), array)


def _zarr(array: NDArray[Any], file: Path) -> None:
    require("zarr", "formats", "a Zarr store")
    import zarr

    rows = next(pieces(array.shape)).stop
    _fill(
        zarr.create_array(
            file, shape=array.shape, dtype=array.dtype, chunks=(rows, *array.shape[1:]), dimension_names=DIMS
        ),
        array,
    )


def _fill(target: Any, array: NDArray[Any]) -> None:
    for piece in pieces(array.shape):
        target[piece] = array[piece]
        let_go(array)


WRITERS: Final[Mapping[str, Callable[[NDArray[Any], Path], None]]] = MappingProxyType(
    {"npz": _npz, "h5": _h5, "nc": _nc, "zarr": _zarr}
)
KINDS: Final = ("npy", *WRITERS)
