"""A block that says that it is packed by bitshuffle."""

from pathlib import Path

import h5py
import numpy as np


def make(folder: Path) -> Path:
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    kind = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    kind.set_chunk((2, 2))
    kind.set_filter(32008, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(folder / "a.h5", "w") as file:
        space = h5py.h5s.create_simple((2, 2))
        array = h5py.h5d.create(file.id, b"speed", h5py.h5t.IEEE_F64LE, space, kind)
        array.write_direct_chunk((0, 0), values.tobytes(), 0)
    return folder / "a.h5"
