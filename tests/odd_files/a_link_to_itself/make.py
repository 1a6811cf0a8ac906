from pathlib import Path


def make(folder: Path) -> Path:
    (folder / "a.csv").symlink_to("a.csv")
    return folder / "a.csv"
