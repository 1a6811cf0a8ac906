"""The cards of all data sets, and what their real files are known to hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.catalog import registry
from bench.types import RawSeries

REAL = Path(os.environ.get("STBENCH_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


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
