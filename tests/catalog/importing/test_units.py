"""Units and channels on a user's card: one unit or one for each channel, all channels or some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from desk import Desk, series
from toy_grid import CARD, CLOCK, counts, the_error

from bench.catalog.canonical import canonical
from bench.catalog.data import Catalog
from bench.catalog.imported import doubt_about_units, read_imported
from bench.catalog.importing import import_array
from bench.errors import ConfigError
from bench.types import DatasetCard, RawSeries

PEMS = 'channels = ["flow", "occupancy", "speed"]'


def sensors() -> np.ndarray:
    """Flow, occupancy and speed, ``[T, 3, 2, 3]``: what spreads by 144, 0.012 and 14."""
    draw = np.random.default_rng(0).random((240, 3, 2, 3))
    return (draw * np.array([500, 0.04, 50]).reshape(3, 1, 1) + np.array([0, 0, 30]).reshape(3, 1, 1)).astype("float32")


def imported(desk: Desk, *lines: str) -> tuple[DatasetCard, np.ndarray]:
    desk.say(*lines)
    card, folder = import_array(desk.npy(sensors()), desk.card, desk.data, force=True)
    read, raw = read_imported(folder)
    assert read == replace(card, slots=len(raw.values))
    return card, raw.values


def test_a_card_has_one_unit_for_all_channels_or_one_for_each(desk: Desk) -> None:
    card, _ = imported(desk, PEMS, 'unit = "index"')
    assert (card.unit, card.units, card.units_differ) == ("index", ("index",) * 3, False)
    card, _ = imported(desk, PEMS, 'unit = ["veh", "%", "km/h"]')
    assert (card.units, card.units_differ) == (("veh", "%", "km/h"), True)
    assert not imported(desk, PEMS, 'unit = ["a", "a", "a"]')[0].units_differ


def test_some_channels_of_an_array_make_the_data_set_in_the_arrays_order(desk: Desk) -> None:
    card, values = imported(desk, PEMS, 'unit = ["veh", "%", "km/h"]', 'use_channels = ["speed", "flow"]')
    assert (card.channels, card.units) == (("flow", "speed"), ("veh", "km/h"))
    np.testing.assert_array_equal(values, sensors()[:, [0, 2]])
    card, values = imported(desk, PEMS, 'unit = "veh"', 'use_channels = ["flow"]')
    assert (card.channels, card.unit) == (("flow",), "veh")
    np.testing.assert_array_equal(values, sensors()[:, :1])


@pytest.mark.parametrize("layout", ["THWC", "TNC"])
def test_channels_are_chosen_in_any_layout(layout: str, desk: Desk) -> None:
    desk.say(PEMS, f'layout = "{layout}"', 'use_channels = ["occupancy"]')
    array = sensors().transpose(0, 2, 3, 1)
    array = array.reshape(len(array), 6, 3) if layout == "TNC" else array
    np.testing.assert_array_equal(desk.read(desk.npy(array)), sensors()[:, 1:2])


def test_a_channel_that_is_not_used_may_hold_anything(desk: Desk) -> None:
    spoilt = sensors()
    spoilt[:, 1] = np.nan
    desk.say(PEMS, 'use_channels = ["flow", "speed"]')
    np.testing.assert_array_equal(desk.read(desk.npy(spoilt)), spoilt[:, [0, 2]])
    desk.say(PEMS)
    desk.refuses(desk.npy(spoilt), "holds 1440 NaN", force=True)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ('unit = ["veh", "%"]', r"unit = \['veh', '%'\] names 2 for 3 channels"),
        ('use_channels = ["speeed"]', r"use_channels names 'speeed', which is none of channels = \['flow'"),
    ],
)
def test_units_and_channels_that_do_not_fit_are_one_sentence(line: str, pattern: str, desk: Desk) -> None:
    desk.say(PEMS, line)
    desk.refuses(desk.npy(sensors()), pattern, ConfigError)


def test_an_import_doubts_one_unit_for_channels_that_spread_differently(desk: Desk) -> None:
    text = doubt_about_units(*imported(desk, PEMS))
    assert "'flow' spreads 1.23e+04 times as wide as 'occupancy'" in text
    assert 'unit = ["<unit of flow>", "<unit of occupancy>", "<unit of speed>"]' in text
    assert 'use_channels = ["flow"]' in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "lines", [('unit = ["veh", "%", "km/h"]',), ('unit = ["x", "x", "x"]',), ('use_channels = ["flow"]',)]
)
def test_an_import_has_no_doubt_where_units_are_said_or_one_channel_is_chosen(
    lines: tuple[str, ...], desk: Desk
) -> None:
    assert not doubt_about_units(*imported(desk, PEMS, *lines))


def test_an_import_has_no_doubt_about_flows_that_spread_alike(desk: Desk) -> None:
    desk.say('channels = ["in", "out"]')
    card, folder = import_array(desk.npy(series(2)), desk.card, desk.data)
    assert not doubt_about_units(card, read_imported(folder)[1].values)
    still = series(2)
    still[:, 1] = 3  # a channel that never moves tells nothing
    assert not doubt_about_units(card, still)


def test_units_enter_the_digest_where_they_differ_and_only_there(desk: Desk) -> None:
    def digest(*lines: str) -> str:
        imported(desk, PEMS, *lines)
        return Catalog(data_dir=desk.data, cache=desk.folder / "cache").identity("citybus").sha256

    one = digest()
    assert digest('unit = "veh"') == digest('unit = ["veh", "veh", "veh"]') == one
    apart = digest('unit = ["veh", "%", "km/h"]')
    assert apart != one
    assert digest('unit = ["veh", "%", "mph"]') not in (one, apart)


def test_units_come_back_from_the_cache(desk: Desk) -> None:
    imported(desk, PEMS, 'unit = ["veh", "%", "km/h"]', 'use_channels = ["flow", "speed"]')
    catalog = Catalog(data_dir=desk.data, cache=desk.folder / "cache")
    made, stored = catalog.load("citybus").card, catalog.load("citybus").card
    assert made == stored
    assert stored.units == ("veh", "km/h")


def test_one_series_of_a_card_with_several_units_has_one_of_them() -> None:
    card = replace(CARD, unit=("taxis", "people"))
    raw = RawSeries(values=counts(1), clock=CLOCK, layout="npy")
    made = canonical(card, raw, "npy-1").card
    assert (made.channels, made.units) == (("inflow or outflow",), ("taxis or people",))
    assert canonical(CARD, raw, "npy-1").card.units == ("taxis",)


def test_a_card_whose_units_are_not_as_many_as_its_channels_is_one_sentence() -> None:
    raw = RawSeries(values=counts(), clock=CLOCK, layout="npy")
    the_error(lambda: canonical(replace(CARD, unit=("taxis",)), raw, "npy-1"), "toy names 1 units for 2 channels")
