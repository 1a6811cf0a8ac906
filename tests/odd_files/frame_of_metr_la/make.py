"""A frame as METR-LA is published."""

from pathlib import Path

from pandas_frames import frame_file


def make(folder: Path) -> Path:
    return frame_file(folder)
