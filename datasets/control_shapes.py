"""A positive control: scenes in which who recognises an object can tell what comes next.

Each day is a scene of its own, 12 slots long. For its first half an object stands still in front of a textured ground:
a ring or a star. In its second half the object is gone, and all cells stand at a level: above the middle after a ring,
below it after a star. So the one thing to forecast is the shape.

A backbone that knows pictures must help, for two reasons. First, a shape has to be seen as one: place, size, turn and
contrast are drawn at random, the object is as often brighter than the ground as darker, and both shapes have the same
area; so every linear function of the cells has the same mean for rings as for stars, and so have brightness and
spread. Who has found the object can tell by its empty middle, and nobody is told that there is one. Second, the
examples are few: finding objects and telling shapes apart is hard to learn from 280 of them, but can be brought along,
since figure and ground, round and pointed, are what models of pictures learn from pictures. Whoever does not know the
shape has an error of about the level, whoever knows it, of the noise. A comparison that finds no difference here could
not have found one anywhere.

Synthetic always; made by this file alone, from a fixed seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.clock import clock_from
from bench.errors import DataError
from bench.types import DatasetCard, RawSeries

Floats: TypeAlias = NDArray[np.float64]

VERSION = 1
SEED = 13
SCENES = 400
SLOTS = 12  # of a scene: half to see, half to forecast
FINE = 4  # points a side in a cell, over which an object is averaged
LEVEL = 1.0
NOISE = 0.1
GROUND = 0.5  # standard deviation of the texture
RADIUS = (0.22, 0.34)  # of the object, in sides of the grid
REACH = 1.4  # of the points of a star, in radii
CONTRAST = (1.5, 2.5)

CARD = DatasetCard(
    name="control_shapes",
    title="Positive control: shapes",
    city="none",
    domain="synthetic scenes of one object",
    grid=(16, 16),
    interval=120,
    start="2024-01-01T00:00",
    slots=SCENES * SLOTS,
    channels=("brightness",),
    unit="units of brightness",
    licence="Apache-2.0",
    citation="This project.",
    homepage="none",
    how_to_get="there is nothing to get, it is made by the project; leave <data dir>/control_shapes/ empty",
    formats=("none, it is always synthetic",),
    nonnegative=False,
    mape_threshold=0.5,
)


def make() -> RawSeries:
    """All scenes one after another, each a segment, so that each is one window of a task of 6 steps to 6."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    star = rng.permutation(SCENES) % 2 == 0
    pictures = np.stack([_scene(rng, star=bool(kind)) for kind in star])  # [scenes, H, W]
    level = np.where(star, -LEVEL, LEVEL)[:, None, None]
    halves = np.stack((pictures, np.broadcast_to(level, pictures.shape)), axis=1)  # [scenes, 2, H, W]
    values = halves.repeat(SLOTS // 2, axis=1).reshape(-1, 1, *CARD.grid)
    values = values + NOISE * rng.standard_normal(values.shape)
    segments = tuple((start, start + SLOTS) for start in range(0, len(values), SLOTS))
    clock = clock_from(CARD.start, CARD.interval, len(values))
    return RawSeries(values=np.round(values, 3), clock=clock, layout="synthetic", segments=segments)


def read(folder: Path) -> RawSeries:
    """Never: files in its folder cannot be this data set.

    Raises:
        DataError: Always.
    """
    raise DataError(f"{CARD.name} is made by the project and read from no file; empty {folder}")


def _scene(rng: np.random.Generator, *, star: bool) -> Floats:
    """One object on its ground, ``[H, W]``."""
    radius = rng.uniform(*RADIUS)
    place = rng.uniform(REACH * radius, 1 - REACH * radius, 2)
    cover = _cover(star, radius, place, rng.uniform(0, 2 * np.pi))
    contrast = rng.choice((-1, 1)) * rng.uniform(*CONTRAST)
    return np.asarray(_ground(rng) * (1 - cover) + contrast * cover)


def _cover(star: bool, radius: float, place: Floats, turn: float) -> Floats:
    """The share of each cell that the object covers, ``[H, W]``; a ring and a star of one radius cover as much."""
    rows, columns = CARD.grid
    y, x = np.indices((rows * FINE, columns * FINE))
    y, x = ((y + 0.5) / (rows * FINE) - place[0]) / radius, ((x + 0.5) / (columns * FINE) - place[1]) / radius
    distance, angle = np.hypot(y, x), np.arctan2(y, x) + turn
    ring = (distance > 0.6) & (distance < 1.167)
    inside = distance < 0.95 + (REACH - 0.95) * np.cos(5 * angle) if star else ring
    return np.asarray(inside.reshape(rows, FINE, columns, FINE).mean(axis=(1, 3)))


def _ground(rng: np.random.Generator) -> Floats:
    """A texture with the spectrum of natural pictures, amplitude 1/f, ``[H, W]``."""
    fy, fx = np.fft.fftfreq(CARD.grid[0])[:, None], np.fft.rfftfreq(CARD.grid[1])[None, :]
    f = np.hypot(fy, fx)
    amplitude = np.divide(1, f, out=np.zeros_like(f), where=f > 0)
    texture = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(CARD.grid)) * amplitude, s=CARD.grid)
    return np.asarray(GROUND * texture / texture.std())
