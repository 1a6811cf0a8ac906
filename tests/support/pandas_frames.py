"""Frames in HDF5 as pandas writes them in its format "fixed", and as METR-LA is published."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def frame_file(folder: Path, *, kind: bytes = b"frame", zone: bytes = b"") -> Path:
    """Three slots of the sensors c, a and b in ``odd.h5``, in two blocks whose order is another.

    Args:
        folder: Where to write it.
        kind: What pandas calls it.
        zone: Of its times, if they have one.
    """
    times = np.array(["2012-03-01T00:00", "2012-03-01T00:05", "2012-03-01T00:10"], dtype="datetime64[ns]")
    with h5py.File(folder / "odd.h5", "w") as file:
        frame = file.create_group("df")
        frame.attrs.update({"pandas_type": kind, "nblocks": 2, "ndim": 2, "encoding": b"UTF-8"})
        for name, labels in (("axis0", ["c", "a", "b"]), ("block0_items", ["a", "b"]), ("block1_items", ["c"])):
            frame[name] = np.array(labels, dtype="S1")
            frame[name].attrs["kind"] = b"string"
        frame["axis1"] = times.astype(np.int64)
        frame["axis1"].attrs.update({"kind": b"datetime64", "name": b"N."} | ({"tz": zone} if zone else {}))
        frame["block0_values"] = np.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]])
        frame["block1_values"] = np.array([[7], [8], [9]])
        for block in ("block0_values", "block1_values"):
            frame[block].attrs["transposed"] = 1
    return folder / "odd.h5"
