"""A frame of pandas in its other format, "table"."""

from pathlib import Path

from pandas_frames import frame_file


def make(folder: Path) -> Path:
    return frame_file(folder, kind=b"frame_table")
