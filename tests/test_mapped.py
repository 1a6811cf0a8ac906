"""Mapped arrays: read in pieces that are let go, and handed on with nothing behind their end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pages import beside
from resident import on_linux, resident_bytes
from toy_grid import the_error

from bench import mapped
from bench.catalog.npy import mapped as mapped_file
from bench.mapped import in_pieces, pieces, storage_of_its_own


@pytest.fixture
def values(tmp_path: Path) -> np.ndarray:
    """``[8192, 2, 32, 32]`` float32, 64 MiB of ones in a file."""
    np.save(tmp_path / "values.npy", np.ones((8192, 2, 32, 32), dtype=np.float32))
    return mapped_file(tmp_path / "values.npy")


@pytest.mark.parametrize("rows", [1, 2, 7, 10, 11])
def test_pieces_are_every_row_once_and_in_order(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 6 * rows)
    array = np.arange(60).reshape(10, 2, 3)
    np.testing.assert_array_equal(np.concatenate(list(in_pieces(array))), array)
    np.testing.assert_array_equal(np.concatenate(list(in_pieces(array, 2, 9))), array[2:9])
    assert max(piece.stop - piece.start for piece in pieces(array.shape)) == min(rows, 10)


def test_a_row_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 1)
    assert list(pieces((3, 5))) == [slice(0, 1), slice(1, 2), slice(2, 3)]


@on_linux
def test_what_is_read_in_pieces_does_not_stay_in_memory(values: np.ndarray) -> None:
    values[:8].sum()
    before, most = resident_bytes(), 0
    for view in (values, values[3:, 1], values[5:]):
        for rows in in_pieces(view):
            assert rows.min() == 1
            most = max(most, resident_bytes())
    assert most - before < 0.4 * values.nbytes
    values.sum()
    assert resident_bytes() - before > 0.9 * values.nbytes  # else this test would see nothing


def test_storage_of_its_own_ends_where_it_was_asked_to_and_keeps_what_is_written_to_itself(values: np.ndarray) -> None:
    own = storage_of_its_own(values, 3, 100)
    own[5] = 7
    own[-1] = 8
    assert own.shape == (97, 2, 32, 32)
    assert (own[4].max(), own[5].min(), own[96].min()) == (1, 7, 8)
    assert values[:200].max() == 1
    assert storage_of_its_own(values, 8, 9).max() == 1


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 5), (4, 30), (0, 100), (7, 100)])
def test_nothing_lies_before_and_behind_storage_of_its_own_up_to_the_end_of_its_page(
    dtype: type[np.generic], start: int, stop: int, tmp_path: Path
) -> None:
    np.save(tmp_path / "values.npy", np.ones((100, 3, 5, 11), dtype=dtype))
    own = storage_of_its_own(mapped_file(tmp_path / "values.npy"), start, stop)
    before, behind = beside(own)
    assert own.all()
    assert before.size + behind.size > 0
    assert not before.any()
    assert not behind.any()


def test_storage_of_its_own_of_an_array_in_memory_or_of_a_view_is_a_copy(values: np.ndarray) -> None:
    for array in (np.ones((9, 2)), values[7:, :1]):
        own = storage_of_its_own(array, 2, 5)
        assert own.base is None
        assert own.shape == array[2:5].shape
        own[:] = 3
        assert array.max() == 1


def test_a_file_that_was_removed_is_one_sentence(values: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "values.npy").unlink()
    the_error(lambda: storage_of_its_own(values, 0, 5), "values.npy was removed while it was in use", "again")
