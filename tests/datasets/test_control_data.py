"""The positive and the negative control: what is planted in them, and that nothing simpler tells it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.catalog.data import Catalog
from bench.errors import DataError
from datasets import control_noise, control_shapes

CONTROLS = (control_shapes, control_noise)


@pytest.mark.parametrize("module", CONTROLS)
def test_controls_are_always_synthetic_and_made_twice_the_same(module: object, tmp_path: Path) -> None:
    name = module.CARD.name  # type: ignore[attr-defined]
    catalog = Catalog(data_dir=None, cache=tmp_path / "cache")
    data = catalog.load(name)
    assert data.identity.synthetic
    assert data.values.shape == (data.card.slots, 1, *data.card.grid)
    assert Catalog(data_dir=None, cache=tmp_path / "other").identity(name) == data.identity


@pytest.mark.parametrize("module", CONTROLS)
def test_files_never_stand_in_for_a_control(module: object, tmp_path: Path) -> None:
    name = module.CARD.name  # type: ignore[attr-defined]
    (tmp_path / name).mkdir()
    (tmp_path / name / "values.npy").write_bytes(b"x")
    with pytest.raises(DataError, match=f"{name} is made by the project and read from no file; empty"):
        Catalog(data_dir=tmp_path, cache=tmp_path / "cache").load(name)


@pytest.mark.parametrize("module", CONTROLS)
def test_each_segment_is_one_window_and_splits_fall_between_segments(module: object) -> None:
    series = module.make()  # type: ignore[attr-defined]
    assert {stop - start for start, stop in series.segments} == {12}
    borders = {stop for _, stop in series.segments}
    slots = len(series.values)
    assert {slots * 70 // 100, slots * 85 // 100} <= borders


@pytest.fixture(scope="module")
def scenes() -> tuple[np.ndarray, np.ndarray]:
    """The pictures ``[scenes, H, W]`` and the levels that follow ``[scenes]``."""
    values = control_shapes.make().values.reshape(-1, 12, 16, 16)
    return values[:, :6].mean(axis=1), values[:, 6:].mean(axis=(1, 2, 3))


def test_what_follows_a_shape_is_its_level_and_either_shape_is_as_frequent(
    scenes: tuple[np.ndarray, np.ndarray],
) -> None:
    _, level = scenes
    assert np.abs(np.abs(level) - 1).max() < 0.02
    for part in (slice(0, 280), slice(280, 340), slice(340, 400)):
        assert 0.35 < (level[part] > 0).mean() < 0.65
    assert (level > 0).sum() == 200


def test_no_linear_function_of_the_cells_tells_the_level(scenes: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, level = scenes
    cells = pictures.reshape(len(pictures), -1)
    train, test = slice(0, 340), slice(340, 400)
    for penalty in (10.0, 1000.0):
        gram = cells[train].T @ cells[train] + penalty * np.eye(cells.shape[1])
        weights = np.linalg.solve(gram, cells[train].T @ level[train])
        assert np.abs(cells[test] @ weights - level[test]).mean() > 0.9


def test_neither_brightness_nor_spread_nor_size_tells_the_level(scenes: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, level = scenes
    for measure in (pictures.mean(axis=(1, 2)), pictures.std(axis=(1, 2)), (np.abs(pictures) > 1.2).sum(axis=(1, 2))):
        assert abs(np.corrcoef(measure, level)[0, 1]) < 0.15


def test_the_two_shapes_cover_as_much_and_are_not_the_same() -> None:
    covers = [control_shapes._cover(star, 0.3, np.array([0.5, 0.5]), 0.3) for star in (False, True)]
    assert covers[0].sum() == pytest.approx(covers[1].sum(), rel=0.02)
    assert np.abs(covers[0] - covers[1]).sum() > 0.5 * covers[0].sum()
    assert covers[0][8, 8] == 0
    assert covers[1][8, 8] == 1


def test_cells_of_the_negative_control_know_nothing_of_each_other_or_of_their_past() -> None:
    series = control_noise.make()
    hours = series.clock[:, 0]
    rhythm = np.stack([series.values[hours == hour].mean() for hour in range(12)])
    noise = (series.values - rhythm[hours][:, None, None, None])[:, 0]
    assert noise.std() == pytest.approx(1, rel=0.01)
    for other in (noise[1:, :, :] * noise[:-1], noise[:, 1:] * noise[:, :-1], noise[:, :, 1:] * noise[:, :, :-1]):
        assert abs(other.mean()) < 0.01
    assert np.ptp(rhythm) > 0.9
