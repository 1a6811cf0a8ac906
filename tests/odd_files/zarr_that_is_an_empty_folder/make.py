"""A folder that is no store."""

from pathlib import Path


def make(folder: Path) -> Path:
    (folder / "odd.zarr").mkdir()
    return folder / "odd.zarr"
