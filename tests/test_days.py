"""What models are given: days before and calendar are the task's, the same for all."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from builders import make_data
from models import make_window, task_shape
from torch import nn

from bench.catalog import registry
from bench.days import DaysInHistory, with_days_in_history
from bench.errors import ConfigError
from bench.settings import TaskSettings
from bench.task import Task
from bench.train import make_model

CPU = torch.device("cpu")
GIVEN = TaskSettings(name="short", history=4, horizon=3, days_back="7,1")
OWN_WORDS = ("stresnet", "stvfm", "time_llm")  # read the days before in a way of their own
NOT_SERVED = ("ridge", "visionts", "fracast", "chronos_bolt")
SERVED = [
    name for name in registry.model_names() if registry.role(name) != "naive" and name not in (*OWN_WORDS, *NOT_SERVED)
]


def built(name, shape, **settings):
    config = dataclasses.asdict(registry.config_class(name)()) | settings
    return make_model(registry.load("model", name), config, shape, CPU)


def test_days_before_stand_in_front_of_the_history_in_the_order_of_time():
    data = make_data(slots=20 * 48)
    windows = Task(data, GIVEN, CPU).train
    one = torch.tensor([len(windows) - 1])
    origin, joined = int(windows.origins[-1]), with_days_in_history(windows.window(one))
    slots = [origin + step - 48 * days for days in (7, 1) for step in range(3)] + [
        origin + step for step in range(-4, 0)
    ]
    assert joined.past is joined.past_valid is joined.past_clock is None
    torch.testing.assert_close(windows.scaler.physical(joined.history[0]), torch.from_numpy(data.values[slots]))
    assert torch.equal(joined.history_clock[0], torch.from_numpy(data.clock[slots]))
    assert joined.history_valid.all()


def test_what_is_missing_days_before_is_not_valid():
    mask = torch.ones(20 * 48, 2, 3, 4).bool().numpy()
    data = make_data(slots=20 * 48, mask=mask)
    windows = Task(data, GIVEN, CPU).train
    origin = int(windows.origins[-1])
    mask[origin - 48] = False
    windows = Task(data, GIVEN, CPU).train
    window = windows.window(torch.tensor([0, len(windows) - 1]))
    assert not window.past_valid[0, 0].any()  # the data begin later than a week before
    assert window.past_valid[1].flatten(1).all(dim=1).tolist() == [True, False]
    assert not window.past_valid[1, 1, 0].any()
    assert window.past_valid[1, 1, 1:].all()


@pytest.mark.parametrize("name", SERVED)
def test_every_model_that_is_trained_is_moved_by_days_before_that_it_did_not_ask_for(name, no_weights):
    shape = task_shape(days_back=(7, 1))
    torch.manual_seed(0)
    model, window = built(name, shape), make_window(shape)
    assert isinstance(model, DaysInHistory)
    forecast = model(window)
    assert forecast.shape == (3, 3, 2, 6, 5)
    torch.manual_seed(0)
    nn.init.normal_(window.past)
    window.past.requires_grad_()
    model.train()
    model(window).square().sum().backward()
    assert window.past.grad.flatten(2).abs().sum(dim=2).all()


@pytest.mark.parametrize("name", ["last_value", "window_mean", "historical_average", "ridge"])
def test_what_is_not_trained_by_steps_goes_without(name):
    shape = task_shape(days_back=(7, 1))
    model = built(name, shape)
    assert not isinstance(model, DaysInHistory)
    assert type(model) is registry.load("model", name).Model


@pytest.mark.parametrize("name", OWN_WORDS)
def test_a_model_that_asks_for_days_finds_them_where_it_expects_them_and_blanks_for_the_rest(name, no_weights):
    own = registry.load("model", name).DAYS_BACK
    task = Task(make_data(slots=20 * 48), dataclasses.replace(GIVEN, days_back="1"), CPU, days_back=own)
    window = task.val.window(torch.tensor([len(task.val) - 1]))
    assert window.past.shape[1] == len(own)
    assert [days for number, days in enumerate(own) if window.past[:, number].any()] == [1]
    assert task.shape.days_back == (1,)
    assert not isinstance(built(name, task.shape), DaysInHistory)


def test_visionts_without_its_days_says_so(no_weights):
    with pytest.raises(ConfigError, match=r"withholds some of them; leave the model out, or say model.period=none"):
        built("visionts", task_shape(days_back=(7, 1)))
    assert built("visionts", task_shape(days_back=(7, 1)), period="none") is not None


def test_no_days_at_all_can_be_asked_for():
    task = Task(make_data(slots=20 * 48), dataclasses.replace(GIVEN, days_back="none"), CPU, days_back=(1, 2, 3, 7))
    assert task.shape.days_back == ()
    assert not task.val.window(torch.arange(len(task.val))).past.any()


def test_without_calendar_every_clock_that_a_model_sees_stands_still():
    data = make_data(slots=20 * 48)
    task = Task(data, dataclasses.replace(GIVEN, calendar=False), CPU)
    for windows in (task.train, task.val, task.open_test()):
        window = windows.window(torch.arange(len(windows)))
        assert not any(seen.any() for seen in (window.history_clock, window.horizon_clock, window.past_clock))
        assert windows.clock.any()  # errors by time of day are still known
    assert not task.series.clock.any()


def test_the_historical_average_without_calendar_is_the_mean_of_a_cell():
    data = make_data(slots=20 * 48)
    task = Task(data, TaskSettings(name="short", calendar=False), CPU)
    model = built("historical_average", task.shape)
    model.fit(task.series)
    forecast = task.scaler.physical(model(task.val.window(torch.tensor([0]))))[0]
    wanted = torch.from_numpy(data.values[: task.train_stop]).double().mean(dim=0).float()
    torch.testing.assert_close(forecast, wanted.expand_as(forecast), rtol=1e-4, atol=1e-3)
