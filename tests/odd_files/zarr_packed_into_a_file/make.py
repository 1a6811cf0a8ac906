"""A store in an archive that is called as if it were a folder."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zarr", "w") as archive:
        archive.writestr("zarr.json", "{}")
    return folder / "a.zarr"
