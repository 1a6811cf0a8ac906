"""What a script holds: odd frames and arrays are read rightly, or refused in one sentence."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
import xarray as xr

import bench
from bench.catalog.imported import read_imported
from bench.catalog.importing import tables
from bench.errors import BenchError

VALUES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
TURNED = VALUES[:, ::-1].tolist()
TIMES = pd.date_range("2024-03-01", periods=3, freq="h")
WITH_A_GAP = pd.DatetimeIndex(["2024-03-01T00:00", "2024-03-01T01:00", "2024-03-01T03:00"])
CELLS = ["r0c0", "r0c1"]


def wide(**keys: Any) -> pd.DataFrame:
    return pd.DataFrame(VALUES, **{"index": TIMES, "columns": CELLS} | keys)


def long(**columns: Any) -> pd.DataFrame:
    lines = {"time": TIMES.repeat(2), "node": ["a", "b"] * 3, "value": VALUES.ravel()}
    return pd.DataFrame(lines | columns)


READ: dict[str, tuple[Callable[[], Any], list[list[float]], str]] = {
    "columns of two levels": (lambda: wide(columns=pd.MultiIndex.from_tuples([(0, 1), (0, 0)])), TURNED, ""),
    "columns of whole numbers with a point": (lambda: wide(columns=[1.0, 0.0]), TURNED, ""),
    "an index of times of any name": (lambda: wide(index=pd.Index(TIMES, name="Zeit")), VALUES.tolist(), ""),
    "an index of texts without a name": (lambda: wide(index=[*map(str, TIMES)]), VALUES.tolist(), ""),
    "long lines in another order": (lambda: long().iloc[[4, 5, 2, 3, 0, 1]], VALUES.tolist(), ""),
    "names of sensors as floats": (lambda: long(node=[1114091.0, 1114092.0] * 3), TURNED, "1114092,0,0\n1114091,0,1"),
    "an index of two levels": (lambda: long().set_index(["time", "node"]), VALUES.tolist(), ""),
    "numbers of decimal": (lambda: wide().map(Decimal), VALUES.tolist(), ""),
    "numbers of decimal in long lines": (lambda: long(value=[*map(Decimal, "123456")]), VALUES.tolist(), ""),
}


def with_a_text(place: tuple[int, int], text: str = "n.a.") -> pd.DataFrame:
    frame = wide().astype(object)
    frame.iloc[place] = text
    return frame


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "an index of texts that hides a gap": (lambda: wide(index=[*map(str, WITH_A_GAP)]), "has a gap in time"),
    "an index from which a row was removed": (lambda: wide(index=[0, 1, 3]), "does not count the rows: 3 follows 1"),
    "two columns of one name": (lambda: wide(columns=["a", "a"]), "has two columns called 'a'; rename one"),
    "an index called as a column": (
        lambda: wide(index=pd.Index(TIMES, name="time")).assign(time=TIMES),
        "has two columns called 'time'; rename one",
    ),
    "times as names of columns": (lambda: wide(columns=["2024-03-01", "2024-03-02"]), "turn it around"),
    "two columns of times": (lambda: wide().assign(end=TIMES).reset_index(), r"columns 'index' and 'end'; say which"),
    "complex numbers": (lambda: wide().astype(complex), "'r0c0' of complex128 where numbers are wanted; convert it"),
    "a text among numbers": (lambda: with_a_text((2, 1)), "'n.a.' in column 'r0c1' of row 3 .*say .*missing = .\"n.a."),
    "a column of texts": (lambda: wide().assign(r0c1="x"), "'x' in column 'r0c1' of row 1 .*skip_columns"),
    "a text in long lines": (lambda: long(value=[1, 2, 3, "?", 5, 6]), r"has '\?' in column 'value' of row 4"),
    "a series": (lambda: wide()["r0c0"], r"Series is not read; give a DataFrame, as its .to_frame\(\) is"),
    "a sensor without a name": (lambda: long(node=["a", None] * 3), "has a line without a name in 'node'"),
    "no line": (lambda: long().iloc[:0].astype({"node": float}), "holds a header and no line"),
}


@pytest.mark.filterwarnings("ignore:.*too few slots")
@pytest.mark.parametrize("kind", READ)
def test_an_odd_frame_is_read_rightly(kind: str, tmp_path: Path) -> None:
    make, values, places = READ[kind]
    card: dict[str, Any] = {"name": "odd", "interval": 60, "grid": [1, 2]}
    if places:
        (tmp_path / "nodes.csv").write_text(f"node,row,column\n{places}\n", encoding="utf-8")
        card["nodes"] = str(tmp_path / "nodes.csv")
    made = bench.import_data(make(), card, tmp_path)
    assert made.start == "2024-03-01T00:00:00"
    np.testing.assert_array_equal(read_imported(tmp_path / "odd")[1].values.reshape(3, 2), np.float32(values))


@pytest.mark.parametrize("kind", REFUSED)
def test_an_odd_frame_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, sentence = REFUSED[kind]
    with pytest.raises(BenchError, match=sentence):
        bench.import_data(make(), {"name": "odd", "interval": 60, "grid": [1, 2]}, tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.filterwarnings("ignore:.*too few slots")
def test_a_frame_of_hundreds_of_columns_as_pandas_reads_them_gives_no_warning(tmp_path: Path) -> None:
    values, cells = np.arange(600.0).reshape(3, 200), [f"r{at // 20}c{at % 20}" for at in range(200)]
    lines = pd.DataFrame(values, TIMES.rename("time"), cells).to_csv()
    frame = pd.read_csv(io.StringIO(lines)).set_index("time")
    bench.import_data(frame, {"name": "odd", "interval": 60, "grid": [10, 20]}, tmp_path)
    np.testing.assert_array_equal(read_imported(tmp_path / "odd")[1].values.ravel(), np.arange(600.0))


def test_a_frame_without_the_column_of_times_that_the_card_names_is_refused(tmp_path: Path) -> None:
    card = {"name": "odd", "interval": 60, "grid": [1, 2], "time_columns": ["Zeit"]}
    with pytest.raises(BenchError, match="has no column 'Zeit' of times; its columns are index, r0c0, r0c1"):
        bench.import_data(wide(), card, tmp_path)


@pytest.mark.filterwarnings("ignore:.*too few slots")
@pytest.mark.parametrize("frame", [with_a_text((2, 1)), long(value=[1, 2, 3, 4, 5, "n.a."])], ids=["wide", "long"])
def test_a_text_that_the_card_names_as_missing_is_missing(frame: pd.DataFrame, tmp_path: Path) -> None:
    card = {"name": "odd", "interval": 60, "grid": [1, 2], "missing": ["n.a."]}
    bench.import_data(frame, card, tmp_path)
    values = read_imported(tmp_path / "odd")[1].values.reshape(3, 2)
    np.testing.assert_array_equal(values, [[1, 2], [3, 4], [5, np.nan]])


def test_the_row_of_a_text_is_that_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LINES", 2)
    pd.DataFrame({"time": TIMES, "r0c0": ["1", "2", "?"], "r0c1": 1.0}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BenchError, match="in column 'r0c0' of row 3"):
        bench.import_data(tmp_path / "a.parquet", {"name": "odd", "interval": 60, "grid": [1, 2]}, tmp_path)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"intervall": 60}, "the card is wrong: there is no key 'intervall'; did you mean 'interval'?"),
        ({"interval": 60, "time_zon": "UTC"}, "there is no key 'time_zon'; did you mean 'time_zone'?"),
        ({"interval": 60, "dims": {"tme": "t"}}, "under [dims] there is no key 'tme'; did you mean 'time'?"),
        ({"interval": 60, "zzz": 1}, "there is no key 'zzz'; known: layout, key, times, "),
    ],
)
def test_a_key_that_is_spelt_wrongly_is_told_with_the_right_one(
    keys: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    card = {"name": "odd", "grid": [1, 2]} | keys
    (tmp_path / "card.toml").write_text(tomli_w.dumps(card), encoding="utf-8")
    for given in (card, tmp_path / "card.toml"):
        with pytest.raises(BenchError) as caught:
            bench.import_data(wide(), given, tmp_path)
        assert sentence.removeprefix("the card") in str(caught.value)


def labelled(latitudes: list[float]) -> xr.DataArray:
    places = {"time": TIMES, "lat": latitudes, "lon": [1.0]}
    return xr.DataArray(VALUES[:, :, None], dims=("time", "lat", "lon"), coords=places)


@pytest.mark.parametrize(("latitudes", "south_on_top"), [([48.0, 49.0], True), ([49.0, 48.0], False)])
def test_latitudes_that_rise_are_noted(latitudes: list[float], south_on_top: bool, tmp_path: Path) -> None:
    notes: list[str] = []
    card = {"name": "odd", "interval": 60, "grid": [2, 1]}
    bench.import_data(labelled(latitudes), card, tmp_path, on_note=notes.append)
    assert any("is the southernmost" in note for note in notes) == south_on_top
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bench.import_data(labelled(latitudes), card, tmp_path, force=True)
    assert any("is the southernmost" in str(warning.message) for warning in caught) == south_on_top


def test_a_tidy_frame_of_coordinates_is_told_how_it_is_read(tmp_path: Path) -> None:
    array = xr.DataArray(
        np.arange(36.0).reshape(3, 3, 4),
        dims=("time", "lat", "lon"),
        coords={"time": TIMES, "lat": [3.5, 2.5, 1.5], "lon": [1.5, 2.5, 3.5, 4.5]},
        name="value",
    )
    frame, card = array.to_series().reset_index(), {"name": "tidy", "interval": 60, "grid": [3, 4]}
    with pytest.raises(BenchError, match=r'wants 12; .*; if each line is a time and a cell, say layout = "long", and'):
        bench.import_data(frame, card, tmp_path)
    long = card | {"layout": "long", "dims": {"row": "lat", "column": "lon"}}
    with pytest.raises(BenchError) as caught:
        bench.import_data(frame, long, tmp_path)
    assert "frame.set_index(['time', 'lat', 'lon']).to_xarray()" in str(caught.value)
    grid = frame.set_index(["time", "lat", "lon"]).to_xarray().sortby("lat", ascending=False)
    made = bench.import_data(grid, card, tmp_path, on_note=str)
    assert made.grid == (3, 4)


MASKED = np.ma.MaskedArray(VALUES, mask=[[False, True], [False, False], [False, False]])


@pytest.mark.filterwarnings("ignore:.*too few slots")
@pytest.mark.parametrize("array", [MASKED, MASKED.astype(np.int16)], ids=["floats", "whole numbers"])
def test_masked_values_are_missing(array: np.ma.MaskedArray[Any, Any], tmp_path: Path) -> None:
    card = {"name": "odd", "interval": 60, "grid": [1, 2], "layout": "TN"}
    with pytest.raises(BenchError, match="holds 1 NaN"):
        bench.import_data({"speed": array}, card, tmp_path)
    bench.import_data(array, card | {"missing": "nan"}, tmp_path, times=TIMES)
    values = read_imported(tmp_path / "odd")[1].values.reshape(3, 2)
    np.testing.assert_array_equal(values, [[1, np.nan], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    "data",
    [xr.Variable(("time", "node"), VALUES), xr.DataTree.from_dict({"/obs": xr.Dataset()})],
    ids=["variable", "tree"],
)
def test_what_is_labelled_and_is_no_array_is_refused(data: object, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is not read; give a path"):
        bench.import_data(data, {"name": "odd", "interval": 60, "grid": [1, 2]}, tmp_path)
