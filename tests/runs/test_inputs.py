"""What a row is said to have seen is measured of its model."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import make_data
from torch import nn

from bench.catalog import registry
from bench.context import RunContext
from bench.records.inputs import Inputs
from bench.runs.inputs import _other_clocks, inputs_read
from bench.settings import TaskSettings
from bench.task import Task
from bench.train import make_model
from bench.types import TaskShape, Window

CPU = torch.device("cpu")
SHORT = TaskSettings(name="short")


def read(name, settings=SHORT):
    torch.manual_seed(0)
    module = registry.load("model", name)
    task = Task(make_data(slots=20 * 48), settings, CPU, days_back=getattr(module, "DAYS_BACK", ()))
    model = make_model(module, dataclasses.asdict(registry.config_class(name)()), task.shape, CPU).eval()
    if hasattr(model, "fit"):
        model.fit(task.series)
    return str(inputs_read(model, task))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("last_value", "nothing"),
        ("window_mean", "nothing"),
        ("historical_average", "calendar, place"),
        ("seasonal_naive_day", "days before (1)"),
        ("seasonal_naive_week", "days before (7)"),
        ("ridge", "calendar, place"),
        ("dlinear", "nothing"),
        ("patchtst", "nothing"),
        ("stid", "calendar, place"),
        ("stresnet", "calendar, days before (1, 2, 3, 7), place"),
    ],
)
def test_each_model_is_seen_to_read_what_its_equations_read(name, wanted):
    assert read(name) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"), [("dlinear", "days before (1, 7)"), ("stid", "calendar, days before (1, 7), place")]
)
def test_days_before_that_the_task_gives_are_read(name, wanted):
    assert read(name, TaskSettings(name="short", days_back="7,1")) == wanted


@pytest.mark.parametrize("name", ["stid", "stresnet"])
def test_what_the_task_withholds_is_not_read(name):
    assert read(name, TaskSettings(name="short", days_back="1", calendar=False)) == "days before (1), place"


def test_days_that_are_blank_in_every_window_are_not_read():
    module = registry.load("model", "stresnet")
    task = Task(make_data(slots=20 * 48), TaskSettings(name="few", fraction=0.1), CPU, days_back=module.DAYS_BACK)
    task.hide_days_unknown_in_training()
    model = make_model(module, dataclasses.asdict(module.Config()), task.shape, CPU).eval()
    assert inputs_read(model, task).days_back == ()


def dropped(frame):
    return nn.functional.dropout(frame, 0.5, training=True)


def with_noise_of_numpy(frame):
    return frame + np.random.rand()  # noqa: NPY002 - as third-party models do


def with_noise_of_python(frame):
    return frame + random.random()


@dataclasses.dataclass
class Drawing:
    """The last value, changed at random."""

    change: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, window):
        return self.change(window.history[:, -1:].repeat(1, 6, 1, 1, 1))


def draws():
    return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002


@pytest.mark.parametrize("change", [dropped, with_noise_of_numpy, with_noise_of_python])
def test_a_model_that_draws_in_evaluation_is_not_taken_for_one_that_reads_everything_and_draws_are_left_alone(change):
    task, context = Task(make_data(slots=20 * 48), SHORT, CPU), RunContext(seed=5, device=CPU)
    context.seed_generators()
    wanted = draws()
    context.seed_generators()
    seen = inputs_read(Drawing(change), task)
    assert draws() == wanted
    assert (seen.calendar, seen.days_back) == (False, ())


@dataclasses.dataclass
class OnSomeSlots:
    """The last value, and one more in some slots of the week, at all cells or at one."""

    slots: Callable[[torch.Tensor], torch.Tensor]
    one_cell: bool = False

    def __call__(self, window):
        forecast = window.history[:, -1:].repeat(1, 6, 1, 1, 1)
        clock = window.horizon_clock
        more = self.slots(clock[..., 1] * 48 + clock[..., 0]).float()[..., None, None, None].expand_as(forecast).clone()
        if self.one_cell:
            more[..., 1:, :] = 0
        return forecast + more


def one_slot_of_sunday(slot):
    return slot == 6 * 48 + 7


def the_weekend(slot):
    return slot >= 5 * 48


@pytest.mark.parametrize("slots", [one_slot_of_sunday, the_weekend])
def test_what_is_read_at_a_few_times_of_the_week_is_seen_too(slots):
    task = Task(make_data(slots=20 * 48), SHORT, CPU)
    assert str(inputs_read(OnSomeSlots(slots), task)) == "calendar"
    assert str(inputs_read(OnSomeSlots(slots, one_cell=True), task)) == "calendar, place"


def test_each_slot_of_the_week_is_met_once_and_each_window_keeps_its_steps_in_a_row():
    task = Task(make_data(slots=20 * 48), SHORT, CPU, days_back=(1,))
    window = task.val.window(torch.tensor([0, 5, 50, 100]))
    met = []
    for clocks in _other_clocks(window, task.shape):
        slots = {name: clock[..., 1] * 48 + clock[..., 0] for name, clock in clocks.items()}
        met += slots["horizon_clock"].flatten().tolist()
        assert ((slots["horizon_clock"][:, 0] - slots["history_clock"][:, -1]) % (7 * 48) == 1).all()
        assert ((slots["horizon_clock"] - slots["past_clock"][:, 0]) % (7 * 48) == 48).all()
    assert sorted(met) == list(range(7 * 48))


@pytest.mark.parametrize(
    ("per_day", "horizon", "season", "times", "met"),
    [(288, 6, "day", 56, 336), (24, 6, "day", 28, 168), (52, 6, "year", 12, 52), (12, 6, "year", 4, 12)],
)
def test_clocks_are_set_to_as_many_times_as_there_are_but_not_to_more_than_enough(per_day, horizon, season, times, met):
    """Of five minutes every sixth half hour is met; a year has no days of the week."""
    shape = TaskShape(history=6, horizon=horizon, channels=1, grid=(1, 1), slots_per_day=per_day, season=season)
    steps = torch.arange(6 + horizon)
    clock = torch.stack([steps % per_day, steps // per_day], dim=-1).expand(4, -1, -1)
    frames = torch.zeros(4, 6, 1, 1, 1)
    window = Window(history=frames, history_valid=frames > 0, history_clock=clock[:, :6], horizon_clock=clock[:, 6:])
    made = list(_other_clocks(window, shape))
    assert 4 * len(made) == times
    slots = torch.stack([clocks["horizon_clock"] for clocks in made]).reshape(-1, 2)
    assert len(slots.unique(dim=0)) == met
    assert slots[:, 1].max() < (7 if season == "day" else 1)


def test_inputs_are_told_in_words():
    assert str(Inputs(calendar=False, days_back=(), place=False)) == "nothing"
    assert str(Inputs(calendar=True, days_back=(7, 1), place=True)) == "calendar, days before (1, 7), place"
