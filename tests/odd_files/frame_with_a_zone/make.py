"""A frame whose times have a zone."""

from pathlib import Path

from pandas_frames import frame_file


def make(folder: Path) -> Path:
    return frame_file(folder, zone=b"Europe/Berlin")
