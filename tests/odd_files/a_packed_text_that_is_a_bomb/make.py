import gzip
from pathlib import Path


def make(folder: Path) -> Path:
    """Members of gzip may follow each other, so one is packed and repeated."""
    path = folder / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1" * 10_000_000) * 90)
    return path
