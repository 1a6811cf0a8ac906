"""Readers of .npz, HDF5 and .npy files, and how a reader chooses among layouts."""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - to make the file that must be refused
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_grid import CARD, ONE, C, H, T, W, counts, same, the_error

from datasets._formats import (
    Layout,
    clocked_npy,
    nodes,
    parts,
    plain_npy,
    read_first,
    segments_of,
    stamped_h5,
    zipped_parts,
)
from datasets._unist import SHORT


def as_nodes(values: np.ndarray) -> np.ndarray:
    """[T, C, H, W] to [T, H x W, C + 1], cell by cell."""
    table = np.zeros((len(values), H * W, values.shape[1] + 1))
    for t in range(len(values)):
        for r in range(H):
            for c in range(W):
                table[t, r * W + c] = [*values[t, :, r, c], round(t % 48 / 48, 5)]
    return table


# ---------------------------------------------------------------- npz


def test_nodes_become_rows_and_columns_of_the_grid(tmp_path: Path) -> None:
    values = counts()
    np.savez(tmp_path / "toy.npz", data=as_nodes(values))
    found = read_first(CARD, tmp_path, (nodes("toy.npz"),))
    same(found, values)
    assert found.layout == "npz"


def test_times_of_day_that_do_not_start_at_midnight_are_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "toy.npz", data=np.roll(as_nodes(counts()), 5, axis=0))
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "midnight")


def test_pieces_join_end_to_end_from_files_and_from_the_authors_archive(tmp_path: Path) -> None:
    values = counts()
    pieces = {"v_train.npz": values[:60], "v_test.npz": values[60:]}
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name, piece in pieces.items():
            buffer = io.BytesIO()
            np.savez(buffer, volume=np.moveaxis(piece, 1, -1))
            (tmp_path / name).write_bytes(buffer.getvalue())
            archive.writestr(f"somewhere/{name}", buffer.getvalue())
    same(read_first(CARD, tmp_path, (parts("stdn", "volume", *pieces),)), values)
    same(read_first(CARD, tmp_path, (zipped_parts("stdn", "volume", "data.zip", *pieces),)), values)


def test_an_archive_without_the_wanted_member_is_one_sentence(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("other.txt", "")
    layout = zipped_parts("stdn", "volume", "data.zip", "v_train.npz")
    the_error(lambda: read_first(CARD, tmp_path, (layout,)), "0 files called v_train.npz")


def test_a_truncated_npz_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    np.savez(path, data=as_nodes(counts()))
    whole = path.read_bytes()
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), str(path), "get the file again")


def test_a_npz_with_one_changed_byte_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    np.savez(path, data=as_nodes(counts()))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "CRC")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the file's code ran",))


@pytest.mark.parametrize("name", ["toy.npz", "toy.npy"])
def test_a_pickled_object_array_is_refused_and_never_run(tmp_path: Path, name: str) -> None:
    objects = np.array([Trap()], dtype=object)
    save = (lambda path: np.savez(path, data=objects)) if name.endswith("z") else (lambda path: np.save(path, objects))
    save(tmp_path / name)
    layout = nodes(name) if name.endswith("z") else plain_npy(name)
    the_error(lambda: read_first(CARD, tmp_path, (layout,)), "bject arrays")


def test_a_bare_pickle_under_an_npz_name_is_refused_and_never_run(tmp_path: Path) -> None:
    (tmp_path / "toy.npz").write_bytes(pickle.dumps(Trap()))
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "cannot be read")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"other": np.zeros(3)}, ("'other'", "'data'")),
        ({"data": np.zeros((T, H * W))}, ("shape [96, 12]", "[any, 12, 3]")),
        ({"data": np.zeros((T, H * W + 1, 3))}, ("[96, 13, 3]",)),
        ({"data": np.zeros((T - 1, H * W, 3))}, ("95 slots", "96")),
        ({"data": np.array(["text"])}, ("dtype", "wanted integers or floats")),
        ({"data": np.zeros((T, H * W, 3), dtype=complex)}, ("dtype complex128",)),
    ],
)
def test_an_npz_of_another_content_says_what_was_found_and_wanted(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: Sequence[str]
) -> None:
    np.savez(tmp_path / "toy.npz", **arrays)  # type: ignore[arg-type]
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), *words)


def test_a_bare_array_under_an_npz_name_is_one_sentence(tmp_path: Path) -> None:
    with (tmp_path / "toy.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "bare array")


def test_pieces_of_another_grid_than_the_card_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", flow=np.zeros((T, W, H, C)))
    the_error(lambda: read_first(CARD, tmp_path, (parts("npz", "flow", "a.npz"),)), "grid of 4 x 3", "says 3 x 4")


def test_a_nan_is_an_error_unless_sensors_may_be_silent(tmp_path: Path) -> None:
    values = counts()
    values[7, 1, 2, 3] = np.nan
    np.savez(tmp_path / "toy.npz", data=as_nodes(values))
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "1 NaN among 2304")
    same(read_first(replace(CARD, zero_is_missing=True), tmp_path, (nodes("toy.npz"),)), values)


def test_a_frame_of_zeros_everywhere_is_missing_and_a_quiet_one_is_not(tmp_path: Path) -> None:
    values = counts()
    values[10] = 0
    values[11] = 0
    values[11, 1, 2, 3] = 1
    np.savez(tmp_path / "toy.npz", data=as_nodes(values))
    found = read_first(CARD, tmp_path, (nodes("toy.npz"),)).values
    assert np.flatnonzero(np.isnan(found).all(axis=(1, 2, 3))).tolist() == [10]
    np.testing.assert_array_equal(np.nan_to_num(found), values)


# ---------------------------------------------------------------- HDF5


def write_h5(path: Path, values: np.ndarray, stamps: Sequence[str], *, data: str = "data", date: str = "date") -> None:
    with h5py.File(path, "w") as file:
        file[data] = values
        file[date] = np.array([stamp.encode() for stamp in stamps])


def stamps_from(day: str, slots: int, first: int = 0) -> list[str]:
    start = np.datetime64(day)
    return [f"{str(start + (first + t) // 48).replace('-', '')}{(first + t) % 48 + 1:02d}" for t in range(slots)]


def test_hdf5_slots_count_from_one_and_pieces_sort_by_time_into_segments(tmp_path: Path) -> None:
    values = counts()
    write_h5(tmp_path / "a.h5", values[50:], stamps_from("2016-07-09", 46))
    write_h5(tmp_path / "b.h5", values[:50], stamps_from("2016-07-01", 50))
    found = read_first(CARD, tmp_path, (stamped_h5("a.h5", "b.h5"),))
    clock = [[t % 48, (4 + t // 48) % 7] for t in range(50)] + [[t % 48, (5 + t // 48) % 7] for t in range(46)]
    same(found, values, np.array(clock))
    assert found.segments == ((0, 50), (50, 96))
    assert found.layout == "h5"


def test_a_gap_inside_an_hdf5_file_begins_a_segment(tmp_path: Path) -> None:
    stamps = stamps_from("2016-07-01", 100)
    write_h5(tmp_path / "a.h5", counts(), stamps[:30] + stamps[34:])
    assert read_first(CARD, tmp_path, (stamped_h5("a.h5"),)).segments == ((0, 30), (30, 96))


@pytest.mark.parametrize(
    ("stamps", "word"),
    [
        (["2016070100", *stamps_from("2016-07-01", T)[1:]], "'2016070100'"),
        (["2016070149", *stamps_from("2016-07-01", T)[1:]], "'2016070149'"),
        (["20160701xx", *stamps_from("2016-07-01", T)[1:]], "YYYYMMDD"),
        (["2016023101", *stamps_from("2016-07-01", T)[1:]], "no date"),
        (stamps_from("2016-07-01", T)[::-1], "wanted forward steps"),
        (["2016070101"] * T, "steps by 0 minutes"),
        (stamps_from("2016-07-01", T - 1), "wanted [95, 2, any, any]"),
    ],
)
def test_hdf5_time_stamps_that_make_no_series_are_one_sentence(tmp_path: Path, stamps: list[str], word: str) -> None:
    write_h5(tmp_path / "a.h5", counts(), stamps)
    the_error(lambda: read_first(CARD, tmp_path, (stamped_h5("a.h5"),)), word)


@pytest.mark.parametrize("missing", ["data", "date"])
def test_hdf5_without_a_key_names_what_it_holds(tmp_path: Path, missing: str) -> None:
    write_h5(tmp_path / "a.h5", counts(), stamps_from("2016-07-01", T), **{missing: "other"})
    the_error(lambda: read_first(CARD, tmp_path, (stamped_h5("a.h5"),)), "'other'", f"'{missing}'")


def test_hdf5_that_leads_to_another_file_is_not_followed(tmp_path: Path) -> None:
    write_h5(tmp_path / "other.h5", counts(), stamps_from("2016-07-01", T))
    (tmp_path / "secret").write_bytes(counts().tobytes())
    write_h5(tmp_path / "a.h5", counts(), stamps_from("2016-07-01", T))

    def by_link(file: h5py.File) -> None:
        file["data"] = h5py.ExternalLink("other.h5", "/data")

    def by_storage(file: h5py.File) -> None:
        size = T * C * H * W * 8
        file.create_dataset("data", (T, C, H, W), "f8", external=[(str(tmp_path / "secret"), 0, size)])

    for lead in (by_link, by_storage):
        with h5py.File(tmp_path / "a.h5", "a") as file:
            del file["data"]
            lead(file)
        the_error(lambda: read_first(CARD, tmp_path, (stamped_h5("a.h5"),)), "in the file itself")


def test_a_truncated_hdf5_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_h5(path, counts(), stamps_from("2016-07-01", T))
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:length])
        the_error(lambda: read_first(CARD, tmp_path, (stamped_h5("a.h5"),)), "an HDF5 file")


@given(st.lists(st.integers(1, 4), max_size=30), st.integers(0, 1000))
def test_segments_tile_time_and_break_exactly_at_gaps(steps: list[int], first: int) -> None:
    minutes = 30 * np.cumsum([first, *steps])
    segments = segments_of(minutes, 30, Path("x"))
    slow, begin = [], 0
    for t, step in enumerate(steps, start=1):
        if step != 1:
            slow.append((begin, t))
            begin = t
    assert segments == (*slow, (begin, len(minutes)))


# ---------------------------------------------------------------- npy


def test_plain_arrays_come_as_grids_or_as_rows_of_cells(tmp_path: Path) -> None:
    values = counts(1)
    for stored in (values[:, 0].astype(np.int32), values.reshape(T, H * W, 1)):
        np.save(tmp_path / "a.npy", stored)
        same(read_first(ONE, tmp_path, (plain_npy("a.npy"),)), values)
    np.save(tmp_path / "a.npy", values.reshape(T, 1, H * W))
    the_error(lambda: read_first(ONE, tmp_path, (plain_npy("a.npy"),)), "shape [96, 1, 12]")


def test_without_a_known_calendar_the_clock_starts_on_a_monday(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counts(1)[:, 0])
    found = read_first(replace(ONE, start=None), tmp_path, (plain_npy("a.npy"),))
    assert found.clock[[0, 47, 48]].tolist() == [[0, 0], [47, 0], [0, 1]]


def test_weekdays_beside_an_array_count_sunday_as_nought_or_seven(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counts(1)[:, 0])
    for sunday in (0, 7):
        stamps = [(6 if t < 48 else sunday, t % 48) for t in range(T)]
        np.save(tmp_path / "ts.npy", np.array(stamps))
        found = read_first(ONE, tmp_path, (clocked_npy("a.npy", "ts.npy"),))
        assert found.clock[[0, 47, 48, 95]].tolist() == [[0, 5], [47, 5], [0, 6], [47, 6]]


# ---------------------------------------------------------------- choosing a layout


def test_unknown_files_are_named_beside_what_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("")
    the_error(lambda: read_first(CARD, tmp_path, (nodes("toy.npz"),)), "holiday.txt", "a toy")


def test_an_incomplete_layout_is_an_error_that_says_what_to_get(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", flow=np.zeros(3))
    layouts: tuple[Layout, ...] = (parts("npz", "flow", "a.npz", "b.npz"),)
    the_error(lambda: read_first(CARD, tmp_path, layouts), "no file for 'b.npz'", "make it")


def test_two_files_for_one_part_are_an_error(tmp_path: Path) -> None:
    for name in ("a_short.json", "b_short.json"):
        (tmp_path / name).write_text("{}")
    the_error(lambda: read_first(CARD, tmp_path, (SHORT,)), "a_short.json and b_short.json")
