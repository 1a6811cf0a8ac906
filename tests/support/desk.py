"""A folder with a card, an array and a data folder, as tests of the import want it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.catalog.imported import read_imported
from bench.catalog.importing import import_array
from bench.errors import BenchError, DataError

MINIMAL = 'name = "citybus"\ninterval = 30\ngrid = [2, 3]\n'


def series(channels: int = 2, slots: int = 7) -> np.ndarray:
    """``[T, C, 2, 3]``, every value different."""
    return np.arange(slots * channels * 6, dtype=np.float32).reshape(slots, channels, 2, 3)


class Desk:
    """A folder with a card, an array and a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.card, self.data = folder, folder / "my.toml", folder / "data"
        self.card.write_text(MINIMAL)

    def say(self, *lines: str) -> None:
        self.card.write_text(MINIMAL + "\n".join(lines) + "\n")

    def npy(self, array: np.ndarray) -> Path:
        np.save(self.folder / "array.npy", array, allow_pickle=array.dtype == object)
        return self.folder / "array.npy"

    def csv(self, text: str) -> Path:
        (self.folder / "array.csv").write_text(text)
        return self.folder / "array.csv"

    def read(self, file: Path, **options: Any) -> np.ndarray:
        """Import, and read back what was written."""
        _, folder = import_array(file, self.card, self.data, **options)
        return np.asarray(read_imported(folder)[1].values)

    def refuses(self, file: Path, pattern: str, error: type[BenchError] = DataError, **options: Any) -> None:
        """Check that the import fails with one sentence and leaves nothing behind."""
        before = files(self.data)
        with pytest.raises(error, match=pattern) as caught:
            import_array(file, self.card, self.data, **options)
        assert "\n" not in str(caught.value)
        assert files(self.data) == before


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
