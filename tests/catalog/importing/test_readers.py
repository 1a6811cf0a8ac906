"""What all readers share: axes in any order, arrays as channels, pieces, and what is refused before it is read."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from desk import Desk, series

import bench
from bench import mapped
from bench.catalog.imported import read_imported
from bench.catalog.importing import import_array, tables
from bench.catalog.importing.formats import READ
from bench.catalog.importing.summary import facts_of
from bench.errors import BenchError, MissingPackageError

LAYOUTS = ["".join(order) for letters in ("TCHW", "THW", "TCN", "TN") for order in itertools.permutations(letters)]


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 24)
    monkeypatch.setattr(tables, "LINES", 5)


def laid(array: np.ndarray, layout: str) -> np.ndarray:
    """``[T, C, 2, 3]`` in another layout."""
    whole = "TCHW" if "H" in layout else "TCN"
    array = array if "H" in layout else array.reshape(*array.shape[:2], 6)
    array = array if "C" in layout else array[:, 0]
    letters = whole if "C" in layout else whole.replace("C", "")
    return array.transpose([letters.index(letter) for letter in layout])


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_axes_in_any_order_come_back_in_pieces(layout: str, desk: Desk) -> None:
    channels = ["in", "out"] if "C" in layout else ["in"]
    desk.say(f'layout = "{layout}"', f"channels = {channels}")
    array = series(len(channels))
    assert np.array_equal(desk.read(desk.npy(laid(array, layout))), array)
    np.savez_compressed(desk.folder / "array.npz", laid(array, layout))
    assert np.array_equal(desk.read(desk.folder / "array.npz", force=True), array)


@pytest.mark.parametrize("layout", ["TCN", "NT", "WHCT"])
def test_a_folder_laid_out_by_hand_may_have_any_layout(layout: str, desk: Desk) -> None:
    folder = desk.data / "citybus"
    folder.mkdir(parents=True)
    channels = ["in", "out"] if "C" in layout else ["in"]
    desk.say(f'layout = "{layout}"', f"channels = {channels}")
    (folder / "card.toml").write_text(desk.card.read_text())
    np.savez(folder / "data.npz", laid(series(len(channels)), layout))
    card, raw = read_imported(folder)
    assert np.array_equal(raw.values, series(len(channels)))
    assert card.slots == 7


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("kind", ["npz", "h5"])
@pytest.mark.parametrize("axis", [False, True])
def test_several_arrays_are_channels_and_some_of_them_are_used(kind: str, axis: bool, desk: Desk) -> None:
    arrays = {name: series(3)[:, number : number + 1] for number, name in enumerate(["a/in", "a/out", "a/trips"])}
    arrays = arrays if axis else {name: array[:, 0] for name, array in arrays.items()}
    file = desk.folder / f"array.{kind}"
    if kind == "npz":
        np.savez(file, **arrays)
    else:
        with h5py.File(file, "w") as stream:
            for name, array in arrays.items():
                stream.create_dataset(name, data=array, chunks=(3, *array.shape[1:]))
    desk.say('key = ["a/trips", "a/in"]', 'channels = ["trips", "in"]')
    assert np.array_equal(desk.read(file), series(3)[:, [2, 0]])
    desk.say('key = ["a/trips", "a/in"]', 'channels = ["trips", "in"]', 'use_channels = ["in"]')
    assert np.array_equal(desk.read(file, force=True), series(3)[:, [0]])
    desk.say('key = ["a/trips", "a/on"]', 'channels = ["trips", "in"]')
    desk.refuses(file, "holds a/in, a/out, a/trips where 'a/on' is wanted", force=True)
    desk.say('key = ["a/trips", "a/in"]', 'channels = ["trips", "in", "out"]')
    desk.refuses(file, "names 2 for 3 channels", BenchError, force=True)


@pytest.mark.parametrize("name", ["a.foo", "a.pkl", "a.mat", "a.geo", "a.csv.bz2", "a", ".csv"])
def test_a_suffix_that_is_not_read_is_refused_before_a_file_is_looked_at(name: str, desk: Desk) -> None:
    desk.refuses(desk.folder / name, r"is not read; \.npz, \.npy, \.csv")


@pytest.mark.parametrize("suffix", READ)
def test_of_each_kind_a_file_that_is_not_there_is_one_sentence(suffix: str, desk: Desk) -> None:
    desk.refuses(desk.folder / f"absent{suffix}", f"there is no .* {desk.folder}/absent{suffix}")


@pytest.mark.parametrize(
    ("suffix", "package"), [("nc", "xarray"), ("nc", "netCDF4"), ("zarr", "zarr"), ("parquet", "pyarrow")]
)
def test_a_format_whose_package_is_not_installed_names_the_extra(
    suffix: str, package: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = desk.folder / f"a.{suffix}"
    file.mkdir() if suffix == "zarr" else file.touch()
    for name in (package, "h5netcdf"):
        monkeypatch.setitem(sys.modules, name, None)
    desk.refuses(file, rf"needs {package}, which is not installed; pip install .*\[formats\]", MissingPackageError)


def test_links_to_other_files_are_not_followed(desk: Desk) -> None:
    with h5py.File(desk.folder / "other.h5", "w") as stream:
        stream["secret"] = series(1)
    with h5py.File(desk.folder / "a.h5", "w") as stream:
        stream["open"] = series(1)
        stream["values"] = h5py.ExternalLink("other.h5", "secret")
    desk.say('key = "values"')
    desk.refuses(desk.folder / "a.h5", "holds open where 'values' is wanted")


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_long_table_in_any_order_comes_back_from_pieces(suffix: str, desk: Desk) -> None:
    desk.say('channels = ["in", "out"]')
    places = list(itertools.product(pd.date_range("2024-03-01", periods=7, freq="30min"), range(2), range(3)))
    lines = pd.DataFrame(places, columns=["time", "row", "column"])
    lines["out"], lines["in"] = (series(2)[:, channel].ravel() for channel in (1, 0))
    file = desk.folder / f"long.{suffix}"
    shuffled = lines.sample(frac=1, random_state=2)
    shuffled.to_csv(file, index=False) if suffix == "csv" else shuffled.to_parquet(file)
    far: list[tuple[int, int]] = []
    assert np.array_equal(desk.read(file, on_progress=lambda *told: far.append(told)), series(2))
    assert far == sorted(far)
    assert far[-1] == (1000, 1000)
    again = pd.concat([shuffled, shuffled.iloc[:1]])  # in another piece than the first
    again.to_csv(file, index=False) if suffix == "csv" else again.to_parquet(file)
    desk.refuses(file, "has two lines for time", force=True)


@pytest.mark.usefixtures("short_pieces")
def test_a_gap_between_two_pieces_is_filled_once(desk: Desk) -> None:
    desk.say('gaps = "missing"')
    times = pd.date_range("2024-03-01", periods=7, freq="30min")
    values = xr.DataArray(
        series(1)[[0, 1, 2, 3, 5, 6], 0], dims=("time", "row", "column"), coords={"time": times.delete(4)}, name="v"
    )
    values.to_netcdf(desk.folder / "a.nc")
    read = desk.read(desk.folder / "a.nc")
    assert np.isnan(read[4]).all()
    assert np.array_equal(np.delete(read, 4, axis=0), np.delete(series(1), 4, axis=0))


def test_cells_that_the_card_calls_empty_may_hold_anything_and_count_in_nothing(desk: Desk) -> None:
    array = series(1)
    array[:, 0, 1, 2] = np.nan
    desk.refuses(desk.npy(array), "holds 7 NaN")
    desk.say("empty_cells = [5]")
    import_array(desk.npy(array), desk.card, desk.data)
    made = bench.load_dataset("citybus", desk.data, desk.folder / "cache")
    assert made.mask is None
    assert made.cell_mask.ravel().tolist() == [True] * 5 + [False]
    assert not made.values[:, 0, 1, 2].any()
    (facts,) = facts_of(*read_imported(desk.data / "citybus"))
    assert (facts.missing, facts.values, facts.zeros) == (0, 35, 1)
    assert np.isnan(facts.cell_means[1, 2])


def test_something_else_than_data_is_refused_from_python(tmp_path: Path) -> None:
    card = {"name": "citybus", "interval": 30, "grid": [2, 3]}
    with pytest.raises(BenchError, match="the list is not read; give a path, a numpy array"):
        bench.import_data([1, 2], card, tmp_path)
    with pytest.raises(BenchError, match="the card is wrong: interval"):
        bench.import_data(series(1), card | {"interval": "soon"}, tmp_path)
    with pytest.raises(BenchError, match="has 2 times for 7 slots"):
        bench.import_data(series(1), card, tmp_path, times=["2024-03-01T00:00", "2024-03-01T00:30"])
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*too few slots")
@pytest.mark.parametrize("frequency", ["M", "W"])
def test_a_frame_of_periods_has_the_times_at_which_they_begin(tmp_path: Path, frequency: str) -> None:
    periods = pd.period_range("2024-01-01", periods=3, freq=frequency)
    values = pd.DataFrame({"r0c0": [1.0, 2.0, 3.0], "r0c1": [4.0, 5.0, 6.0]}, index=periods)
    keys = {"name": "odd", "interval": "month" if frequency == "M" else "week", "grid": [1, 2]}
    assert bench.import_data(values, keys, tmp_path).start == "2024-01-01T00:00:00"
    assert f'interval = "{keys["interval"]}"' in (tmp_path / "odd" / "card.toml").read_text(encoding="utf-8")
    long = values.rename_axis("time").reset_index().melt("time", var_name="node", value_name="value")
    long["node"] = long["node"].map({"r0c0": 0, "r0c1": 1})
    assert bench.import_data(long, keys | {"layout": "long"}, tmp_path, force=True).start == "2024-01-01T00:00:00"
