"""Columns go where their names say, in whatever order they stand."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.column_names import order_of
from bench.errors import DataError

NAMES: dict[str, Callable[[str, int, int, int], str]] = {
    "r3c7": lambda channel, row, column, wide: f"{channel}_r{row}c{column}",
    "R03_C07": lambda channel, row, column, wide: f"R{row:02d}_C{column:02d} {channel}",
    "row 3 col 7": lambda channel, row, column, wide: f"{channel} row {row} col {column}",
    "c7r3": lambda channel, row, column, wide: f"c{column}r{row}.{channel}",
    "3_7": lambda channel, row, column, wide: f"{row}_{column}_{channel}",
    "(3, 7)": lambda channel, row, column, wide: f"{channel}({row}, {column})",
    "3-7": lambda channel, row, column, wide: f"{channel}_{row}-{column}",
    "node": lambda channel, row, column, wide: f"{channel}_node{row * wide + column}",
    "number": lambda channel, row, column, wide: f"{channel}_{row * wide + column:04d}",
}


def card(H: int = 2, W: int = 3, **facts: object) -> ImportCard:
    return ImportCard.model_validate({"name": "odd", "interval": 60, "grid": [H, W], **facts})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_of_columns_comes_back_in_any_layout(data: st.DataObject) -> None:
    H, W = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    first, spelling = data.draw(st.sampled_from([0, 1])), data.draw(st.sampled_from(sorted(NAMES)))
    channels = data.draw(st.sampled_from([["in", "out"], ["pm25", "no2", "o3"]]))
    layout = data.draw(st.sampled_from(["TCHW", "THWC", "TNC"]))
    one = data.draw(st.booleans())
    channels, layout = (["in"], data.draw(st.sampled_from(["TCHW", "THW", "TN"]))) if one else (channels, layout)
    made = card(H, W, channels=channels, layout=layout)
    axes = {"C": range(len(channels)), "H": range(H), "W": range(W), "N": range(H * W)}
    places = []
    for index in itertools.product(*(axes[letter] for letter in layout[1:])):
        at = dict(zip(layout[1:], index, strict=True))
        row, column = divmod(at["N"], W) if "N" in at else (at["H"], at["W"])
        name = NAMES[spelling](channels[at.get("C", 0)], row + first, column + first, W)
        if spelling in ("node", "number"):
            name = NAMES[spelling](channels[at.get("C", 0)], row, column + first, W)
        places.append(name)
    shuffled = data.draw(st.permutations(places))
    columns = order_of(shuffled, len(shuffled), made, "a.csv").columns
    assert [shuffled[column] for column in columns] == places


def test_a_number_counts_the_values_of_all_channels_in_the_order_of_the_layout() -> None:
    made = card(1, 2, channels=["in", "out"], layout="THWC")
    assert order_of(["v4", "v2", "v3", "v1"], 4, made, "a.csv").columns.tolist() == [3, 1, 2, 0]


def test_numbers_that_are_names_of_sensors_say_nothing() -> None:
    order = order_of(["400017", "400001"], 2, card(1, 2), "a.csv")
    assert order.columns.tolist() == [0, 1]
    assert order.note.startswith("columns are taken in their order")


def test_letters_in_one_name_alone_say_nothing() -> None:
    assert order_of(["north 1", "south 0"], 2, card(1, 2), "a.csv").columns.tolist() == [0, 1]


@pytest.mark.parametrize("names", [["v0", "v2"], ["v1", "v1"], ["v2", "v0"]])
def test_a_count_that_leaves_one_out_is_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match="but not each of 2 once"):
        order_of(names, 2, card(1, 2), "a.csv")


def test_columns_in_order_are_taken_so_whatever_they_are_called() -> None:
    order = order_of(["v1", "v0"], 2, card(1, 2, columns="in order"), "a.csv")
    assert order.columns.tolist() == [0, 1]
    assert "if that is wrong" not in order.note


def test_one_cell_of_several_channels_is_matched_by_the_channel() -> None:
    order = order_of(["out", "In"], 2, card(1, 1, channels=["in", "out"]), "a.csv")
    assert order.columns.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["in_0_0", "in_0_1", "out_0_0"], "no column for row 0, column 1 of out"),
        (["0_0", "0_1", "1_0", "1_1"], r"no channel in the names .* channels = \['in', 'out'\]"),
        (["in_0_0", "in_0_1", "in_0_2", "out_0_0"], "columns 0 to 2 in the names"),
        (["a", "b", "c"], r"3 value columns where TCHW of \(2, 1, 2\) wants 4"),
    ],
)
def test_names_that_do_not_fit_the_card_are_one_sentence(names: list[str], pattern: str) -> None:
    with pytest.raises(DataError, match=pattern) as caught:
        order_of(names, len(names), card(1, 2, channels=["in", "out"]), "a.csv")
    assert "\n" not in str(caught.value)


def test_names_that_tell_the_channel_alone_are_welcome_in_the_order_of_the_layout() -> None:
    made = card(1, 2, channels=["in", "out"])
    assert order_of(["in a", "in b", "out a", "out b"], 4, made, "a.csv").columns.tolist() == [0, 1, 2, 3]
    assert np.array_equal(order_of(["a", "b", "c", "d"], 4, made, "a.csv").columns, np.arange(4))
