"""What ST-VFM's branches are shown: days before, change and motion, and what a forecast is a change of."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from models import make_window, task_shape
from stvfm_models import BASE, built, make_model, opened
from torch import Tensor

from bench.runs.profiles import PROFILES
from bench.types import Window
from stvfm.config import Config
from stvfm.frames import STIFFNESS, BaseMix, flow, motion, with_days


def bump(row: float, column: float) -> Tensor:
    """A round and high hill on a grid of 15 x 15 cells."""
    rows, columns = torch.meshgrid(torch.arange(15.0), torch.arange(15.0), indexing="ij")
    return 30 * torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)


def test_days_before_stand_in_front_of_the_history_with_the_clock_of_their_own() -> None:
    window = make_window(task_shape(days_back=(7, 1)))
    frames, clock = with_days(window)
    assert torch.equal(frames, torch.cat((window.past[:, 0], window.past[:, 1], window.history), dim=1))
    assert torch.equal(
        clock, torch.cat((window.past_clock[:, 0], window.past_clock[:, 1], window.history_clock), dim=1)
    )


@pytest.mark.parametrize(("down", "right"), [(0.5, 0.0), (0.0, -0.5), (0.4, 0.3)])
def test_motion_is_the_velocity_of_a_hill_that_moves(down: float, right: float) -> None:
    history = torch.stack([bump(7, 7), bump(7 + down, 7 + right)])[None, :, None]
    rows, columns = motion(history)[0, 1].split(1)
    slopes = (history[0, 0, 0, 4:11, 4:11] > 10).float()  # on the hill
    found = [float((part[0, 4:11, 4:11] * slopes).sum() / slopes.sum()) for part in (rows, columns)]
    assert found == pytest.approx([down, right], abs=0.12)


def test_motion_is_the_least_squares_velocity_of_every_cell_and_its_neighbours() -> None:
    history = torch.randn(1, 2, 1, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    change, middle = history[0, 1, 0] - history[0, 0, 0], history[0, :, 0].mean(dim=0)
    found = motion(history)[0, 1]
    for row in range(4):
        for column in range(5):
            gram, right = STIFFNESS * torch.eye(2).double(), torch.zeros(2).double()
            near = [
                (r, c)
                for r in range(max(row - 1, 0), min(row + 2, 4))
                for c in range(max(column - 1, 0), min(column + 2, 5))
            ]
            for r, c in near:
                up, down, left, ahead = max(r - 1, 0), min(r + 1, 3), max(c - 1, 0), min(c + 1, 4)
                slope = torch.stack((middle[down, c] - middle[up, c], middle[r, ahead] - middle[r, left])) / 2
                gram += slope[:, None] * slope / len(near)
                right -= slope * change[r, c] / len(near)
            wanted = torch.linalg.solve(gram, right).clamp(-3, 3)
            torch.testing.assert_close(found[:, row, column], wanted)


def test_nothing_moves_where_nothing_changes_and_in_the_first_step() -> None:
    still = torch.randn(2, 1, 1, 6, 5).expand(2, 3, 1, 6, 5)
    assert not motion(still).any()
    assert not motion(torch.randn(2, 3, 1, 6, 5))[:, 0].any()
    assert motion(torch.full((1, 2, 1, 6, 5), 4.0)).isfinite().all()


def test_the_flow_branch_is_given_change_first_and_then_the_motion_of_each_channel() -> None:
    model, window, seen = built(motion=True), make_window(task_shape()), []
    model.flow.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(window)
    (patches,) = seen
    shown = model.patching.paste(patches)
    assert torch.equal(shown[:, :, :2], flow(window.history))
    assert torch.equal(shown[:, :, 2:], motion(window.history))


def test_the_base_is_a_mix_of_last_value_and_days_before_for_each_step_and_channel() -> None:
    shape = task_shape(days_back=(7, 1))
    mix, window = BaseMix(shape, 2), make_window(shape)
    week, day, last = window.past[:, 0], window.past[:, 1], window.history[:, -1:]
    with torch.no_grad():
        torch.testing.assert_close(mix(window), (week + day + last) / 3)
        mix.weights.zero_()
        mix.weights[0, 1, 0], mix.weights[1, 1, 0], mix.weights[2, 1, 0] = 0.5, 0.2, 0.1
        found = mix(window)
    torch.testing.assert_close(found[:, 1, 0], 0.5 * week[:, 1, 0] + 0.2 * day[:, 1, 0] + 0.1 * last[:, 0, 0])
    assert not found[:, [0, 2]].any()
    assert not found[:, :, 1].any()


def test_the_last_value_stands_in_for_days_before_that_are_not_known() -> None:
    shape = task_shape(days_back=(7, 1))
    window = make_window(shape)
    valid = window.past_valid.clone()
    valid[0] = False
    valid[1, 0, 2, 1, 3, 4] = False
    with torch.no_grad():
        found = BaseMix(shape, 2)(dataclasses.replace(window, past_valid=valid))
        torch.testing.assert_close(found[0], window.history[0, -1:].expand(3, -1, -1, -1))
        wanted = (window.past[1, 1, 2, 1, 3, 4] + 2 * window.history[1, -1, 1, 3, 4]) / 3
        torch.testing.assert_close(found[1, 2, 1, 3, 4], wanted)


@pytest.mark.parametrize(
    ("changes", "reads"),
    [({}, False), ({"days": True}, True), ({"base": "mixed"}, True), ({"base": "mixed", "residual": False}, False)],
    ids=str,
)
def test_days_before_are_read_by_the_settings_that_say_so_alone(changes: dict[str, object], reads: bool) -> None:
    model, window = built(**changes).eval(), make_window(task_shape(), model="stvfm")
    other = dataclasses.replace(window, past=window.past + 1)
    with torch.no_grad():
        assert torch.equal(model(window), model(other)) != reads
        assert reads or torch.equal(model(window), model(dataclasses.replace(window, past=None, past_clock=None)))


EVERYTHING: dict[str, Any] = {
    "days": True,
    "motion": True,
    "joined": True,
    "depths": "all",
    "series": True,
    "base": "mixed",
    "tuning": "norms",
}


@pytest.mark.parametrize("changes", [PROFILES["paper"].members["stvfm"] | {"depth": 1}, EVERYTHING], ids=str)
@pytest.mark.parametrize(("history", "horizon", "channels"), [(1, 1, 1), (6, 3, 2), (3, 12, 1)])
def test_with_all_switches_a_forecast_is_the_same_alone_and_in_a_batch_on_any_grid(
    changes: dict[str, Any], history: int, horizon: int, channels: int
) -> None:
    shape = task_shape((5, 7), channels=channels, horizon=horizon, history=history)
    model, window = opened(make_model(Config(**BASE | changes), shape)).eval(), make_window(shape, model="stvfm")
    with torch.no_grad():
        together = model(window)
        alone = model(Window(**{name: tensor[1:2] for name, tensor in vars(window).items()}))
    assert together.shape == (3, horizon, channels, 5, 7)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)
