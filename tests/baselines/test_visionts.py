"""VisionTS: what is drawn and what is read off, each against a slow version of itself, and a run of the harness."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from models import task_shape
from torch import Tensor
from visionts_models import built, window_of

from baselines import visionts
from baselines._zoo import AUTOENCODERS
from baselines.visionts import Canvas, Config
from bench.errors import ConfigError
from bench.runs import estimate
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.timing import paces_with_trials

pytestmark = pytest.mark.usefixtures("no_weights")
CPU = torch.device("cpu")


# The image


def slow_line(values: Tensor, size: int) -> Tensor:
    """Linear interpolation of ``[M]`` to ``[size]``; a value is the middle of its pixel, and no average is taken."""
    found = []
    for pixel in range(size):
        place = min(max((pixel + 0.5) * len(values) / size - 0.5, 0.0), len(values) - 1.0)
        below = int(place)
        above = min(below + 1, len(values) - 1)
        found.append(values[below] + (place - below) * (values[above] - values[below]))
    return torch.stack(found)


def slow_resize(image: Tensor, rows: int, columns: int) -> Tensor:
    wide = torch.stack([slow_line(row, columns) for row in image])
    return torch.stack([slow_line(column, rows) for column in wide.T]).T


@pytest.mark.parametrize(
    ("past", "ahead", "rows", "align", "left", "columns", "repeated"),
    [
        (7, 1, 6, 0.4, 4, 28, 0),  # int(7/8 * 4 * 0.4) = 1 patch of 4 pixels, and 16 * 7 / 4 columns
        (7, 1, 1, 0.8, 8, 14, 0),
        (6, 6, 1, 1.0, 8, 12, 0),
        (64, 5, 1, 0.4, 4, 256, 0),
        (4, 64, 1, 0.4, 4, 88, 18),  # 64 steps fit beside one of four patches only if 22 steps lie on it
    ],
)
def test_history_is_drawn_on_the_left_and_the_forecast_read_beside_it(
    past: int, ahead: int, rows: int, align: float, left: int, columns: int, repeated: int
) -> None:
    canvas = Canvas(AUTOENCODERS["vit_mae_tiny"], align, past, ahead)
    torch.manual_seed(0)
    series, painted = torch.randn(2, rows, past), torch.randn(2, 1, 16, 16)
    images, forecast = canvas.draw(series), canvas.read(painted, rows)
    assert images.shape == (2, 1, 16, 16)
    for number in range(2):
        drawn = torch.cat([series[number, :, :1]] * repeated + [series[number]], dim=1)
        wanted = torch.cat((slow_resize(drawn, 16, left), torch.zeros(16, 16 - left)), dim=1)
        torch.testing.assert_close(images[number, 0], wanted)
        whole = slow_resize(painted[number, 0], rows, columns)
        torch.testing.assert_close(forecast[number], whole[:, repeated + past : repeated + past + ahead])


@pytest.mark.parametrize(
    ("past", "ahead", "align", "shown", "columns"),
    [
        (7, 1, 0.4, 4, 24),  # int(7/8 * 14 * 0.4 = 4.9), round(224 * 7 / 64 = 24.5)
        (7, 1, 1.0, 12, 8),  # int(12.25), round(8.17)
        (6, 6, 0.4, 2, 42),
        (4, 64, 0.4, 1, 70),  # five steps on one of fourteen patches
    ],
)
def test_the_published_sizes_show_as_many_patches_as_by_hand(
    past: int, ahead: int, align: float, shown: int, columns: int
) -> None:
    canvas = Canvas(AUTOENCODERS["vit_mae_base"], align, past, ahead)
    assert (canvas.shown, canvas.left, canvas.columns) == (shown, 16 * shown, columns)


@pytest.mark.parametrize("size", AUTOENCODERS)
def test_every_horizon_fits_beside_every_history(size: str) -> None:
    for past in range(1, 65):
        for ahead in range(1, 65):
            for align in (0.2, 0.4, 1.0):
                canvas = Canvas(AUTOENCODERS[size], align, past, ahead)
                assert 0 < canvas.shown < AUTOENCODERS[size].side
                assert canvas.columns >= canvas.past + ahead


def continued(images: Tensor) -> Tensor:
    """An auto-encoder that sees the plane that an image's left lies on, and paints all of it."""
    row, column = images.shape[2] // 2, 1
    corner = images[:, :, row, column, None, None]
    right, down = images[:, :, row, column + 1, None, None], images[:, :, row + 1, column, None, None]
    rows, columns = (torch.arange(16) - start for start in (row, column))
    return corner + (right - corner) * columns + (down - corner) * rows[:, None]


@pytest.mark.parametrize("horizon", [6, 1])
@pytest.mark.parametrize("period", ["day", "none"])
def test_what_the_auto_encoder_continues_is_the_forecast(
    monkeypatch: pytest.MonkeyPatch, period: str, horizon: int
) -> None:
    shape = task_shape((2, 3), channels=2, horizon=horizon, history=6)
    model = built(shape, period=period)
    monkeypatch.setattr(model, "_paint", continued)
    torch.manual_seed(0)
    level, slope, tilt = torch.randn(3, 2, 1, 1, 2, 2, 3)  # of each sample, channel and cell
    phase = torch.arange(horizon).view(1, 1, -1, 1, 1, 1)
    days = torch.arange(8).view(1, -1, 1, 1, 1, 1)
    steps = torch.arange(6 + horizon).view(1, -1, 1, 1, 1, 1)
    by_day = 10 * level + slope * days + tilt * phase  # [B, 8, F, C, H, W]
    by_step = (10 * level + slope * steps)[:, :, 0]  # [B, P + F, C, H, W]
    window = dataclasses.replace(window_of(shape), past=by_day[:, :7], history=by_step[:, :6])
    wanted = by_day[:, 7] if period == "day" else by_step[:, 6:]
    torch.testing.assert_close(model(window), wanted, rtol=1e-3, atol=1e-3)


def test_pixels_have_the_standard_deviation_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = task_shape((2, 3), horizon=2)
    signs = torch.tensor([1.0, -1.0]).view(1, 1, 2, 1, 1, 1).expand(2, 7, 2, 2, 2, 3)  # so drawn as +- its own size
    for norm in (0.4, 1.0):
        model, drawn = built(shape, norm=norm), []
        monkeypatch.setattr(model, "_paint", lambda images, drawn=drawn: drawn.append(images) or images)
        model(dataclasses.replace(window_of(shape), past=5 + 3 * signs))
        assert drawn[0].max().item() == pytest.approx(norm, rel=1e-4)
        assert drawn[0].min().item() == pytest.approx(-norm, rel=1e-4)


# The forecast


def test_a_forecast_does_not_depend_on_how_many_images_are_painted_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = task_shape()
    model, window, painted = built(shape), window_of(shape), []
    paint = model._paint
    monkeypatch.setattr(model, "_paint", lambda images: painted.append(len(images)) or paint(images))
    forecasts = []
    for pixels in (1, 7 * 16**2, 2**23):
        painted.clear()
        monkeypatch.setattr(visionts, "PIXELS", {"cpu": pixels})
        with torch.no_grad():
            forecasts.append(model(window))
        assert sum(painted) == 2 * 2 * 6 * 5
        assert max(painted) <= max(1, pixels // 16**2)
        torch.testing.assert_close(forecasts[-1], forecasts[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("period", ["day", "none"])
def test_a_series_that_never_changes_is_forecast_close_to_itself(period: str) -> None:
    shape = task_shape()
    window = window_of(shape)
    assert window.past is not None
    flat = dataclasses.replace(
        window, past=torch.full_like(window.past, 5.0), history=torch.full_like(window.history, 5.0)
    )
    assert (built(shape, period=period)(flat) - 5).abs().max() < 0.1


@pytest.mark.parametrize(("period", "unseen"), [("day", "history"), ("none", "past")])
def test_a_series_is_forecast_from_its_own_past_of_one_kind_alone(period: str, unseen: str) -> None:
    shape = task_shape((2, 3))
    model, window = built(shape, period=period), window_of(shape)
    other = {name: getattr(window_of(shape, seed=1), name) for name in ("history", "past")}
    assert torch.equal(model(dataclasses.replace(window, **{unseen: other.pop(unseen)})), model(window))
    (seen,) = other
    values = getattr(window, seen).clone()
    values[1, ..., 0, 1, 2] += torch.randn(values.shape[1:-3])  # the first channel of the last cell
    change = (model(dataclasses.replace(window, **{seen: values})) - model(window)).abs().amax(dim=1)
    assert change[1, 0, 1, 2] > 0.01
    change[1, 0, 1, 2] = 0
    assert change.max() < 1e-5


@pytest.mark.parametrize(
    ("period", "history", "horizon"),
    [("day", 6, 64), ("none", 4, 3), ("none", 4, 64), ("none", 64, 64), ("none", 9, 1)],
)
def test_every_length_is_forecast(period: str, history: int, horizon: int) -> None:
    shape = task_shape((2, 1), channels=1, history=history, horizon=horizon)
    forecast = built(shape, period=period)(window_of(shape))
    assert forecast.shape == (2, horizon, 1, 2, 1)
    assert forecast.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"align": 1.1}, "align=1.1"),
        ({"norm": 0.0}, "norm=0.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Config(**settings)


def test_a_size_without_pre_trained_weights_never_starts_from_random_ones_instead() -> None:
    with pytest.raises(ConfigError, match=r"vit_mae_tiny has no pre-trained weights; say model\.mae=vit_mae_base"):
        built(task_shape(), weights="pretrained")


# In the harness


@pytest.mark.parametrize("tuning", ["none", "norm"])
def test_a_run_has_epochs_only_if_something_is_trained_and_so_has_its_estimate(
    catalog, tmp_path: Path, tuning: str
) -> None:
    overrides = (f"model.tuning={tuning}", "train.epochs=2", "train.steps_per_epoch=2", "train.batch_size=8")
    selection = Selection(models=("visionts",), datasets=("tiny",), overrides=overrides)
    (run,) = plan(load_suite("short_term"), selection, catalog)
    runner = Runner(catalog, tmp_path / "results", CPU, isolated=False)
    runner.run([run])
    (record,) = runner.store.records()
    assert record.status == "done", record.error
    epochs = 2 if tuning == "norm" else 0
    assert (record.cost.epochs, record.audit.best_epoch > 0) == (epochs, epochs > 0)

    size = estimate.shapes_of([run], catalog)
    paces, failures = paces_with_trials([run], {}, catalog, "cpu", lambda _: None, isolated=False)
    assert not failures
    for found in (estimate.paces_from_records([record], record.environment.device), paces):
        (pace,) = found.values()
        assert pace.trained is (epochs > 0)
        units = 12 * (epochs * 3 * 2 * 8 + (max(1, epochs) + 1) * run.spec.task.scored)
        assert estimate.total_seconds([run], found, size) == pytest.approx(pace.on(24) * units)
