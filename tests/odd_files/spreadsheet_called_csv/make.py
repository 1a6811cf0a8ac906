"""A file of Excel whose name was changed."""

import zipfile
from pathlib import Path


def make(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.csv", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return folder / "a.csv"
