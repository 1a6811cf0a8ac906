"""Forecasts in a file: an ``.npz`` of plain arrays, which numpy opens and nothing unpickles.

``forecasts`` is ``[N, F, C, H, W]`` float32 in physical units; N windows in the order of ``origins``, F steps, C
channels. The other arrays say which windows these are and what made them (``About``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.errors import unwritten
from bench.files import atomic_write

FORECASTS: Final = "forecasts"
FORMAT: Final = "st-vfm-bench forecasts 1"
LEVEL: Final = 1  # of compression: more takes long, and forecasts hardly become smaller by it

Add = Callable[[NDArray[np.float32]], None]


@dataclass(frozen=True, kw_only=True, repr=False)
class About:
    """What stands in a file beside the forecasts, each an array of this name; texts are arrays of one text.

    Attributes:
        origins: ``[N]`` int64: the slot of the first step of each forecast, counted from the start of the data.
        times: ``[N]`` datetime64: its time; None where the calendar is unknown or slots are not equally long.
        shape: ``[5]`` int64: N, F, C, H, W.
        channels, units: ``[C]`` texts.
        task: ``bench.settings.TaskSettings`` as JSON.
        data_sha256: Digest of the canonical data.
        model, seed, spec_id, run_id: Of the run that made the forecasts; empty, and -1, in a template.
    """

    origins: NDArray[np.int64]
    times: NDArray[np.datetime64] | None
    shape: NDArray[np.int64]
    channels: NDArray[np.str_]
    units: NDArray[np.str_]
    dataset: str
    data_sha256: str
    task: str
    model: str = ""
    seed: int = -1
    spec_id: str = ""
    run_id: str = ""
    format: str = FORMAT

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in zip("NFCHW", self.shape.tolist(), strict=True))
        first, last = self.origins[[0, -1]] if len(self.origins) else ("none", "none")
        by = f", by {self.model}" if self.model else ""
        return f"About({self.dataset}: forecasts {sizes}, of windows with origins {first} to {last}{by})"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By their names in the file, without what is not known."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}


@contextmanager
def forecasts_file(path: Path, about: About) -> Iterator[Add]:
    """Write forecasts piece by piece: what is given takes the rows ``[B, F, C, H, W]`` in their order.

    The file appears at the end, whole, or not at all if anything fails.

    Raises:
        StoreError: If it cannot be written.
    """
    shape, written = tuple(map(int, about.shape)), 0

    def add(rows: NDArray[np.float32]) -> None:
        nonlocal written
        with _writing(path):
            stream.write(np.ascontiguousarray(rows, dtype="<f4").data)
        written += len(rows)

    with ExitStack() as files:
        with _writing(path):
            part = files.enter_context(atomic_write(path))
            archive = files.enter_context(zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL))
            for name, array in about.arrays().items():
                with _member(archive, name) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            stream = files.enter_context(_member(archive, FORECASTS))
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
        yield add
        if written != shape[0]:
            raise ValueError(f"{written} forecasts were given, wanted {shape[0]}")
        with _writing(path):
            files.close()


def write_template(path: Path, about: About) -> None:
    """Write all of a file but the forecasts themselves.

    Raises:
        StoreError: If it cannot be written.
    """
    with _writing(path), atomic_write(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **about.arrays())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """While nothing but the file is at work, so that an error of the system is of it."""
    try:
        yield
    except OSError as error:
        raise unwritten(str(path), error) from error


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(f"{name}.npy", "w", force_zip64=True)
