"""The control "shuffled": an order of patches for each window that nothing trained can undo."""

from __future__ import annotations

import dataclasses

import torch
from models import make_window, task_shape
from stvfm_models import built, opened
from torch import Tensor

from stvfm.shuffling import orders

SALT = torch.tensor(12345)


def histories(windows: int) -> Tensor:
    return torch.randn(windows, 2, 1, 3, 4, generator=torch.Generator().manual_seed(0))


def test_every_order_holds_every_place_once() -> None:
    found = orders(histories(50), 12, SALT)
    assert found.shape == (50, 12)
    assert all(sorted(order) == list(range(12)) for order in found.tolist())


def test_a_patch_meets_every_place_about_equally_often() -> None:
    found = orders(histories(6000), 6, SALT)
    counts = torch.stack([(found == patch).sum(0) for patch in range(6)])  # [patch, place], 1000 expected
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 60  # chi-square of 25 degrees of freedom
    assert len({tuple(order) for order in found.tolist()}) == 720  # and every order occurs


def test_the_least_change_of_a_window_gives_an_unrelated_order() -> None:
    history = histories(200)
    changed = history.clone()
    changed[:, 0, 0, 0, 0] = torch.nextafter(changed[:, 0, 0, 0, 0], torch.tensor(9.0))
    alike = (orders(history, 10, SALT) == orders(changed, 10, SALT)).float().mean()
    assert abs(float(alike) - 0.1) < 0.03
    swapped = history.flip(-1)
    assert abs(float((orders(history, 10, SALT) == orders(swapped, 10, SALT)).float().mean()) - 0.1) < 0.03


def test_a_window_has_one_order_alone_in_a_batch_and_in_another_order_of_the_batch() -> None:
    history = histories(20)
    found = orders(history, 9, SALT)
    assert torch.equal(torch.cat([orders(window[None], 9, SALT) for window in history]), found)
    assert torch.equal(orders(history.flip(0), 9, SALT), found.flip(0))
    assert not torch.equal(orders(history, 9, SALT + 1), found)


def test_a_shuffled_model_forecasts_a_window_alike_alone_and_in_a_batch() -> None:
    model, window = opened(built(control="shuffled")).eval(), make_window(task_shape(), batch=4)
    with torch.no_grad():
        together = model(window)
        for number in range(4):
            one = dataclasses.replace(
                window,
                history=window.history[number : number + 1],
                history_clock=window.history_clock[number : number + 1],
                horizon_clock=window.horizon_clock[number : number + 1],
            )
            torch.testing.assert_close(model(one)[0], together[number], rtol=1e-4, atol=1e-4)


def test_shuffled_patches_are_at_wrong_places_alone() -> None:
    """Where no place is marked a vision transformer sees a set, and the order of its patches is nothing to it."""
    models = [opened(built(control=control)).eval() for control in ("none", "shuffled")]
    window = make_window(task_shape())
    with torch.no_grad():
        straight, shuffled = (model(window) for model in models)
        assert not torch.allclose(straight, shuffled, atol=1e-3)
        for model in models:
            model.backbone.positions.zero_()
            for adapter in (model.raw, model.flow):
                adapter.space.zero_()
        torch.testing.assert_close(*(model(window) for model in models), rtol=1e-4, atol=1e-4)


def test_no_table_of_places_can_tell_where_a_shuffled_patch_came_from() -> None:
    """What meets a row of the trained table is the content of another place in every window."""
    model, rows = built(control="shuffled").eval(), []
    model.raw.patch.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0]))
    history = torch.zeros(300, 4, 2, 6, 5)
    history[:, :, :, 0, 0] = torch.rand(300, 1, 1) + 1  # only the first patch holds anything
    window = dataclasses.replace(make_window(task_shape(), batch=300), history=history)
    with torch.no_grad():
        model(window)
    met = rows[0][:, -1].abs().sum(-1).argmax(1)  # the row at which the first patch arrived
    counts = torch.bincount(met, minlength=9)
    assert counts.min() > 10
    assert counts.max() < 70
