"""The naive baselines where readings are missing: each uses what is known, as slow loops over the data say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import make_data
from numpy.typing import NDArray

from bench.catalog import registry
from bench.context import RunContext
from bench.errors import ConfigError
from bench.runs.evaluator import evaluate
from bench.settings import TaskSettings
from bench.task import Task
from bench.train import make_model

DAY, DAYS = 48, 40
Frame = NDArray[np.float64]


def silent(share: float = 0.3) -> NDArray[np.bool_]:
    """Which values were observed: a fifth is lost one by one, and some cells are silent for hours."""
    generator = np.random.default_rng(3)
    observed = generator.random((DAYS * DAY, 1, 3, 4)) > share
    for start in range(0, len(observed), 100):
        observed[start : start + 30, :, generator.integers(3), generator.integers(4)] = False
    return observed


DATA = make_data(slots=DAYS * DAY, channels=1, mask=silent())
SHORT = TaskSettings(name="short", history=4, horizon=6)
LONG = TaskSettings(name="long", history=4, horizon=60)


def latest(slots: list[int], mean: float) -> Frame:
    """The first value that was observed in these slots, cell by cell; the training mean where none was."""
    forecast = np.full(DATA.values.shape[1:], np.nan)
    for slot in slots:
        known = np.where(DATA.mask[slot], DATA.values[slot], np.nan) if slot >= 0 else np.nan  # type: ignore[index]
        forecast = np.where(np.isnan(forecast), known, forecast)
    return np.where(np.isnan(forecast), mean, forecast)


def last_value(origin: int, step: int, mean: float) -> Frame:
    return latest([origin - 1 - back for back in range(4)], mean)


def window_mean(origin: int, step: int, mean: float) -> Frame:
    seen = DATA.mask[origin - 4 : origin]  # type: ignore[index]
    total = np.where(seen, DATA.values[origin - 4 : origin].astype(np.float64), 0).sum(axis=0)
    return np.where(seen.any(axis=0), total / seen.sum(axis=0).clip(1), mean)


def season(days: int, most: int) -> Callable[[int, int, float], Frame]:
    def forecast(origin: int, step: int, mean: float) -> Frame:
        slots = []
        for back in range(days, most + 1, days):
            slot = origin + step
            while slot >= origin:
                slot -= back * DAY
            slots.append(slot)
        return latest(slots, mean)

    return forecast


SLOW = {
    "last_value": last_value,
    "window_mean": window_mean,
    "seasonal_naive_day": season(1, 7),
    "seasonal_naive_week": season(7, 28),
}


def opened(name: str, settings: TaskSettings) -> Task:
    days = getattr(registry.load("model", name), "DAYS_BACK", ())
    return Task(DATA, settings, torch.device("cpu"), days_back=days)


def built(name: str, task: Task) -> torch.nn.Module:
    config = vars(registry.config_class(name)())
    return make_model(registry.load("model", name), config, task.shape, torch.device("cpu"))


@pytest.mark.parametrize("settings", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("name", SLOW)
def test_a_naive_baseline_forecasts_the_last_of_its_kind_that_was_observed(name: str, settings: TaskSettings) -> None:
    task = opened(name, settings)
    mean = task.scaler.center.item()
    for windows in (task.train, task.open_test()):
        for position in (0, len(windows) // 2, len(windows) - 1):
            scaled = built(name, task)(windows.window(torch.tensor([position])))
            forecast, origin = task.scaler.physical(scaled)[0].numpy(), int(windows.origins[position])
            for step in range(settings.horizon):
                np.testing.assert_allclose(forecast[step], SLOW[name](origin, step, mean), rtol=1e-4, atol=1e-3)


def test_a_forecast_of_observed_values_is_better_than_one_that_reads_the_training_mean_into_gaps() -> None:
    task = opened("last_value", SHORT)
    found = evaluate(built("last_value", task), task, RunContext(seed=0, device=torch.device("cpu")))
    other = opened("last_value", SHORT)

    class Persistence(torch.nn.Module):
        def forward(self, window):  # type: ignore[no-untyped-def]
            return window.history[:, -1:].repeat(1, 6, 1, 1, 1)

    naive = evaluate(Persistence(), other, RunContext(seed=0, device=torch.device("cpu")))
    assert found.scores["test"]["mae"].overall < 0.9 * naive.scores["test"]["mae"].overall  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "days_back", "said"),
    [
        ("seasonal_naive_day", "none", "needs what was 1 days before"),
        ("seasonal_naive_week", "3,1", "name 7 in task.days_back"),
    ],
)
def test_a_seasonal_forecast_without_its_season_says_so(name: str, days_back: str, said: str) -> None:
    task = opened(name, TaskSettings(name="short", days_back=days_back))
    with pytest.raises(ConfigError, match=said) as caught:
        built(name, task)
    assert "\n" not in str(caught.value)


def test_a_seasonal_forecast_uses_the_days_that_the_task_knows() -> None:
    task = opened("seasonal_naive_day", TaskSettings(name="short", days_back="7,1"))
    one = torch.tensor([len(task.val) - 1])
    window = task.val.window(one)
    origin, mean = int(task.val.origins[-1]), task.scaler.center.item()
    forecast = task.scaler.physical(built("seasonal_naive_day", task)(window))[0, 0].numpy()
    np.testing.assert_allclose(forecast, latest([origin - DAY, origin - 7 * DAY], mean), rtol=1e-4, atol=1e-3)
