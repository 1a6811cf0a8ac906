"""The files that can be imported: the times and names of a CSV, the values of an array, and how a bad file is told."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from desk import Desk, series
from resident import on_linux, resident_bytes

from bench import mapped
from bench.catalog import numpy_files
from bench.catalog.imported import imported_card, read_imported
from bench.catalog.importing import import_array, wide_csv

# --- CSV


def timed(times: list[str], header: str | None = "time,a,b,c,d,e,f") -> str:
    rows = [
        f"{time},{','.join(f'{value:g}' for value in row)}"
        for time, row in zip(times, series(1).reshape(7, 6), strict=False)
    ]
    return "\n".join(([header] if header else []) + rows) + "\n"


def half_hours(count: int = 7, start: str = "2024-01-05 23:00") -> list[str]:
    return [str(time) for time in pd.date_range(start, periods=count, freq="30min")]


@pytest.mark.parametrize("header", ["time,a,b,c,d,e,f", "time,0,1,2,3,4,5", '"t","a","b","c","d","e","f"', None])
def test_a_column_of_times_sets_the_start_with_or_without_a_header(header: str | None, desk: Desk) -> None:
    card, folder = import_array(desk.csv(timed(half_hours(), header)), desk.card, desk.data)
    assert card.start == "2024-01-05T23:00:00"
    again, raw = read_imported(folder)
    assert again == card
    assert np.array_equal(raw.values, series(1))
    assert raw.clock[0].tolist() == [46, 4]


@pytest.mark.parametrize("header", ["", "a,b,c,d,e,f\n", "north,0,south,2,mean,4\n"])
def test_a_plain_matrix_may_have_a_header(header: str, desk: Desk) -> None:
    rows = "".join(",".join(f"{v:.1f}" for v in row) + "\n" for row in series(1).reshape(7, 6))
    assert np.array_equal(desk.read(desk.csv(header + rows)), series(1))


def test_a_first_line_that_may_be_names_or_numbers_is_asked_about(desk: Desk) -> None:
    file = desk.csv("0,1,2,3,4,5\n1,1,2,3,4,5\n")
    desk.refuses(file, "say header = true or header = false")
    desk.say("header = true")
    assert desk.read(file).shape == (1, 1, 2, 3)
    desk.say("header = false")
    assert desk.read(file, force=True).shape == (2, 1, 2, 3)


def test_numbers_survive_a_csv_to_the_last_bit(desk: Desk) -> None:
    values = np.random.default_rng(0).gamma(1.0, 10.0, (50, 6)).astype(np.float32)
    text = "".join(",".join(repr(float(v)) for v in row) + "\n" for row in values)
    assert np.array_equal(desk.read(desk.csv(text)).reshape(50, 6), values)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ("drop", "gap in time: 2024-01-06 .* is followed by .* a step of 30 minutes is wanted"),
        ("swap", r"gap in time: 2024-01-06 00:00:00 is followed by 2024-01-06 01:00:00 \(row 4\)|not in order of time"),
        ("repeat", r"has the time 2024-01-06 00:30:00 twice \(rows 4 and 5\); leave one row for each time"),
    ],
)
def test_times_that_do_not_follow_each_other_are_one_sentence(change: str, pattern: str, desk: Desk) -> None:
    times = half_hours(8)
    if change == "drop":
        del times[3]
    elif change == "swap":
        times[3], times[4] = times[4], times[3]
    else:
        times[4] = times[3]
    desk.refuses(desk.csv(timed(times)), pattern)


def test_a_start_that_contradicts_the_times_is_one_sentence(desk: Desk) -> None:
    desk.say('start = "2024-01-01"')
    desk.refuses(desk.csv(timed(half_hours())), "starts at 2024-01-05 23:00:00, but the card says 2024-01-01")


def test_a_start_that_agrees_with_the_times_is_welcome(desk: Desk) -> None:
    desk.say("start = 2024-01-05T23:00:00")
    assert np.array_equal(desk.read(desk.csv(timed(half_hours()))), series(1))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", "cannot be read as CSV"),
        ("1,2,3,4,5,5\n1,2,3,4,5,6\n1,2,3,4,5,6,7\n", "7 cells in line 3 where the rows before have 6"),
        ("1,2,3,4,5,5\n1,2,3,4,5\n", "5 cells in line 2 where the rows before have 6"),
        ("1,2,3,4,4\n1,2,3,4,5\n", r"has 5 value columns where TCHW of \(1, 2, 3\) wants 6"),
        ("a,b,c,d,e,f\n1,2,x,4,5,6\n", "has 'x' in line 2, column \"c\", which is neither a number"),
        (
            "t,a,b,c,d,e,f\nyesterday,1,2,3,4,5,6\n",
            "has 'yesterday' in line 2, column \"t\", which is neither a number nor a time",
        ),
        ("t,a,b,c,d,e,f\n2024-01-01T00:00Z,1,2,3,4,5,6\n", "time zone"),
        ("t,a,b,c,d,e,f\n2024-01-01T00:07,1,2,3,4,5,6\n", "not a whole number of 30-minute slots"),
        ("a,b,c,d,e,f\n", "holds a header and no rows"),
    ],
)
def test_a_csv_that_is_not_what_the_card_says_is_one_sentence(text: str, pattern: str, desk: Desk) -> None:
    desk.refuses(desk.csv(text), pattern)


# --- arrays


def test_a_truncated_npz_is_one_sentence_and_leaves_nothing(desk: Desk) -> None:
    np.savez(desk.folder / "whole.npz", series(1))
    whole = (desk.folder / "whole.npz").read_bytes()
    file = desk.folder / "cut.npz"
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:length])
        desk.refuses(file, "not a readable .npz or .npy of plain numbers .* write it again with numpy.savez$")
    file = desk.npy(series(1))
    file.write_bytes(file.read_bytes()[:-1])
    desk.refuses(file, "not a readable .npz or .npy of plain numbers .* write it again with numpy.save$")


def test_pickled_objects_are_refused_and_never_unpickled(desk: Desk) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return Path.touch, (desk.folder / "sprung",)  # type: ignore[return-value]

    desk.refuses(desk.npy(np.array([Trap()], dtype=object)), "Python objects")
    assert not (desk.folder / "sprung").exists()


@pytest.mark.parametrize("shape", [(7, 1, 3, 2), (7, 2, 2, 3), (7, 2, 3), (6,), (0, 1, 2, 3), ()])
def test_a_wrong_shape_says_what_was_found_and_wanted(shape: tuple[int, ...], desk: Desk) -> None:
    desk.refuses(desk.npy(np.zeros(shape)), re.escape(f"has shape {shape} where TCHW wants (T, 1, 2, 3)"))


def test_an_array_on_another_grid_is_offered_that_grid_first(desk: Desk) -> None:
    desk.refuses(desk.npy(np.zeros((7, 1, 3, 2))), r"; say grid = \[3, 2\] in the card if .*, or say layout = \"TCWH\"")


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]"])
def test_something_else_than_numbers_is_refused(dtype: str, desk: Desk) -> None:
    desk.refuses(desk.npy(np.zeros((7, 1, 2, 3)).astype("int64").astype(dtype)), "plain numbers are wanted")


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_float32_cannot_hold_is_refused(value: float, desk: Desk) -> None:
    array = series(1).astype(np.float64)
    array[3, 0, 1, 1] = value
    desk.say("nonnegative = false")
    desk.refuses(desk.npy(array), "infinite")


def test_nan_is_an_error_unless_the_card_expects_it(desk: Desk) -> None:
    array = series(1)
    array[2, 0, 1, 1] = np.nan
    desk.refuses(desk.npy(array), 'holds 1 NaN; fill them, or say missing = "nan"')
    desk.say('missing = "nan"')
    assert np.array_equal(desk.read(desk.npy(array)), array, equal_nan=True)


def test_an_empty_csv_cell_is_a_missing_value(desk: Desk) -> None:
    desk.say('missing = "nan"')
    values = desk.read(desk.csv("1,,3,3,5,6\n1,2,3,4,5,\n")).reshape(2, 6)
    assert np.argwhere(np.isnan(values)).tolist() == [[0, 1], [1, 5]]


def test_a_negative_value_is_an_error_unless_the_card_allows_it(desk: Desk) -> None:
    desk.refuses(desk.npy(series(1) - 1), r"holds 1 negative value \(2.4 %\) -1; say missing = \[-1\]")
    desk.say("nonnegative = false")
    assert desk.read(desk.npy(series(1) - 1)).min() == -1


def test_of_several_arrays_the_card_names_one(desk: Desk) -> None:
    file = desk.folder / "array.npz"
    np.savez(file, flow=series(1), speed=np.zeros((3, 3)))
    desk.refuses(file, "holds flow, speed where one array only is wanted; name it as key")
    desk.say('key = "trips"')
    desk.refuses(file, "holds flow, speed where 'trips' is wanted")
    desk.say('key = "flow"')
    assert np.array_equal(desk.read(file), series(1))


def test_a_file_that_is_not_there_is_one_sentence(desk: Desk) -> None:
    for name in ("absent.npz", "absent.csv"):
        desk.refuses(desk.folder / name, f"^there is no file .*{name}; give")


@pytest.mark.parametrize("text", ["1;2;3;4;5;6.0\n", "a;b;c;d;e;f\n1;2;3;4;5;6\n", "1,0;2,0;3,00;4;5;6\n"])
def test_a_csv_with_semicolons_may_have_decimal_commas(text: str, desk: Desk) -> None:
    desk.say('layout = "TN"')
    assert desk.read(desk.csv(text)).ravel().tolist() == [1, 2, 3, 4, 5, 6]


def test_a_semicolon_in_a_quoted_name_is_no_separator(desk: Desk) -> None:
    desk.say('layout = "TN"')
    assert desk.read(desk.csv('"a;1",b,c,d,e,f\n1,2,3,4,5,6\n')).ravel().tolist() == [1, 2, 3, 4, 5, 6]


# --- in pieces


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slots a piece."""
    monkeypatch.setattr(mapped, "PIECE", 12)
    monkeypatch.setattr(wide_csv, "PIECE", 12)


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed], ids=["npy", "npz", "compressed"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_comes_back_from_pieces_however_it_lies_in_its_file(
    save: Callable[..., None], order: str, desk: Desk
) -> None:
    file = desk.folder / ("array.npy" if save is np.save else "array.npz")
    with file.open("wb") as stream:
        save(stream, np.asarray(series(1).astype(">f8"), order=order))  # type: ignore[call-overload]
    told: list[tuple[int, int]] = []
    _, folder = import_array(file, desk.card, desk.data, on_progress=lambda *far: told.append(far))
    assert np.array_equal(read_imported(folder)[1].values, series(1))
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


@pytest.mark.usefixtures("short_pieces")
def test_a_csv_comes_back_from_pieces_with_its_times(desk: Desk) -> None:
    told: list[tuple[int, int]] = []
    file = desk.csv(timed(half_hours()))
    card, folder = import_array(file, desk.card, desk.data, on_progress=lambda *far: told.append(far))
    assert card.start == "2024-01-05T23:00:00"
    assert np.array_equal(read_imported(folder)[1].values, series(1))
    assert len(told) == 4
    assert told[-1] == (file.stat().st_size, file.stat().st_size)


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("lost", [1, 2, 3, 6])
def test_a_gap_in_time_is_found_within_a_piece_and_between_two(lost: int, desk: Desk) -> None:
    times = half_hours(8)
    before, after = times[lost - 1], times[lost + 1]
    del times[lost]
    desk.refuses(desk.csv(timed(times)), f"gap in time: {before} is followed by {after}")


@pytest.mark.usefixtures("short_pieces")
def test_faults_are_counted_over_all_pieces(desk: Desk) -> None:
    values = series(1) - 3
    desk.refuses(desk.npy(values), r"holds 3 negative values .* down to -3; say nonnegative = false")
    values = series(1)
    values[[0, 3, 6], 0, 1, 1] = np.nan
    desk.refuses(desk.npy(values), "holds 3 NaN")


def test_a_compressed_array_with_a_flipped_bit_is_refused(desk: Desk) -> None:
    file = desk.folder / "array.npz"
    np.savez(file, series(1, slots=500))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    desk.refuses(file, "not a readable .npz or .npy of plain numbers .*CRC")


def test_a_card_is_known_from_the_header_of_the_array(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    monkeypatch.setattr(numpy_files.NumpyFile, "whole", lambda self: pytest.fail("was read"))
    assert imported_card(folder) == made


@on_linux
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_large_array_is_never_in_memory_whole(suffix: str, desk: Desk) -> None:
    desk.card.write_text(desk.card.read_text().replace("[2, 3]", "[64, 64]"))
    values = np.ones((4096, 1, 64, 64), dtype=np.float32)  # 64 MiB
    file = desk.folder / f"array.{suffix}"
    (np.save if suffix == "npy" else np.savez)(file, values)
    before, held = resident_bytes(), []
    tracemalloc.start()
    try:
        import_array(file, desk.card, desk.data, on_progress=lambda *_: held.append(resident_bytes() - before))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(held) < 0.6 * values.nbytes
    assert peak < 0.6 * values.nbytes
