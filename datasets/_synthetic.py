"""Synthetic data in place of data sets that are not on the disk.

A synthetic data set has the grid, channels, interval and clock of its card and six weeks of activity in four parts:
fixed hot spots, a daily and weekly rhythm that differs by cell, a disturbance that drifts across the grid and fades
within hours, and noise. The rhythm and the drift can be forecast, the noise cannot. Counts are Poisson and whole
numbers; speeds are a free-flow speed that dips where there is much activity.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.clock import clock_from
from bench.types import DatasetCard, RawSeries

VERSION = 1
DAYS = 42
MEMORY_MINUTES = 240.0  # after which a disturbance has faded to 1/e
DRIFT_CELLS_PER_HOUR = 1.5
MEAN_COUNTS = {"bike": 5.0, "taxi": 40.0, "crowd": 30.0, "cellular": 80.0}  # a slot and cell, by word of the domain
OTHER_MEAN_COUNT = 20.0
# (hour of the peak, its width in hours, its height on a workday, its height at a weekend)
RHYTHMS = (
    ((7.8, 1.1, 1.0, 0.2), (18.6, 2.2, 0.8, 0.7), (14.0, 5.0, 0.3, 0.6)),  # homes
    ((8.8, 1.0, 1.0, 0.1), (17.6, 1.3, 1.1, 0.2), (12.7, 3.0, 0.5, 0.2)),  # offices
    ((13.0, 3.5, 0.4, 0.9), (20.5, 2.0, 0.7, 1.0), (23.5, 1.8, 0.3, 0.9)),  # shops and bars
)
NIGHT = 0.04  # activity that never stops

Floats: TypeAlias = NDArray[np.float64]


def generate(card: DatasetCard) -> RawSeries:
    """Make the synthetic form of a data set; the same name gives the same series.

    Returns:
        ``[T, C, H, W]`` with T the card's span, six weeks at the most.
    """
    seed = hashlib.sha256(f"{card.name}/{VERSION}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))
    slots = min(card.slots, DAYS * card.slots_per_day)
    clock = clock_from(card.start, card.interval, slots)
    activity = _rhythm(rng, card, clock)
    activity *= np.exp(_disturbance(rng, card, slots))
    observe = _speeds if _is_speed(card) else _counts
    return RawSeries(values=observe(rng, card, activity), clock=clock, layout="synthetic")


def _is_speed(card: DatasetCard) -> bool:
    return card.unit in ("km/h", "mph") or "speed" in card.domain.lower()


def _rhythm(rng: np.random.Generator, card: DatasetCard, clock: NDArray[np.int64]) -> Floats:
    """Activity without disturbance, ``[T, C, H, W]``, about 1 at a busy hour: each cell is a mixture of land uses."""
    hour = np.asarray(clock[:, 0] * (card.interval / 60), dtype=np.float64)
    weekend = clock[:, 1] >= 5
    uses = np.stack([_land_use(hour, weekend, peaks) for peaks in RHYTHMS], axis=1)  # [T, K]
    mixture = np.stack([np.exp(1.5 * _smooth(rng, card.grid)) for _ in RHYTHMS])  # [K, H, W]
    mixture /= mixture.sum(axis=0)
    emphasis = rng.uniform(0.7, 1.3, (len(RHYTHMS), len(card.channels)))  # what leaves homes is not what arrives there
    return np.asarray(np.einsum("tk,kc,khw->tchw", uses, emphasis, mixture, optimize=True))


def _land_use(hour: Floats, weekend: NDArray[np.bool_], peaks: tuple[tuple[float, float, float, float], ...]) -> Floats:
    total = np.full(hour.shape, NIGHT)
    for centre, width, workday, day_off in peaks:
        distance = (hour - centre + 12) % 24 - 12  # around midnight
        total += np.where(weekend, day_off, workday) * np.exp(-0.5 * (distance / width) ** 2)
    return total


def _disturbance(rng: np.random.Generator, card: DatasetCard, slots: int) -> Floats:
    """Log activity above or below the rhythm, ``[T, C, H, W]``.

    A smooth random field drifts at a constant velocity, fades and is refreshed; it is simulated by its Fourier modes,
    each of which turns and fades by one complex factor a slot. Each channel sees it one slot after the one before, as
    what left one cell arrives in the next.
    """
    H, W = card.grid
    fy, fx = np.fft.fftfreq(H)[:, None], np.fft.rfftfreq(W)[None, :]
    fade = np.exp(-card.interval / MEMORY_MINUTES)
    course = rng.uniform(0, 2 * np.pi)
    step = DRIFT_CELLS_PER_HOUR * card.interval / 60
    factor = fade * np.exp(-2j * np.pi * step * (fy * np.sin(course) + fx * np.cos(course)))  # [H, W // 2 + 1]
    spectrum = np.exp(-50 * (fy**2 + fx**2))
    shocks = np.fft.rfft2(rng.standard_normal((slots + len(card.channels), H, W))) * spectrum
    shocks[1:] *= np.sqrt(1 - fade**2)
    for t in range(1, len(shocks)):
        shocks[t] += factor * shocks[t - 1]
    field = np.fft.irfft2(shocks, s=(H, W))
    field *= 0.35 / field.std()
    lags = len(card.channels) - np.arange(len(card.channels))
    return np.stack([field[lag : lag + slots] for lag in lags], axis=1)


def _counts(rng: np.random.Generator, card: DatasetCard, activity: Floats) -> NDArray[np.int64]:
    mean = next((level for word, level in MEAN_COUNTS.items() if word in card.domain.lower()), OTHER_MEAN_COUNT)
    rate = activity * _hot_spots(rng, card.grid)
    rate *= mean / rate.mean()
    return rng.poisson(np.round(rate, 3))  # rounded, so that a processor's last bit does not change the series


def _speeds(rng: np.random.Generator, card: DatasetCard, activity: Floats) -> Floats:
    free = 55 + 8 * _smooth(rng, card.grid) + rng.uniform(-8, 8, card.grid)
    free *= 0.62 if card.unit == "mph" else 1.0
    load = activity * rng.uniform(0.3, 1.0, card.grid)
    speed = free * (1 - 0.7 * load / (1 + load)) + rng.normal(0, 1.2, activity.shape)
    return np.round(speed.clip(1.0), 2)


def _hot_spots(rng: np.random.Generator, grid: tuple[int, int]) -> Floats:
    """How busy a cell is, ``[H, W]``: a few plateaus with steep flanks, and much quiet ground."""
    y, x = np.indices(grid) / max(grid)
    busy = np.full(grid, 0.00003)
    for height in (1.0, 0.7, 0.5, 0.35, 0.25, 0.2):
        centre_y, centre_x = rng.uniform(0.15, 0.85, 2) * grid / max(grid)
        busy += height * np.exp(-np.hypot(y - centre_y, x - centre_x).clip(0.1) / 0.05)
    return busy * np.exp(0.5 * rng.standard_normal(grid))


def _smooth(rng: np.random.Generator, grid: tuple[int, int]) -> Floats:
    """A smooth random map ``[H, W]`` of unit variance."""
    fy, fx = np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])[None, :]
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(grid)) * np.exp(-50 * (fy**2 + fx**2)), s=grid)
    return np.asarray(field / (field.std() or 1.0))
