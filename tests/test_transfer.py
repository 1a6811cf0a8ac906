"""Training on several cities: the same as a plain loop over one set of weights, and blind to the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data
from cities import RECIPE, Line, city, opened, same, transferred, weights
from torch import nn

from bench.errors import LeakError
from bench.settings import TASKS, TaskSettings
from bench.transfer import joint_scaler

TARGET, FIRST, SECOND = city((3, 4)), city((2, 5), seed=1), city((4, 3), seed=2, slots=300)


def plain_loop(task, recipe):
    """One set of weights, batch after batch, each of the city that is drawn; early stopping by the mean error."""
    torch.manual_seed(3)
    model = Line.Model(task.shape)
    decayed, plain = model.linear.weight, model.linear.bias
    groups = [{"params": [decayed]}, {"params": [plain], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * recipe.steps_per_epoch
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps + 1, pct_start=recipe.warmup)
    order, share = torch.Generator().manual_seed(3), [len(source.train) for source in task.sources]
    share = [count / sum(share) for count in share]
    best, least, errors = None, np.inf, []
    for _ in range(recipe.epochs):
        numbers = torch.multinomial(torch.tensor(share), recipe.steps_per_epoch, replacement=True, generator=order)
        windows = [[], []]
        for number, source in enumerate(task.sources):
            for chosen in torch.split(torch.randperm(len(source.train), generator=order), recipe.batch_size):
                windows[number].append(chosen)
        for number in numbers.tolist():
            set_ = task.sources[number].train
            optimizer.zero_grad()
            chosen = windows[number].pop(0)
            target = set_.scaler.scaled(set_.target(chosen)[0])
            (model(set_.window(chosen)) - target).abs().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            rates.step()
        error = 0.0
        for part, source in zip(share, task.sources, strict=True):
            every = torch.arange(len(source.val))
            with torch.no_grad():
                apart = model(source.val.window(every)) - source.scaler.scaled(source.val.target(every)[0])
            error += part * float(apart.double().abs().mean())
        errors.append(error)
        if error < least:
            best, least = weights(model), error
    return best, errors


def test_several_cities_are_trained_on_as_by_a_plain_loop_over_one_set_of_weights():
    task = opened(TARGET, FIRST, SECOND)
    recipe = replace(RECIPE, epochs=4, lr=0.05)
    model, training = transferred(task, recipe=recipe)
    best, errors = plain_loop(task, recipe)
    for name, value in best.items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert [row["val_mae"] for row in training.curve] == pytest.approx(errors, rel=1e-5)
    assert training.val is None
    assert training.on_sources == training.epoch == 4


def test_the_scaler_of_the_sources_is_that_of_all_their_training_values_together():
    mask = np.random.default_rng(0).random((300, 2, 4, 3)) > 0.3
    sparse = make_data(slots=300, grid=(4, 3), values=SECOND.values, mask=mask)
    task = opened(TARGET, FIRST, sparse)
    for channel in range(2):
        known = np.concatenate(
            [FIRST.values[:280, channel].ravel(), sparse.values[:210, channel][mask[:210, channel]]]
        ).astype(np.float64)
        scaler = task.scaler
        assert float(scaler.center[channel]) == pytest.approx(known.mean(), rel=1e-6)
        assert float(scaler.scale[channel]) == pytest.approx(known.std(), rel=1e-6)
        assert (float(scaler.low[channel]), float(scaler.high[channel])) == (known.min(), known.max())
    assert scaler.fitted_on == (0, 0)
    assert all(torch.equal(source.train.scaler.center, task.val.scaler.center) for source in task.sources)


def test_a_channel_that_a_source_never_observes_takes_its_scale_from_the_others():
    nothing = np.ones(SECOND.values.shape, dtype=bool)
    nothing[:210, 1] = False
    blind = make_data(slots=300, grid=(4, 3), values=SECOND.values, mask=nothing)
    alone, both = (joint_scaler(opened(TARGET, *sources).sources) for sources in ((FIRST,), (FIRST, blind)))
    assert float(both.scale[1]) == float(alone.scale[1])
    assert float(both.scale[0]) != float(alone.scale[0])


def test_a_scaler_of_the_target_knows_its_adaptation_windows_alone_and_scales_the_sources_too():
    task = opened(TARGET, FIRST, task="transfer1", scaler="target")
    start, stop = task.train_start, task.train_stop
    assert task.scaler.fitted_on == (start, stop)
    assert stop - start == 11 + len(task.train)
    assert float(task.scaler.center[0]) == pytest.approx(TARGET.values[start:stop, 0].mean(dtype=np.float64), rel=1e-6)
    assert task.sources[0].train.scaler is task.scaler


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"fraction": 0.0}, "without sources"),
        ({"scaler": "target"}, "needs sources"),
        ({"scaler": "target", "fraction": 0.0, "sources": "a"}, "windows of the target"),
        ({"sources": "a", "leaky_scaler": True}, "excludes sources"),
    ],
)
def test_a_task_with_nothing_to_train_on_or_to_scale_by_is_refused(switches, words):
    with pytest.raises(ValueError, match=words):
        TaskSettings(name="x", **switches)


def test_sources_are_the_same_in_any_order_and_spelling():
    assert TaskSettings(name="x", sources="b, a,b") == TaskSettings(name="x", sources="a,b")


def test_no_value_of_the_target_reaches_what_is_trained_without_its_windows():
    task = opened(TARGET, FIRST, SECOND)
    model, _ = transferred(task)
    other = replace(TARGET, values=np.random.default_rng(9).uniform(0, 900, TARGET.values.shape).astype(np.float32))
    changed = opened(other, FIRST, SECOND)
    blind, _ = transferred(changed)
    assert same(weights(model), weights(blind))
    assert torch.equal(task.scaler.scale, changed.scaler.scale)


@pytest.mark.parametrize(("changed", "moves"), [(slice(0, 280), True), (slice(340, 400), False)])
def test_training_values_of_a_source_move_the_weights_and_its_test_does_not(changed, moves):
    values = FIRST.values.copy()
    values[changed] += 20
    before, _ = transferred(opened(TARGET, FIRST, SECOND))
    after, _ = transferred(opened(TARGET, replace(FIRST, values=values), SECOND))
    assert same(weights(before), weights(after)) != moves


def test_the_best_weights_are_those_of_the_sources_validation():
    values = FIRST.values.copy()
    values[280:340] = 0  # of validation alone
    recipe = replace(RECIPE, epochs=6, lr=0.2)
    chosen = [transferred(opened(TARGET, one), recipe=recipe)[1] for one in (FIRST, replace(FIRST, values=values))]
    assert chosen[0].best_epoch != chosen[1].best_epoch
    assert [row["train_loss"] for row in chosen[0].curve] == [row["train_loss"] for row in chosen[1].curve]


def test_the_test_of_a_source_stays_closed():
    with pytest.raises(LeakError):
        opened(TARGET, FIRST).sources[0].open_test()


def test_adaptation_goes_on_from_the_weights_of_the_sources_on_few_windows():
    task = opened(TARGET, FIRST, task="transfer1")
    assert task.counts() == {
        "train": 2, "per_epoch": 269, "val": 1, "test": 55, "val_there": 1, "test_there": 55, "sources": 269,
    }  # fmt: skip
    before, _ = transferred(opened(TARGET, FIRST))
    model, training = transferred(task)
    assert not same(weights(before), weights(model))
    assert [row["epoch"] for row in training.curve] == [1, 2, 3, 4, 5, 6]
    assert (training.epoch, training.on_sources) == (6, 3)
    assert 3 < training.best_epoch <= 6
    frozen, _ = transferred(task, recipe=replace(RECIPE, lr=1e-12))
    start, _ = transferred(opened(TARGET, FIRST), recipe=replace(RECIPE, lr=1e-12))
    torch.testing.assert_close(weights(frozen), weights(start))


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("epoch", [2, 3, 5])
def test_training_that_is_stopped_goes_on_to_the_same_weights(tmp_path, epoch):
    def stop(row):
        if row["epoch"] == epoch:
            raise StoppedError

    whole, training = transferred(opened(TARGET, FIRST, SECOND, task="transfer1"))
    checkpoint = tmp_path / "run.pt"
    with pytest.raises(StoppedError):
        transferred(opened(TARGET, FIRST, SECOND, task="transfer1"), checkpoint=checkpoint, on_epoch=stop)
    resumed, again = transferred(opened(TARGET, FIRST, SECOND, task="transfer1"), checkpoint=checkpoint)
    assert same(weights(whole), weights(resumed))
    assert again.curve == training.curve


class Last(Line):
    class Model(nn.Module):
        def __init__(self, shape, config=None):
            super().__init__()
            self.horizon = shape.horizon

        def forward(self, window):
            return window.history[:, -1:].expand(-1, self.horizon, -1, -1, -1)


def test_a_model_without_anything_to_train_is_used_as_it_is():
    _, training = transferred(opened(TARGET, FIRST), Last)
    assert (training.epoch, training.curve) == (0, [])


def autoregressive(sign, grid, seed):
    """Deviations from a level that keep their sign from step to step, or change it."""
    random = np.random.default_rng(seed)
    values = np.zeros((600, 2, *grid))
    for slot in range(1, 600):
        values[slot] = sign * 0.9 * values[slot - 1] + random.normal(size=(2, *grid))
    return make_data(slots=600, grid=grid, values=(20 + values).astype(np.float32))


@pytest.mark.parametrize(("sign", "better"), [(-1, True), (1, False)])
def test_what_was_learnt_elsewhere_helps_where_the_dynamics_are_the_same_and_only_there(sign, better):
    target, source = autoregressive(-1, (3, 4), 0), autoregressive(sign, (2, 5), 1)
    task = opened(target, source)
    model, _ = transferred(task, recipe=replace(RECIPE, epochs=10, steps_per_epoch=30, lr=0.02))
    windows = task.open_test()
    every = torch.arange(len(windows))
    truth = windows.scaler.scaled(windows.target(every)[0])
    with torch.no_grad():
        window = windows.window(every)
        ours, last = (float((f - truth).abs().mean()) for f in (model(window), Last.Model(task.shape)(window)))
    assert (ours < 0.8 * last) == better


def test_a_day_before_that_the_adaptation_does_not_know_is_blank_on_the_sources_too():
    class Past(Line):
        DAYS_BACK = (1,)

    for name, hidden in (("transfer", ()), ("transfer1", (1,))):
        task = opened(TARGET, FIRST, task=name, plugin=Past)
        task.hide_days_unknown_in_training()
        assert [one.days_hidden for one in (task, *task.sources)] == [hidden, hidden]


def test_without_windows_of_its_own_a_city_has_no_past_before_validation():
    class Past(Line):
        DAYS_BACK = (1,)

    task = opened(TARGET, FIRST, plugin=Past)
    assert task.first_origins()["train"] == (0, 0)
    assert task.series.values.shape[0] == 0
    first, last = (task.val.window(torch.tensor([at])) for at in (0, len(task.val) - 1))
    assert not first.past_valid.any()
    assert last.past_valid.all()
    assert TASKS["transfer"].windows == "all"
