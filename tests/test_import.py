from __future__ import annotations

import os
import re
import shutil
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import import_card
from bench.data_import import import_array, read_imported
from bench.errors import BenchError, ConfigError, DataError
from bench.import_card import ImportCard

DATA = Path(os.environ.get("STBENCH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
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

    def refuses(self, file: Path, pattern: str, kind: type[BenchError] = DataError, **options: Any) -> None:
        """Check that the import fails with one sentence and leaves nothing behind."""
        before = files(self.data)
        with pytest.raises(kind, match=pattern) as caught:
            import_array(file, self.card, self.data, **options)
        assert "\n" not in str(caught.value)
        assert files(self.data) == before


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "TCHW": lambda x: x,
    "THWC": lambda x: x.transpose(0, 2, 3, 1),
    "TNC": lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), 6, -1),
    "THW": lambda x: x[:, 0],
    "TN": lambda x: x[:, 0].reshape(len(x), 6),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
def test_every_layout_and_file_type_comes_back_as_it_was(layout: str, suffix: str, desk: Desk) -> None:
    channels = ["in", "out"] if "C" in layout else ["in"]
    desk.say(f'layout = "{layout}"', f"channels = {channels}")
    array = LAYOUTS[layout](series(len(channels)))
    file = desk.folder / f"array.{suffix}"
    if suffix == "npy":
        np.save(file, array)
    elif suffix == "npz":
        np.savez(file, flow=array)
    else:
        np.savetxt(file, array.reshape(len(array), -1), delimiter=",")
    assert np.array_equal(desk.read(file), series(len(channels)))


def test_the_card_says_everything_to_the_harness(desk: Desk) -> None:
    desk.say('start = "2024-01-05T12:00"', 'unit = "passengers"', 'title = "City bus"', "mape_threshold = 1.5")
    card, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    assert folder == desk.data / "citybus"
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "data.npz"]
    assert list(desk.data.iterdir()) == [folder]
    read, raw = read_imported(folder)
    assert read == card
    assert (card.title, card.unit, card.mape_threshold, card.slots) == ("City bus", "passengers", 1.5, 7)
    assert (card.grid, card.channels, card.start, card.interval) == ((2, 3), ("value",), "2024-01-05T12:00:00", 30)
    assert raw.clock.tolist() == [[24 + t, 4] for t in range(7)]  # a Friday at noon
    assert raw.layout == "import"


def test_the_clock_turns_the_day_and_the_week(desk: Desk) -> None:
    desk.say('start = "2024-01-07T23:00"')
    _, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    assert read_imported(folder)[1].clock[:4].tolist() == [[46, 6], [47, 6], [0, 0], [1, 0]]


def test_the_example_in_the_docstring_is_a_card_and_shows_the_defaults() -> None:
    text = re.search(r"can be::\n\n((?:    .*\n)+)", import_card.__doc__ or "")
    assert text is not None
    example = tomllib.loads(textwrap.dedent(text.group(1)))
    card = ImportCard.model_validate(example)
    assert set(example) == set(ImportCard.model_fields)
    least = ImportCard.model_validate({key: example[key] for key in ("name", "interval", "grid", "start", "header")})
    assert card == least


def test_a_folder_laid_out_by_hand_is_read_in_its_own_layout(tmp_path: Path) -> None:
    folder = tmp_path / "citybus"
    folder.mkdir()
    (folder / "card.toml").write_text(MINIMAL + 'layout = "TN"\nkey = "flow"\n')
    np.savez(folder / "data.npz", flow=series(1).reshape(7, 6), other=np.zeros(3))
    assert np.array_equal(read_imported(folder)[1].values, series(1))


def test_a_folder_whose_card_names_another_data_set_is_refused(desk: Desk) -> None:
    _, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    folder.rename(desk.data / "tram")
    with pytest.raises(ConfigError, match="names 'citybus', but its folder is 'tram'"):
        read_imported(desk.data / "tram")


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


@pytest.mark.parametrize("header", ["", "a,b,c,d,e,f\n", "x,0,1,2,3,4\n"])
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


@pytest.mark.parametrize("change", ["drop", "swap", "repeat"])
def test_a_csv_with_a_gap_in_time_is_one_sentence(change: str, desk: Desk) -> None:
    times = half_hours(8)
    if change == "drop":
        del times[3]
    elif change == "swap":
        times[3], times[4] = times[4], times[3]
    else:
        times[4] = times[3]
    desk.refuses(desk.csv(timed(times)), "gap in time: 2024-01-06 .* is followed by .* a step of 30 minutes is wanted")


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
        ("1,2,3,4,5,5\n1,2,3,4,5,6,7\n", "cannot be read as CSV"),
        ("1,2,3,4,4\n1,2,3,4,5\n", r"has 5 value columns where TCHW of \(1, 2, 3\) wants 6"),
        ("a,b,c,d,e,f\n1,2,x,4,5,6\n", r"something else than numbers in value column 3 \(c\)"),
        ("t,a,b,c,d,e,f\nyesterday,1,2,3,4,5,6\n", "neither numbers nor ISO times"),
        ("t,a,b,c,d,e,f\n2024-01-01T00:00Z,1,2,3,4,5,6\n", "time zone"),
        ("t,a,b,c,d,e,f\n2024-01-01T00:07,1,2,3,4,5,6\n", "not a whole number of 30-minute slots"),
        ("a,b,c,d,e,f\n", "has shape|numbers"),
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
        desk.refuses(file, "not a readable .npz or .npy of plain numbers")


def test_pickled_objects_are_refused_and_never_unpickled(desk: Desk) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return Path.touch, (desk.folder / "sprung",)  # type: ignore[return-value]

    desk.refuses(desk.npy(np.array([Trap()], dtype=object)), "Python objects")
    assert not (desk.folder / "sprung").exists()


@pytest.mark.parametrize("shape", [(7, 1, 3, 2), (7, 2, 2, 3), (7, 2, 3), (6,), (0, 1, 2, 3), ()])
def test_a_wrong_shape_says_what_was_found_and_wanted(shape: tuple[int, ...], desk: Desk) -> None:
    desk.refuses(desk.npy(np.zeros(shape)), re.escape(f"has shape {shape} where TCHW wants (T, 1, 2, 3)"))


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
    desk.refuses(desk.npy(series(1) - 1), "negative values down to -1.0; say nonnegative = false")
    desk.say("nonnegative = false")
    assert desk.read(desk.npy(series(1) - 1)).min() == -1


def test_of_several_arrays_the_card_names_one(desk: Desk) -> None:
    file = desk.folder / "array.npz"
    np.savez(file, flow=series(1), speed=np.zeros(3))
    desk.refuses(file, "holds flow, speed where one array only is wanted; name it as key")
    desk.say('key = "trips"')
    desk.refuses(file, "holds flow, speed where 'trips' is wanted")
    desk.say('key = "flow"')
    assert np.array_equal(desk.read(file), series(1))


def test_a_file_that_is_not_there_is_one_sentence(desk: Desk) -> None:
    for name in ("absent.npz", "absent.csv"):
        desk.refuses(desk.folder / name, f"^there is no file .*{name}; give")


@pytest.mark.parametrize("text", ["1;2;3;4;5;6\n", "a;b;c;d;e;f\n1,5;2;3;4;5;6\n", "1,5;2,5;3,5;4,5;5,5;6,5\n"])
def test_a_csv_with_semicolons_is_one_short_sentence(text: str, desk: Desk) -> None:
    desk.say('layout = "TN"')
    desk.refuses(desk.csv(text), "array.csv has semicolons in its first line; write it with commas")


def test_a_semicolon_in_a_quoted_name_is_no_separator(desk: Desk) -> None:
    desk.say('layout = "TN"')
    assert desk.read(desk.csv('"a;1",b,c,d,e,f\n1,2,3,4,5,6\n')).ravel().tolist() == [1, 2, 3, 4, 5, 6]


# --- cards


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ('colour = "red"', "colour .*not permitted"),
        ('layout = "HWTC"', "layout .*found 'HWTC'"),
        ('start = "soon"', "start .*found 'soon'"),
        ("start = 20240101", "start .*date-time such as"),
        ('start = "2024-01-01T00:00Z"', "start .*timezone"),
        ('start = "2024-01-01T00:10"', "not a whole number of 30-minute slots"),
        ("channels = []", "channels"),
        ('channels = ["in", "in"]', r"channels = \['in', 'in'\] names one twice"),
        ('layout = "TN"\nchannels = ["a", "b"]', "layout TN has no C, but there are 2 channels"),
        ("mape_threshold = -1", "mape_threshold"),
        ('missing = "zero"', "missing .*found 'zero'"),
        ("key = [", "not TOML"),
    ],
)
def test_a_wrong_line_of_the_card_is_named(line: str, pattern: str, desk: Desk) -> None:
    desk.say(line)
    desk.refuses(desk.npy(series(1)), pattern, ConfigError)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ('name = "citybus"\ninterval = 30\n', "grid Field required"),
        ('name = "citybus"\ninterval = 7\ngrid = [2, 3]\n', "interval = 7 does not divide a day"),
        ('name = "citybus"\ninterval = 30\ngrid = [2, 0]\n', "grid.1 .*greater than 0"),
        ('name = "../bus"\ninterval = 30\ngrid = [2, 3]\n', "name .*found '../bus'"),
        ('name = "City"\ninterval = 30\ngrid = [2, 3]\n', "name .*found 'City'"),
        ('name = "bus\\n"\ninterval = 30\ngrid = [2, 3]\n', "name "),
        ('name = "taxibj"\ninterval = 30\ngrid = [2, 3]\n', "'taxibj' exists already in the benchmark"),
    ],
)
def test_a_card_that_does_not_validate_is_one_sentence(text: str, pattern: str, desk: Desk) -> None:
    desk.card.write_text(text)
    desk.refuses(desk.npy(series(1)), pattern, ConfigError)


def test_a_card_that_is_not_there_is_one_sentence(desk: Desk) -> None:
    desk.card.unlink()
    desk.refuses(desk.npy(series(1)), "cannot be read", ConfigError)


# --- what is there already


def test_an_import_is_replaced_only_by_force(desk: Desk) -> None:
    desk.read(desk.npy(series(1)))
    desk.refuses(desk.npy(series(1) + 1), "add --force", ConfigError)
    assert np.array_equal(desk.read(desk.npy(series(1) + 1), force=True), series(1) + 1)
    assert sorted(path.name for path in desk.data.iterdir()) == ["citybus"]


def test_a_bad_array_does_not_replace_a_good_one_even_by_force(desk: Desk) -> None:
    desk.read(desk.npy(series(1)))
    desk.refuses(desk.npy(series(2)), "has shape", force=True)
    assert np.array_equal(read_imported(desk.data / "citybus")[1].values, series(1))


def test_files_of_someone_else_are_never_replaced(desk: Desk) -> None:
    (desk.data / "citybus").mkdir(parents=True)
    (desk.data / "citybus" / "thesis.docx").write_bytes(b"years of work")
    desk.refuses(desk.npy(series(1)), "holds thesis.docx, which no import wrote", ConfigError, force=True)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_grid_of_counts_comes_back_exactly(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    slots, channels, rows, columns = (data.draw(st.integers(1, 4)) for _ in range(4))
    layout = data.draw(st.sampled_from(["TCHW", "THWC", "TNC"]))
    array = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 2**20, (slots, channels, rows, columns))
    folder = tmp_path_factory.mktemp("import")
    names = [f"c{n}" for n in range(channels)]
    (folder / "my.toml").write_text(
        f'name = "bus"\ninterval = 60\ngrid = [{rows}, {columns}]\nchannels = {names}\nlayout = "{layout}"\n'
    )
    stored = array if layout == "TCHW" else array.transpose(0, 2, 3, 1)
    np.save(folder / "a.npy", stored.reshape(slots, rows * columns, channels) if layout == "TNC" else stored)
    _, made = import_array(folder / "a.npy", folder / "my.toml", folder / "data")
    assert np.array_equal(read_imported(made)[1].values, array)
    shutil.rmtree(folder)


# --- real data


@pytest.mark.skipif(not (DATA / "bikedc").is_dir(), reason="the raw data are not there; set STBENCH_DATA")
def test_a_real_array_of_bike_demand_is_imported_unchanged(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.card.write_text('name = "bikes"\ninterval = 30\ngrid = [20, 20]\nlayout = "TNC"\n')
    array = np.load(DATA / "bikedc" / "BikeDC.npy")
    if array.ndim == 3 and array.shape[1:] == (20, 20):
        desk.card.write_text('name = "bikes"\ninterval = 30\ngrid = [20, 20]\nlayout = "THW"\n')
    values = desk.read(DATA / "bikedc" / "BikeDC.npy")
    assert values.shape == (1440, 1, 20, 20)
    assert np.array_equal(values.ravel(), array.ravel())
    assert values.max() == 134


@pytest.mark.skipif(not (DATA / "los_speed").is_dir(), reason="the raw data are not there; set STBENCH_DATA")
def test_a_real_csv_of_speeds_is_imported_unchanged(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.card.write_text('name = "roads"\ninterval = 5\ngrid = [9, 23]\nlayout = "TN"\nstart = "2012-03-01"\n')
    desk.refuses(DATA / "los_speed" / "los_speed.csv", "say header = true")
    desk.card.write_text(desk.card.read_text() + "header = true\n")
    values = desk.read(DATA / "los_speed" / "los_speed.csv")
    reference = np.genfromtxt(DATA / "los_speed" / "los_speed.csv", delimiter=",", skip_header=1, dtype=np.float32)
    assert np.array_equal(values.reshape(2016, 207), reference)
