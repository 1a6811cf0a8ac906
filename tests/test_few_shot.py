"""Few windows: which they are, what they know, and how long is trained on them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from builders import make_data

from bench.context import RunContext
from bench.settings import TASKS, TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, train_model

CPU = torch.device("cpu")
FEW = TaskSettings(name="few10", fraction=0.1)
FIRST = dataclasses.replace(FEW, protocol="unist", windows="first")
DAY = 48


class Seen(torch.nn.Module):
    """A level for every step; remembers the past of every window it is shown, by whether it is trained."""

    def __init__(self, shape):
        super().__init__()
        self.level, self.horizon = torch.nn.Parameter(torch.zeros(())), shape.horizon
        self.pasts = {True: [], False: []}

    def forward(self, window):
        self.pasts[self.training].append(window.past)
        return self.level + window.history[:, -1:].expand(-1, self.horizon, -1, -1, -1)


def trained(task, **recipe):
    context = RunContext(seed=0, device=CPU)
    context.begin()
    model = Seen(task.shape)
    training = train_model(model, task, TrainSettings(**{"epochs": 1, "batch_size": 16, **recipe}), context)
    return model, training


def test_which_windows_are_few_follows_from_the_protocol_unless_it_is_said():
    assert TaskSettings(name="x", fraction=0.1).windows == "last"
    assert TaskSettings(name="x", fraction=0.1, protocol="unist").windows == "first"
    assert TaskSettings(name="x", fraction=0.1, windows="first").windows == "first"
    assert TaskSettings(name="x", windows="last", equal_steps=False) == TaskSettings(name="x")
    assert [task.fraction for name, task in TASKS.items() if name.startswith("few")] == [
        0.01,
        0.02,
        0.05,
        0.1,
        0.25,
        0.5,
    ]


def test_the_last_windows_and_the_first_of_validation_are_one_unbroken_stretch():
    task = Task(make_data(slots=1000), FEW, CPU)
    origins = task.first_origins()
    counts = {"train": 68, "val": 14, "test": 145, "per_epoch": 689}
    assert task.counts() == {**counts, "val_there": 14, "test_there": 145}
    assert origins["train"] == (694 - 67, 694)
    assert origins["val"] == (700, 713)
    assert origins["test"] == (850, 994)


def test_published_tables_take_the_first_windows_and_validate_on_all():
    task = Task(make_data(slots=1000), FIRST, CPU)
    assert task.first_origins()["train"] == (6, 6 + 67)
    assert task.counts()["val"] == 139
    assert task.scaler.fitted_on == (0, task.train_stop)


def test_a_city_that_began_to_measure_knows_nothing_of_what_lies_before():
    data = make_data(slots=1000)
    start = 694 - 67 - 6
    changed = data.values.copy()
    changed[:start] = 1e6
    task, other = (
        Task(make_data(slots=1000, values=values), FEW, CPU, days_back=(1,)) for values in (data.values, changed)
    )
    assert task.scaler.fitted_on == other.scaler.fitted_on == (start, 700)
    mean = data.values[start:700].astype(np.float64).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(other.scaler.center.flatten().numpy(), mean, rtol=1e-6)
    assert len(task.series.values) == 700 - start
    assert torch.equal(task.series.values, other.series.values)
    assert torch.equal(task.series.clock, torch.from_numpy(data.clock[start:700]))
    for one, two in ((task.train, other.train), (task.val, other.val), (task.open_test(), other.open_test())):
        every = torch.arange(len(one))
        assert torch.equal(one.window(every).history, two.window(every).history)
        assert torch.equal(one.window(every).past, two.window(every).past)


@pytest.mark.parametrize("batch", [16, 500])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 1.0])
def test_every_fraction_takes_as_many_steps(fraction, batch):
    task = Task(make_data(slots=1000), TaskSettings(name="few", fraction=fraction), CPU)
    model, _ = trained(task, batch_size=batch)
    assert len(model.pasts[True]) == -(-689 // batch)


def test_steps_are_as_few_as_the_windows_where_that_is_asked_for_as_older_versions_did():
    task = Task(make_data(slots=1000), dataclasses.replace(FEW, equal_steps=False), CPU)
    model, _ = trained(task)
    assert len(model.pasts[True]) == 5


def test_each_pass_over_few_windows_is_shuffled_anew_and_has_them_all():
    windows = Task(make_data(slots=1000), FEW, CPU).train
    batches = windows.drawn(13, 16, torch.Generator().manual_seed(0))
    passes = [torch.cat(batches[start : start + 5]).tolist() for start in (0, 5)]
    assert len(batches) == 13
    assert [sorted(one) for one in passes] == [list(range(68))] * 2
    assert passes[0] != passes[1]


def test_validation_still_stops_a_few_shot_run():
    class Worse(Seen):
        def forward(self, window):
            self.level.data += not self.training
            return super().forward(window)

    task = Task(make_data(slots=1000), FEW, CPU)
    settings = TrainSettings(epochs=20, patience=2, batch_size=16)
    training = Trainer(Worse(task.shape), task, settings, RunContext(seed=0, device=CPU)).run()
    assert (training.best_epoch, training.epoch) == (1, 3)


# Days before ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [FEW, FIRST], ids=["last windows", "first windows"])
def test_a_day_before_that_few_shot_training_cannot_know_is_blank_in_its_test_too(settings):
    more = dataclasses.replace(settings, fraction=0.25)
    task = Task(make_data(slots=20 * DAY), more, CPU, days_back=(1, 7))
    model, _ = trained(task)
    assert task.days_hidden == (7,)  # of 165 windows 123 know the day before, and none the week
    test = task.open_test()
    past = test.window(torch.arange(len(test))).past
    assert not past[:, 1].any()
    assert past[:, 0].any()
    assert all(not seen[:, 1].any() for part in model.pasts.values() for seen in part)


def test_where_no_day_before_is_known_in_training_none_is_in_the_test():
    task = Task(make_data(slots=20 * DAY), FEW, CPU, days_back=(1, 7))
    trained(task)
    assert task.days_hidden == (1, 7)  # of 66 windows 24 know the day before
    test = task.open_test()
    assert not test.window(torch.arange(len(test))).past.any()


def test_a_day_before_that_most_training_windows_know_stays_in_training_and_test():
    for days, hidden in ((18, (7,)), (21, ())):  # of which 70 % are for training
        task = Task(make_data(slots=days * DAY), TaskSettings(name="short"), CPU, days_back=(1, 7))
        trained(task)
        test = task.open_test()
        assert task.days_hidden == hidden
        assert test.window(torch.arange(len(test))).past_valid[:, 0].all()


def test_a_model_that_is_not_trained_keeps_every_day_that_is_known():
    task = Task(make_data(slots=20 * DAY), FEW, CPU, days_back=(1, 7))
    frozen = Seen(task.shape).requires_grad_(requires_grad=False)
    train_model(frozen, task, TrainSettings(), RunContext(seed=0, device=CPU))
    test = task.open_test()
    assert task.days_hidden == ()
    assert test.window(torch.arange(len(test))).past_valid[:, 0].all()
