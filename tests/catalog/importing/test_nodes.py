"""Sensors on a canvas: each at one cell, by the file's order alone, and the same whenever it is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.nodes import canvas_of
from bench.errors import DataError


def card(**keys: object) -> ImportCard:
    return ImportCard.model_validate({"name": "odd", "interval": 60, "grid": [6, 7], "nodes": "nodes.csv"} | keys)


def nearest_free(north: np.ndarray, east: np.ndarray, rows: int, columns: int) -> list[int]:
    """By a plain loop over sensors and cells."""
    taken: list[int] = []
    for y, x in zip(north, east, strict=True):
        down = (north.max() - y) / (north.max() - north.min()) * (rows - 1)
        right = (x - east.min()) / (east.max() - east.min()) * (columns - 1)
        best, distance = -1, np.inf
        for cell in range(rows * columns):
            apart = (cell // columns - down) ** 2 + (cell % columns - right) ** 2
            if cell not in taken and apart < distance:
                best, distance = cell, apart
        taken.append(best)
    return taken


@pytest.mark.parametrize("columns", [("latitude", "longitude"), ("lat", "lng"), ("y", "x")])
def test_each_sensor_takes_the_free_cell_nearest_to_its_coordinates(columns: tuple[str, str], tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    north, east = draw.normal(52.5, 0.1, 40), draw.exponential(0.2, 40)  # crowded at one side
    names = [f"s{number}" for number in range(40)]
    pd.DataFrame({"sensor_id": names, columns[0]: north, columns[1]: east}).to_csv(tmp_path / "nodes.csv")
    cells = canvas_of(card(), tmp_path, 40, names, "here").cells
    assert cells.tolist() == nearest_free(north, east, 6, 7)
    assert len({*cells.tolist()}) == 40
    turned = canvas_of(card(), tmp_path, 40, names[::-1], "here").cells
    assert turned.tolist() == cells.tolist()[::-1]  # the order of the data changes nothing


def test_the_outermost_sensors_of_those_that_are_used_lie_at_the_edges(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node,x,y\nfar,900,900\na,0,0\nb,10,20\nc,5,10\n")
    canvas = canvas_of(card(grid=[3, 3]), tmp_path, 3, ["a", "b", "c"], "here")
    assert canvas.cells.tolist() == [6, 2, 4]
    assert canvas.empty == (0, 1, 3, 5, 7, 8)


def test_an_array_without_names_takes_the_lines_in_order_or_by_number(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node,row,column\nx,0,2\ny,1,1\n")
    assert canvas_of(card(), tmp_path, 2, None, "here").cells.tolist() == [2, 8]
    (tmp_path / "nodes.csv").write_text("node,row,column\n1,0,2\n0,1,1\n")
    assert canvas_of(card(), tmp_path, 2, None, "here").cells.tolist() == [8, 2]
    with pytest.raises(DataError, match="has 2 sensors where the array has 3"):
        canvas_of(card(), tmp_path, 3, None, "here")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("node,row,column\na,0,9\n", "has column 9 where whole numbers from 0 to 6 are wanted"),
        ("node,row,column\na,0.5,1\n", "has row 0.5 where whole numbers"),
        ("node,row,column\na,,1\n", "in column row of row 1; write a number"),
        ("node,lat,lon\na,north,1\n", "has 'north' in column lat of row 1"),
        ("node,row,column\na,0,1\na,0,2\n", "names the sensor 'a' twice"),
        ("node,altitude\na,4\n", "wanted beside the names row and column"),
        ('geo_id,type,coordinates\na,Polygon,"[[[1, 2]]]"\n', r"wanted a point such as \[-118"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_file_of_sensors_that_does_not_place_them_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text(text)
    with pytest.raises(DataError, match=sentence) as error:
        canvas_of(card(), tmp_path, 1, ["a"], "here")
    assert "\n" not in str(error.value)


def test_a_number_of_sensors_other_than_the_card_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3 sensors, but the card says nodes = 4"):
        canvas_of(card(nodes=4), tmp_path, 3, None, "here")
