"""What a card names as marks of missing values becomes NaN and is counted, whatever holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import MINIMAL, Desk, series

from bench.catalog.import_card import ImportCard
from bench.catalog.imported import read_imported
from bench.catalog.importing import import_array
from bench.catalog.missing import MissingMarks
from bench.errors import ConfigError


def marks(*named: object) -> MissingMarks:
    card = ImportCard.model_validate({"name": "odd", "interval": 60, "grid": [1, 1], "missing": list(named)})
    return MissingMarks(card, Path("a.npy"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int64", ">f4"])
def test_numbers_are_found_in_every_type(dtype: str) -> None:
    made = marks(-1, -999, 7)
    rows = np.array([-1, 2, -999, -1], dtype)
    made.count(rows)
    np.testing.assert_array_equal(made.as_nan(rows), np.float32([np.nan, 2, np.nan, np.nan]))
    assert made.counts == {-1: 2, -999: 1, 7: 0}
    assert made.note().endswith("-1: 2, -999: 1, 7: 0")


def test_a_fraction_is_found_as_it_is_in_float32_too() -> None:
    rows = np.array([-99.9, float(np.float32(-99.9)), -99.8])
    assert np.isnan(marks(-99.9).as_nan(rows)).tolist() == [True, True, False]
    assert np.isnan(marks(-99.9).as_nan(rows.astype(np.float32))).tolist() == [True, True, False]


def test_a_mark_that_no_integer_can_be_is_not_found() -> None:
    assert not np.isnan(marks(-1, 0.5, 1e300).as_nan(np.array([0, 1, 255], np.uint8))).any()


def test_a_mark_that_float32_cannot_hold_is_found_before_it_is_infinite() -> None:
    assert np.isnan(marks(1e300).as_nan(np.array([1e300, 2.0]))).tolist() == [True, False]


def test_marks_are_counted_in_the_channels_that_are_used(desk: Desk) -> None:
    array, notes = series(2), []
    array[0, 0, 0, :2] = array[1, 1] = 1000
    desk.say('channels = ["in", "out"]', 'use_channels = ["in"]', "missing = [1000]")
    _, folder = import_array(desk.npy(array), desk.card, desk.data, on_note=notes.append)
    assert notes == ["values that mark missing ones, and how many were found: 1000: 2"]
    assert np.isnan(read_imported(folder)[1].values).sum() == 2


def test_nan_is_no_mark_unless_it_is_named(desk: Desk) -> None:
    array = series(1)
    array[0, 0, 0, :2] = np.nan, 5000
    desk.say("missing = [5000]")
    desk.refuses(desk.npy(array), r'holds 1 NaN; say missing = \[5000, "nan"\]')
    desk.say('missing = [5000, "nan"]')
    assert np.isnan(desk.read(desk.npy(array))).sum() == 2


def test_a_folder_laid_out_by_hand_has_its_marks_read(tmp_path: Path) -> None:
    folder = tmp_path / "citybus"
    folder.mkdir()
    (folder / "card.toml").write_text(MINIMAL + "missing = [-1]\n")
    array = series(1)
    array[3, 0, 1, 1] = -1
    np.savez(folder / "data.npz", array)
    values = read_imported(folder)[1].values
    assert np.argwhere(np.isnan(values)).tolist() == [[3, 0, 1, 1]]


def test_nan_and_numbers_may_be_written_in_several_ways() -> None:
    card = ImportCard.model_validate(
        {"name": "odd", "interval": 60, "grid": [1, 1], "missing": ["-999", float("nan"), " NA ", -1]}
    )
    assert card.missing == (-999, "nan", "NA", -1)
    for word, wanted in (("none", ()), ("nan", ("nan", ""))):
        assert card.model_validate({**card.model_dump(), "missing": word}).missing == wanted


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("missing = [true]", "missing .*write .none., .nan., or a list"),
        ("missing = -1", r"or a list of what marks a missing value, such as \[-1"),
        ('columns = "r{row}"', r"columns .*write \{row\} and \{col\}, or \{cell\}"),
        ('columns = "{row}{row}{col}"', "write each part once"),
        ('columns = {a = "b"}', 'write the place of "a" as'),
        ("columns = {a = [2, 0]}", r'columns puts "a" at \[2, 0\], which is no cell of grid = \[2, 3\]'),
        ('columns = {a = [0, 0, "out"]}', "which is no cell .* with channels = "),
        ('time_columns = ["a", "b", "c"]', "time_columns .*at most 2"),
        ('time_zone = "somewhere nice"', "time_zone"),
        ('gaps = "fill"', "gaps .*'error' or 'missing'"),
    ],
)
def test_a_wrong_line_about_what_the_file_holds_is_named(line: str, pattern: str, desk: Desk) -> None:
    desk.say(line)
    desk.refuses(desk.npy(series(1)), pattern, ConfigError)
