from __future__ import annotations

import io
import json
import os
import pickle  # noqa: TID251 - to make the file that must be refused
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import registry
from bench.errors import DataError
from bench.types import DatasetCard, RawSeries
from datasets._formats import (
    Layout,
    clocked_npy,
    grid_csv,
    nodes,
    parts,
    plain_npy,
    read_first,
    segments_of,
    sensor_csv,
    stamped_h5,
    zipped_parts,
)
from datasets._unist import LONG, SHORT

REAL = Path(os.environ.get("STBENCH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
T, C, H, W = 96, 2, 3, 4
CARD = DatasetCard(
    name="toy",
    title="Toy",
    city="",
    domain="taxi flow",
    grid=(H, W),
    interval=30,
    start="2016-07-01T00:00",  # a Friday
    slots=T,
    channels=("inflow", "outflow"),
    unit="taxis",
    licence="",
    citation="",
    homepage="",
    how_to_get="make it",
    formats=("a toy",),
)
ONE = replace(CARD, channels=("inflow",))
CLOCK = np.array([[t % 48, (4 + t // 48) % 7] for t in range(T)])


def counts(channels: int = C, slots: int = T, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 90, (slots, channels, H, W)).astype(float)


def as_nodes(values: np.ndarray) -> np.ndarray:
    """[T, C, H, W] to [T, H x W, C + 1], cell by cell."""
    table = np.zeros((len(values), H * W, values.shape[1] + 1))
    for t in range(len(values)):
        for r in range(H):
            for c in range(W):
                table[t, r * W + c] = [*values[t, :, r, c], round(t % 48 / 48, 5)]
    return table


def the_error(read: Callable[[], object], *words: str) -> str:
    with pytest.raises(DataError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    assert not message.endswith(".")
    for word in words:
        assert word in message
    return message


def same(found: RawSeries, values: np.ndarray, clock: np.ndarray = CLOCK) -> None:
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.clock, clock)


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


# ---------------------------------------------------------------- CSV


def grid_lines(values: np.ndarray, *, skip: Sequence[int] = ()) -> list[str]:
    times = np.datetime64("2016-07-01T00:00") + 30 * np.arange(len(values)).astype("m8[m]")
    lines = ["dyna_id,type,time,row_id,column_id,inflow,outflow"]
    for r in range(H):
        for c in range(W):
            for t in range(len(values)):
                if t not in skip:
                    inflow, outflow = values[t, :, r, c]
                    lines.append(f"{len(lines) - 1},state,{times[t]}:00Z,{r},{c},{inflow},{outflow}")
    return lines


def read_grid(folder: Path, lines: Sequence[str]) -> RawSeries:
    (folder / "ANY.grid").write_text("\n".join(lines) + "\n")
    return read_first(CARD, folder, (grid_csv("*.grid"),))


def test_a_grid_csv_is_read_whatever_the_order_of_its_lines(tmp_path: Path) -> None:
    values = counts()
    lines = grid_lines(values)
    same(read_grid(tmp_path, lines), values)
    np.random.default_rng(0).shuffle(rest := lines[1:])
    same(read_grid(tmp_path, [lines[0], *rest]), values)


def test_a_grid_csv_may_have_another_span_than_the_card(tmp_path: Path) -> None:
    same(read_grid(tmp_path, grid_lines(counts()[:7])), counts()[:7], CLOCK[:7])


def test_a_csv_with_a_gap_in_time_names_both_ends(tmp_path: Path) -> None:
    message = the_error(lambda: read_grid(tmp_path, grid_lines(counts(), skip=(5, 6))), "gap in time")
    assert "from 2016-07-01T02:00 to 2016-07-01T03:30" in message


def test_a_csv_that_lacks_or_repeats_a_cell_is_one_sentence(tmp_path: Path) -> None:
    lines = grid_lines(counts())
    the_error(lambda: read_grid(tmp_path, lines[:-1]), "1151 lines", "each time and cell once")
    the_error(lambda: read_grid(tmp_path, [*lines[:-1], lines[1]]), "each time and cell once")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda lines: [lines[0].replace("outflow", "out"), *lines[1:]], "wanted 'outflow'"),
        (lambda lines: lines[:1], "no line"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",3,0,"), *lines[2:]], "grid of 4 x 4"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",-1,0,"), *lines[2:]], "negative row_id"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",a,0,"), *lines[2:]], "cannot be read"),
        (lambda lines: [lines[0], lines[1].replace("2016-07-01", "yesterday"), *lines[2:]], "ISO date-time"),
        (lambda lines: [lines[0], lines[1][: lines[1].rindex(",") + 1], *lines[2:]], "1 NaN"),
        (lambda _: ["\x00\xff"], "wanted"),
        (lambda _: [""], "cannot be read"),
    ],
)
def test_a_csv_of_another_content_is_one_sentence(
    tmp_path: Path, change: Callable[[list[str]], list[str]], word: str
) -> None:
    lines = grid_lines(counts())
    the_error(lambda: read_grid(tmp_path, change(lines)), word)


def test_sensors_lie_row_by_row_on_a_canvas_and_the_rest_is_padding(tmp_path: Path) -> None:
    card = replace(ONE, zero_is_missing=True)
    table = np.random.default_rng(0).uniform(1, 70, (T, 10))
    table[4, 3] = np.nan
    lines = [",".join(f"s{n}" for n in range(10))]
    lines += [",".join("" if np.isnan(x) else repr(float(x)) for x in row) for row in table]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    found = read_first(card, tmp_path, (sensor_csv("s.csv"),))
    assert found.cell_mask is not None
    for n in range(H * W):
        r, c = n // W, n % W
        assert found.cell_mask[r, c] == (n < 10)
        np.testing.assert_array_equal(found.values[:, 0, r, c], table[:, n] if n < 10 else np.zeros(T))
    (tmp_path / "s.csv").write_text("\n".join(lines[:-1]))
    the_error(lambda: read_first(card, tmp_path, (sensor_csv("s.csv"),)), "95 slots")
    (tmp_path / "s.csv").write_text("1,2,3\n" * (T + 1))
    the_error(lambda: read_first(card, tmp_path, (sensor_csv("s.csv"),)), "3 sensors")


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


# ---------------------------------------------------------------- UniST


def moments(first: int, slots: int) -> np.ndarray:
    """Minutes since Wednesday 2020-11-11."""
    return 30 * (first + np.arange(slots))


def ids(minutes: np.ndarray) -> list[Any]:
    return (minutes // 30).tolist()


def pairs(minutes: np.ndarray) -> list[Any]:
    return [[(2 + m // 1440) % 7, m % 1440 // 30] for m in minutes.tolist()]


def dates(minutes: np.ndarray) -> list[Any]:
    start = np.datetime64("2020-11-11T00:00")
    return [f"{start + np.timedelta64(int(m), 'm')}:00".replace("T", " ") for m in minutes]


def unist(
    series: Sequence[tuple[np.ndarray, np.ndarray]], stamp: Callable[[np.ndarray], list[Any]], length: int = 12
) -> dict[str, Any]:
    """UniST's content for three splits of (values [T, H, W], minutes [T])."""
    content: dict[str, Any] = {"timestamps": {}}
    for split, (values, minutes) in zip(("train", "val", "test"), series, strict=True):
        starts = [
            i for i in range(len(values) - length + 1) if minutes[i + length - 1] - minutes[i] == 30 * (length - 1)
        ]
        content[f"X_{split}"] = [[values[i : i + length].tolist() for i in starts], []]
        content["timestamps"][split] = [stamp(minutes[i : i + length]) for i in starts]
    return content


def read_unist(folder: Path, content: Any, card: DatasetCard = ONE) -> RawSeries:
    (folder / "Toy_short.json").write_text(json.dumps(content))
    return read_first(card, folder, (SHORT, LONG))


def three(values: np.ndarray, first: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    minutes = moments(first, len(values))
    return [(values[a:b], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]


@pytest.mark.parametrize("stamp", [ids, pairs, dates])
def test_unist_windows_glue_back_into_the_series_they_came_from(
    tmp_path: Path, stamp: Callable[[np.ndarray], list[Any]]
) -> None:
    values = counts(1)
    found = read_unist(tmp_path, unist(three(values[:, 0], 40), stamp))
    same(found, values, np.array([[(40 + t) % 48, (2 + (40 + t) // 48) % 7] for t in range(T)]))
    assert found.segments == ((0, T),)
    assert found.layout == "unist"


@pytest.mark.parametrize("stamp", [ids, dates])
def test_unist_time_that_was_skipped_begins_a_segment(tmp_path: Path, stamp: Callable[[np.ndarray], list[Any]]) -> None:
    values, minutes = counts(1), moments(0, T)
    minutes[30:] += 30 * 500
    minutes[78:] += 30
    pieces = [(values[a:b, 0], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]
    found = read_unist(tmp_path, unist(pieces, stamp))
    np.testing.assert_array_equal(found.values, values)
    assert found.segments == ((0, 30), (30, 78), (78, 96))
    assert found.clock[30].tolist() == [530 % 48, (2 + 530 // 48) % 7]


def test_unist_pairs_may_skip_time_between_splits_only(tmp_path: Path) -> None:
    values, minutes = counts(1), moments(0, T)
    minutes[60:] += 30 * 5
    pieces = [(values[a:b, 0], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]
    found = read_unist(tmp_path, unist(pieces, pairs))
    np.testing.assert_array_equal(found.values, values)
    assert found.segments == ((0, 60), (60, 96))
    minutes[30:] += 30 * 5
    the_error(lambda: read_unist(tmp_path, unist(pieces, pairs)), "minutes apart")


@settings(max_examples=20, deadline=None)
@given(cut=st.tuples(st.integers(4, 40), st.integers(4, 40)), length=st.integers(2, 4), first=st.integers(0, 400))
def test_unist_gluing_undoes_windowing_for_any_split(
    tmp_path_factory: pytest.TempPathFactory, cut: tuple[int, int], length: int, first: int
) -> None:
    values = counts(1, T, seed=first)
    minutes = moments(first, T)
    a, b = cut[0], cut[0] + cut[1]
    pieces = [(values[s, 0], minutes[s]) for s in (slice(0, a), slice(a, b), slice(b, T))]
    for stamp in (ids, pairs):
        found = read_unist(tmp_path_factory.mktemp("u"), unist(pieces, stamp, length))
        np.testing.assert_array_equal(found.values, values)
        assert found.segments == ((0, T),)


def spoil(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = unist(three(counts(1)[:, 0]), ids)
    change(content)
    return content


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda c: c["X_val"][0][3][5][1].__setitem__(2, 1.5), "do not overlap exactly"),
        (lambda c: (c["X_train"][0].pop(3), c["timestamps"]["train"].pop(3)), "begin 60 minutes apart"),
        (lambda c: (c["X_val"][0].reverse(), c["timestamps"]["val"].reverse()), "wanted windows in order"),
        (lambda c: c["timestamps"]["test"][0].__setitem__(4, 0), "not 30 minutes apart"),
        (lambda c: c["timestamps"]["test"].pop(), "7 test windows"),
        (lambda c: c["timestamps"]["test"][0].pop(), "not a regular array"),
        (lambda c: c["timestamps"].pop("val"), "timestamps of shape []"),
        (lambda c: c["timestamps"].update(val=[["x"] * 12] * 7), "neither integers nor dates"),
        (lambda c: c["timestamps"].update(val=[[0.5] * 12] * 7), "neither integers nor dates"),
        (lambda c: c.pop("timestamps"), "timestamps of shape []"),
        (lambda c: c.pop("X_val"), "no X_val"),
        (lambda c: c.update(X_val=[[]]), "shape [0]"),
        (lambda c: c["X_val"][0][0].pop(), "not a regular array"),
        (lambda c: c["X_val"][0][0][0][0].__setitem__(0, "a"), "not a regular array"),
        (lambda c: [c["X_train"][0][i][0][0].__setitem__(0, float("nan")) for i in (0,)], "NaN"),
    ],
)
def test_unist_content_that_is_no_series_is_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], word: str
) -> None:
    the_error(lambda: read_unist(tmp_path, spoil(change)), word)


def test_unist_pairs_of_another_interval_are_refused(tmp_path: Path) -> None:
    content = unist(three(counts(1)[:, 0]), pairs)
    the_error(lambda: read_unist(tmp_path, content, replace(ONE, interval=60)), "slots 0 to 23")


def test_a_unist_grid_that_the_card_does_not_have_is_refused(tmp_path: Path) -> None:
    content = unist(three(counts(1)[:, 0]), ids)
    the_error(lambda: read_unist(tmp_path, content, replace(ONE, grid=(4, 3))), "grid of 3 x 4", "says 4 x 3")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"X_train": 3}'])
def test_broken_json_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "Toy_short.json").write_text(text)
    the_error(lambda: read_first(ONE, tmp_path, (SHORT,)), "Toy_short.json")


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


# ---------------------------------------------------------------- the data sets themselves


@pytest.mark.parametrize("name", registry.dataset_names())
def test_every_card_is_complete(name: str) -> None:
    card = registry.load("dataset", name).CARD
    assert card.name == name
    assert 1440 % card.interval == 0
    assert card.slots % card.slots_per_day == 0 or name == "taxibj"
    assert all(text and "\n" not in text for text in (card.title, card.domain, card.unit, card.licence, card.citation))
    assert card.formats
    assert f"<data dir>/{name}/" in card.how_to_get
    assert all(file.url is None or file.url.startswith("https://") for file in card.files)


def test_the_suite_is_the_papers_ten() -> None:
    suite = {name for name in registry.dataset_names() if registry.load("dataset", name).CARD.in_suite}
    assert suite == {
        *("taxibj", "taxinyc", "taxinyc2", "bikenyc", "bikenyc2"),
        *("tdrive", "crowd", "cellular", "trafficjn", "trafficsh"),
    }


# name, shape, largest value, weekday of the first slot (Monday is 0), silent slots
REAL_FACTS = [
    ("bikenyc", (2880, 2, 10, 20), 307, 4, 0),
    ("taxinyc", (2880, 2, 10, 20), 1289, 3, 0),
    ("taxinyc2", (4320, 2, 16, 12), 1518, 4, 0),
    ("bikenyc2", (4392, 2, 16, 8), 267, 1, 0),
    ("los_speed", (2016, 1, 18, 12), 70, 3, 0),
    ("crowdnj", (504, 1, 20, 28), 15.749975, 0, 0),
    ("flowsh", (672, 1, 20, 20), 1336, 0, 28),
    ("bikedc", (1440, 1, 20, 20), 134, 0, 1),
    ("tdrive", (168, 2, 32, 32), 631, 5, 19),
]


def real(name: str) -> RawSeries:
    folder = REAL / ("tdrive_sample" if name == "tdrive" else name)
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    found: RawSeries = registry.load("dataset", name).read(folder)
    return found


@pytest.mark.parametrize(("name", "shape", "largest", "weekday", "silent"), REAL_FACTS)
def test_real_files_have_the_known_shape_range_and_calendar(
    name: str, shape: tuple[int, ...], largest: float, weekday: int, silent: int
) -> None:
    found = real(name)
    assert found.values.shape == shape
    assert np.nanmax(found.values) == pytest.approx(largest)
    assert found.clock[0].tolist() == [0, weekday]
    assert np.isnan(found.values).all(axis=(1, 2, 3)).sum() == silent
    assert found.segments in (None, ((0, shape[0]),))


@pytest.mark.parametrize(
    "name", ["bikenyc", "taxinyc", "taxinyc2", "bikenyc2", "crowdnj", "flowsh", "bikedc", "tdrive"]
)
def test_neighbours_on_a_real_grid_are_alike(name: str) -> None:
    mean = np.nanmean(real(name).values, axis=(0, 1))
    assert np.corrcoef(mean[1:].ravel(), mean[:-1].ravel())[0, 1] > 0.3
    assert np.corrcoef(mean[:, 1:].ravel(), mean[:, :-1].ravel())[0, 1] > 0.3


def test_the_quietest_day_of_taxinyc2_is_the_blizzard() -> None:
    days = real("taxinyc2").values.reshape(90, -1).sum(axis=1)
    assert np.datetime64("2016-01-01") + days.argmin() == np.datetime64("2016-01-23")


def test_real_flows_sleep_before_dawn() -> None:
    for name in ("bikenyc", "taxinyc", "taxinyc2", "bikenyc2"):
        found = real(name)
        card = registry.load("dataset", name).CARD
        daily = found.values.sum(axis=(1, 2, 3)).reshape(-1, card.slots_per_day).sum(axis=0)
        assert 2 <= daily.argmin() * card.interval / 60 < 6
