import os
from pathlib import Path


def make(folder: Path) -> Path:
    path = folder / os.fsdecode(b"caf\xe9.csv")
    path.write_text("1\n2\n3\n", encoding="ascii")
    return path
