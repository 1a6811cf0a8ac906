"""An import of the user's own array: every layout comes back, the card is checked, nothing of others is replaced."""

from __future__ import annotations

import errno
import os
import re
import shutil
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import MINIMAL, Desk, series
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_grid import the_error

from bench.catalog import import_card, import_layout
from bench.catalog.import_card import ImportCard
from bench.catalog.imported import imported_card, read_imported
from bench.catalog.importing import import_array
from bench.errors import ConfigError

DATA = Path(os.environ.get("STBENCH_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


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
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "data.npy"]
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
    example = {}
    for module in (import_card, import_layout):
        text = re.search(r"::\n\n((?:    .*\n|\n)+)", module.__doc__ or "")
        assert text is not None
        example |= tomllib.loads(textwrap.dedent(text.group(1)))
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


def test_a_folder_with_two_arrays_is_refused(desk: Desk) -> None:
    _, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    np.savez(folder / "data.npz", data=series(1))
    for read in (read_imported, imported_card):
        the_error(lambda read=read: read(folder), "holds both data.npy and data.npz", "move away")


def test_a_folder_whose_card_names_another_data_set_is_refused(desk: Desk) -> None:
    _, folder = import_array(desk.npy(series(1)), desk.card, desk.data)
    folder.rename(desk.data / "tram")
    with pytest.raises(ConfigError, match="names 'citybus', but its folder is 'tram'"):
        read_imported(desk.data / "tram")


# --- cards


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ('colour = "red"', "there is no key 'colour'"),
        ('layout = "HWTQ"', "layout .*found 'HWTQ'"),
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
        ('name = "citybus"\ninterval = 30\n', "grid is missing: say grid = .8, 9. "),
        ('name = "citybus"\ngrid = [2, 3]\n', "interval is missing: say interval = 60 .minutes."),
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
    desk.refuses(desk.npy(series(1) + 1), "exists already; --force, or force=True, replaces it", ConfigError)
    desk.refuses(desk.folder / "gone.csv", "there is no file .*gone.csv")  # which matters more than what is there
    assert np.array_equal(desk.read(desk.npy(series(1) + 1), force=True), series(1) + 1)
    assert sorted(path.name for path in desk.data.iterdir()) == ["citybus"]


def test_an_import_that_cannot_be_put_in_place_leaves_the_old_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.read(desk.npy(series(1)))
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    desk.refuses(desk.npy(series(1) + 1), "No space left on device", force=True)
    monkeypatch.undo()
    assert np.array_equal(read_imported(desk.data / "citybus")[1].values, series(1))


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
