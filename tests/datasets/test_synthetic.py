from __future__ import annotations

import numpy as np
import pytest

from bench.catalog import registry
from bench.types import DatasetCard, RawSeries
from datasets import _synthetic


def make_card(**changes: object) -> DatasetCard:
    facts: dict[str, object] = {
        "name": "toytown",
        "title": "Toy town",
        "city": "",
        "domain": "taxi flow",
        "grid": (10, 12),
        "interval": 30,
        "start": "2015-01-01T00:00",
        "slots": 2880,
        "channels": ("in", "out"),
        "unit": "trips",
        "licence": "",
        "citation": "",
        "homepage": "",
        "how_to_get": "",
        "formats": (),
    }
    return DatasetCard(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def counts() -> RawSeries:
    return _synthetic.generate(make_card())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_the_same_name_gives_the_same_bytes(counts: RawSeries) -> None:
    again = _synthetic.generate(make_card(title="another title"))
    assert again.values.tobytes() == counts.values.tobytes()
    assert again.clock.tobytes() == counts.clock.tobytes()


def test_another_name_gives_another_series(counts: RawSeries) -> None:
    assert not np.array_equal(_synthetic.generate(make_card(name="toyville")).values, counts.values)


def test_counts_are_whole_and_not_negative(counts: RawSeries) -> None:
    assert counts.values.dtype.kind == "i"
    assert counts.values.min() >= 0
    assert counts.values.shape == (2016, 2, 10, 12)
    assert counts.layout == "synthetic"


@pytest.mark.parametrize("name", registry.dataset_names())
def test_every_registered_card_has_synthetic_data_of_its_shape(name: str) -> None:
    card = registry.load("dataset", name).CARD
    series = _synthetic.generate(card)
    slots = min(card.slots, 42 * card.slots_per_day)
    assert series.values.shape == (slots, len(card.channels), *card.grid)
    assert np.isfinite(series.values).all()
    assert series.values.min() >= 0
    assert series.values.std() > 0


def test_the_clock_counts_on_from_the_start() -> None:
    clock = _synthetic.generate(make_card(start="2015-01-02T23:00", slots=100)).clock
    expected = [((46 + t) % 48, (4 + (46 + t) // 48) % 7) for t in range(100)]  # a Friday
    assert clock.tolist() == [list(pair) for pair in expected]


def test_an_unknown_calendar_starts_on_a_monday_at_midnight() -> None:
    assert _synthetic.generate(make_card(start=None, slots=10)).clock[0].tolist() == [0, 0]


def test_a_day_resembles_the_day_before_and_a_workday_is_no_sunday(counts: RawSeries) -> None:
    city = counts.values.sum(axis=(1, 2, 3)).astype(float)
    assert correlation(city[48:], city[:-48]) > 0.8
    assert correlation(city[:-24], city[24:]) < 0.5
    workday = [city[(counts.clock[:, 0] == slot) & (counts.clock[:, 1] < 5)].mean() for slot in range(48)]
    weekend = [city[(counts.clock[:, 0] == slot) & (counts.clock[:, 1] >= 5)].mean() for slot in range(48)]
    assert np.argmax(workday[:24]) < 20  # a morning peak before ten
    assert weekend[17] < 0.8 * workday[17]


def test_the_rhythm_differs_between_cells(counts: RawSeries) -> None:
    morning = counts.values[counts.clock[:, 0] == 17].mean(axis=(0, 1))
    evening = counts.values[counts.clock[:, 0] == 42].mean(axis=(0, 1))
    busy = counts.values.mean(axis=(0, 1)) > 5
    share = np.log(morning[busy] / evening[busy])
    assert share.std() > 0.2


def test_some_cells_are_hot_and_others_quiet(counts: RawSeries) -> None:
    cells = np.sort(counts.values.mean(axis=(0, 1)).ravel())
    assert cells[-12:].sum() > 4 * cells[:60].sum()


def residual(series: RawSeries) -> np.ndarray:
    """Log deviation from each cell's own slot-of-week mean, ``[T, H, W]`` of channel 0."""
    values = series.values[:, 0].astype(float)
    week = series.clock[:, 1] * 48 + series.clock[:, 0]
    mean = np.stack([values[week == slot].mean(axis=0) for slot in range(7 * 48)])
    return np.log1p(values) - np.log1p(mean[week])


def test_the_disturbance_lasts_some_steps_and_fades(counts: RawSeries) -> None:
    city = residual(counts)
    one, four, day = (correlation(city[lag:], city[:-lag]) for lag in (1, 4, 48))
    assert one > 0.2
    assert one > four > abs(day)


def test_a_neighbour_knows_more_of_a_cells_next_step_than_the_cell_itself() -> None:
    """The disturbance drifts: the best predictor of a cell is some neighbour upstream."""
    field = _synthetic._disturbance(np.random.default_rng(0), make_card(grid=(16, 16)), 1500)[:, 0]
    own = correlation(field[2:], field[:-2])
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    best = max(correlation(field[2:], np.roll(field[:-2], shift, axis=(1, 2))) for shift in shifts)
    assert best > own + 0.05


def test_the_disturbance_is_a_drifting_autoregression() -> None:
    """One step of the Fourier modes is: move the field, fade it, add a smooth shock that does not depend on it."""
    card = make_card(grid=(12, 10), channels=("in",))
    field = _synthetic._disturbance(np.random.default_rng(1), card, 4000)[:, 0]
    fade = np.exp(-30 / _synthetic.MEMORY_MINUTES)
    city = field.mean(axis=(1, 2))  # the mode that cannot move
    assert correlation(city[1:], city[:-1]) == pytest.approx(fade, abs=0.03)


def test_a_model_that_knows_the_rhythm_beats_the_last_value_and_the_noise_stays(counts: RawSeries) -> None:
    values, half = counts.values[:, 0].astype(float), 1440
    week = counts.clock[:, 1] * 48 + counts.clock[:, 0]
    mean = np.stack([values[:half][week[:half] == slot].mean(axis=0) for slot in range(7 * 48)])
    target = values[half + 6 :]
    rhythm = np.abs(target - mean[week[half + 6 :]]).mean()
    last = np.abs(target - values[half:-6]).mean()
    assert 0 < rhythm < 0.8 * last
    assert rhythm > 0.5 * np.sqrt(2 / np.pi) * np.sqrt(mean).mean()  # Poisson noise cannot be forecast


def test_speeds_dip_where_counts_would_rise() -> None:
    series = _synthetic.generate(make_card(domain="road speed", unit="km/h", channels=("speed",)))
    by_slot = [series.values[(series.clock[:, 0] == slot) & (series.clock[:, 1] < 5)].mean() for slot in range(48)]
    assert series.values.min() >= 1
    assert series.values.max() < 130
    assert by_slot[17] < 0.9 * by_slot[6]
    assert by_slot[36] < 0.9 * by_slot[6]


@pytest.mark.parametrize(("domain", "mean"), [("bike flow", 5), ("taxi flow", 40), ("crowd counts", 30)])
def test_the_magnitude_follows_the_domain(domain: str, mean: float) -> None:
    assert _synthetic.generate(make_card(domain=domain)).values.mean() == pytest.approx(mean, rel=0.02)
