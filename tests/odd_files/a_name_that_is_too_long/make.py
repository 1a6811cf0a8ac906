from pathlib import Path


def make(folder: Path) -> Path:
    return folder / f"{'a' * 300}.csv"
