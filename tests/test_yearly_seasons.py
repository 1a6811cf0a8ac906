"""Data by weeks and months: the season is the year, days before are years before, and there are no weeks of days."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import torch
from builders import make_data, make_months
from torch import nn

from bench.catalog import registry
from bench.clock import MONTH, WEEK
from bench.errors import ConfigError, TaskError
from bench.scoring import score
from bench.settings import TaskSettings
from bench.task import Task, task_for
from bench.train import make_model

CPU = torch.device("cpu")
SHORT = TaskSettings(name="short")
REFUSED = {
    "seasonal_naive_week": ({}, "7 days before, and this task withholds it"),
    "visionts": ({"period": "none"}, "seven days before"),
    "chronos_bolt": ({"context": "history"}, "seven days before"),
    "fracast": ({"context": "history"}, "seven days before"),
}
"""Models that look a week back, the settings with which they do not, and what they say."""


def made(name: str, task: Task, **settings: object) -> nn.Module:
    config = {**dataclasses.asdict(registry.config_class(name)()), **settings}
    model = make_model(registry.load("model", name), config, task.shape, CPU)
    if hasattr(model, "fit"):
        model.fit(task.series)
    return model.eval()


@pytest.mark.parametrize("interval", [MONTH, WEEK])
@pytest.mark.parametrize("name", ["seasonal_naive_day", "historical_average"])
def test_a_planted_year_is_forecast_without_error(name: str, interval: int) -> None:
    data = make_months(interval=interval, years=4)  # which end before a year of 53 weeks
    task = task_for(registry.load("model", name), data, SHORT, CPU)
    sums = score(made(name, task), task.open_test(), task).sums
    assert sums.per_window("absolute").max() < 1e-3


def test_the_day_before_is_the_year_before_and_a_week_is_blank() -> None:
    data = make_months(noise=3)
    task = Task(data, SHORT, CPU, days_back=(7, 1))
    assert (task.shape.slots_per_day, task.shape.season, task.shape.days_back) == (12, "year", (1,))
    window = task.train.window(torch.tensor([len(task.train) - 1]))
    assert window.past is not None
    assert window.past_valid is not None
    assert not window.past[:, 0].any()
    assert not window.past_valid[:, 0].any()
    assert window.past_valid[:, 1].all()
    origin = int(task.train.origins[-1])
    year_before = torch.from_numpy(data.values[origin - 12 : origin - 6])
    torch.testing.assert_close(task.scaler.physical(window.past[0, 1]), year_before)


def test_a_task_that_gives_everyone_a_week_before_is_refused_and_one_that_gives_the_year_is_not() -> None:
    with pytest.raises(TaskError, match="names 7, which are weeks, but a step of 'toy' is a"):
        Task(make_months(), TaskSettings(name="short", days_back="7,1"), CPU)
    assert Task(make_months(), TaskSettings(name="short", days_back="1"), CPU).shape.days_back == (1,)


def test_ten_years_of_months_hold_the_short_task_and_a_longer_one_is_refused_with_one_that_fits() -> None:
    data = make_months(years=10)
    assert min(Task(data, SHORT, CPU).counts().values()) > 0
    with pytest.raises(TaskError, match=r"train split .* such as task.history=18 and task.horizon=18"):
        Task(data, TaskSettings(name="long", history=64, horizon=64), CPU)
    assert Task(data, TaskSettings(name="long", history=18, horizon=18), CPU).counts()["test"] == 1
    with pytest.raises(TaskError, match="the data are too short for any task"):
        Task(make_data(slots=3), SHORT, CPU)


@pytest.mark.parametrize("name", registry.model_names())
def test_every_model_forecasts_months_or_says_why_not(name: str) -> None:
    data, module = make_months(years=12, noise=3, grid=(4, 4)), registry.load("model", name)
    task = task_for(module, data, SHORT, CPU)
    settings: Mapping[str, object] = {}
    if name in REFUSED:
        settings, sentence = REFUSED[name]
        with pytest.raises(ConfigError, match=sentence):
            made(name, task)
        if not settings:
            return
    with torch.no_grad():
        forecast = made(name, task, **settings)(task.val.window(torch.arange(2)))
    assert forecast.shape == (2, 6, 1, 4, 4)
    assert forecast.isfinite().all()
