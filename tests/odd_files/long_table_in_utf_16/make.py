from pathlib import Path


def make(folder: Path) -> Path:
    (folder / "a.csv").write_text("time,row,column,value\n2024-03-01T00:00,0,1,2\n2024-03-01T00:00,0,0,1\n", "utf-16")
    return folder / "a.csv"
