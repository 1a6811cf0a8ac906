import os
from pathlib import Path


def make(folder: Path) -> Path:
    os.mkfifo(folder / "a.csv")
    return folder / "a.csv"
