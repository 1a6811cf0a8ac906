"""ST-VFM's switches: each changes the computation it names and nothing else, and every shape of data fits."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest
import torch
from models import make_window, task_shape
from stvfm_models import built, forecast, make_model, opened, trained, weights_of

from bench.catalog import registry
from bench.errors import ConfigError
from bench.runs.suite import validated
from stvfm.backbones import BACKBONES
from stvfm.model import Config

PARTS = ("backbone", "raw", "flow", "rounds", "head")
# a switch, and the parts whose weights it may change
SWITCHES: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({"flow": False}, ("flow", "rounds", "head")),
    ({"tata": False}, ("raw", "flow")),
    ({"pool": "attention"}, ("raw", "flow")),
    ({"coordination": "raw_from_flow"}, ("rounds",)),
    ({"coordination": "flow_from_raw"}, ("rounds",)),
    ({"coordination": "concat"}, ("rounds",)),
    ({"coordination": "none"}, ("rounds",)),
    ({"prompts": 2}, ("rounds",)),
    ({"rounds": 2}, ("rounds",)),
    ({"head": "linear"}, ("head",)),
    ({"hidden": 32}, ("head",)),
    ({"layers": 1}, ("head",)),
    ({"identity": False}, ("head",)),
    ({"calendar": False}, ("head",)),
    ({"amplitude": False}, ()),
    ({"residual": False}, ()),
    ({"depth": 2}, ("backbone",)),
    ({"control": "identity"}, ("backbone",)),
    ({"control": "attention"}, ("backbone",)),
    ({"control": "shuffled"}, ()),
    ({"tokens": "image"}, ("backbone", "raw", "flow")),
    ({"days": True}, ("raw",)),
    ({"motion": True}, ("flow",)),
    ({"series": True}, ("head",)),
    ({"base": "mixed"}, ()),
    ({"joined": True}, ()),
)
QUIET: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (  # the first forecast is the same
    ({"control": "scratch"}, ()),
    ({"tuning": "full"}, ()),
    ({"tuning": "norms"}, ()),
    ({"depths": "all"}, ()),
    ({"tuning": "lora"}, ("backbone",)),
    ({"lora_rank": 2}, ()),
    ({"recompute": True}, ("backbone",)),
    ({"dropout": 0.4}, ()),
)
ELSEWHERE = {"patch", "backbone", "weights", "colours", "places"}  # each has tests of its own


def test_every_setting_has_a_test() -> None:
    tested = {name for changes, _ in SWITCHES + QUIET for name in changes}
    assert tested | ELSEWHERE == {field.name for field in dataclasses.fields(Config)}


@pytest.mark.parametrize(("changes", "parts"), SWITCHES + QUIET, ids=str)
def test_a_switch_moves_no_initial_weight_of_the_parts_it_does_not_name(
    changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    usual, changed = built(), built(**changes)
    for part in PARTS:
        before, after = weights_of(usual, part), weights_of(changed, part)
        if part in parts:
            assert before.keys() != after.keys() or any(before[n].shape != after[n].shape for n in before)
            continue
        assert before.keys() == after.keys()
        assert not {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("changes", [changes for changes, _ in SWITCHES], ids=str)
def test_a_switch_changes_the_forecast(changes: dict[str, Any]) -> None:
    assert not torch.allclose(forecast(opened(built(**changes))), forecast(opened(built())))


@pytest.mark.parametrize("changes", [changes for changes, _ in QUIET], ids=str)
def test_a_switch_of_training_leaves_the_first_forecast_as_it_was(changes: dict[str, Any]) -> None:
    assert torch.equal(forecast(built(**changes)), forecast(built()))


@pytest.mark.parametrize("changes", [{}, *(changes for changes, _ in SWITCHES + QUIET)], ids=str)
def test_gradients_reach_every_trained_weight_and_no_frozen_one(changes: dict[str, Any]) -> None:
    model = opened(built(**changes)).train()
    (model(make_window(task_shape(), model="stvfm")) ** 2).mean().backward()
    assert len(trained(model)) > 10
    for name, weight in model.named_parameters():
        assert (weight.grad is not None and bool(weight.grad.any())) == weight.requires_grad, name


def test_dropout_acts_in_training_alone() -> None:
    window, (none, some) = make_window(task_shape()), (built(dropout=0.0).train(), built(dropout=0.4).train())
    assert torch.equal(none(window), none(window))
    assert not torch.equal(some(window), some(window))
    assert torch.equal(forecast(none), forecast(some))


def test_without_tata_and_calendar_the_clock_is_not_read() -> None:
    window = make_window(task_shape())
    later = dataclasses.replace(window, history_clock=window.history_clock * 0, horizon_clock=window.horizon_clock * 0)
    with torch.no_grad():
        for changes, reads in (({}, True), ({"tata": False}, True), ({"tata": False, "calendar": False}, False)):
            model = built(**changes).eval()
            assert torch.equal(model(window), model(later)) != reads


def test_one_way_prompts_condition_one_branch_and_leave_the_other() -> None:
    raw, flowing, other = torch.randn(3, 2, 9, 192, generator=torch.Generator().manual_seed(0))
    for direction, conditioned in (("raw_from_flow", 0), ("flow_from_raw", 1)):
        (coordinate,) = opened(built(coordination=direction)).rounds
        with torch.no_grad():
            found = coordinate(raw, flowing)
            elsewhere = coordinate(*((raw, other) if conditioned == 0 else (other, flowing)))
        assert not torch.allclose(found[conditioned], elsewhere[conditioned])
        assert torch.equal(found[1 - conditioned], (raw, flowing)[1 - conditioned])


def test_bilateral_prompts_are_those_of_both_one_way_switches() -> None:
    raw, flowing = torch.randn(2, 2, 9, 192, generator=torch.Generator().manual_seed(0))
    (both,) = opened(built()).rounds
    with torch.no_grad():
        found = both(raw, flowing)
        torch.testing.assert_close(found[0], both.to_raw(raw, flowing))
        torch.testing.assert_close(found[1], both.to_flow(flowing, raw))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"weights": "none"}, "weights=none belongs to the controls"),
        ({"control": "identity", "tuning": "lora"}, "control=identity has no frozen backbone"),
        ({"control": "scratch", "tuning": "full"}, "control=scratch has no frozen backbone"),
        ({"coordination": "both"}, "model .stvfm..coordination"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_runs(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        validated(registry.config_class("stvfm"), given, "model (stvfm)")


GRIDS = ((10, 20), (16, 8), (16, 12), (28, 32), (32, 18), (18, 12))  # the last is a canvas of 207 sensors
SIZES = ((6, 6, 2), (1, 1, 1), (12, 3, 3))  # P, F, C
CASES = [(grid, patch, *SIZES[(n + patch) % 3]) for n, grid in enumerate(GRIDS) for patch in (1, 2, 4)]


@pytest.mark.parametrize("tata", [True, False])
@pytest.mark.parametrize(("grid", "patch", "history", "horizon", "channels"), CASES)
def test_every_grid_patch_history_horizon_and_channel_count_fits(
    grid: tuple[int, int], patch: int, history: int, horizon: int, channels: int, tata: bool
) -> None:
    shape = task_shape(grid, channels=channels, horizon=horizon, history=history)
    model = make_model(Config(patch=patch, depth=1, tata=tata), shape).eval()
    with torch.no_grad():
        found = model(make_window(shape, batch=1))
    assert found.shape == (1, horizon, channels, *grid)
    assert found.isfinite().all()


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_every_cell_of_a_padded_grid_is_read_and_forecast_in_its_place(patch: int) -> None:
    shape = task_shape((5, 6), channels=1, horizon=1, history=2)
    model = make_model(Config(patch=patch, control="identity", coordination="none"), shape).eval()
    window = make_window(shape, batch=1)
    touched = window.history.clone()
    touched[0, 0, 0, 4, 5] += 1.0
    with torch.no_grad():
        moved = (model(dataclasses.replace(window, history=touched)) - model(window))[0, 0, 0] != 0
    rows, columns = slice(4 // patch * patch, 5), slice(5 // patch * patch, 6)
    assert moved[rows, columns].all()
    assert moved.sum() == moved[rows, columns].numel()  # without a backbone, nothing leaves its patch


def test_the_backbones_that_can_be_chosen_are_those_of_the_table() -> None:
    assert set(get_args(get_type_hints(Config)["backbone"])) == set(BACKBONES)
