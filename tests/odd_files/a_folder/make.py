from pathlib import Path


def make(folder: Path) -> Path:
    (folder / "a.csv").mkdir()
    return folder / "a.csv"
