"""ST-VFM's switches: each changes the computation it names and nothing else, and controls say what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from builders import make_data
from test_stvfm import make_model, make_window, task_shape
from torch import Tensor, nn

from bench import registry
from bench.context import RunContext
from bench.errors import ConfigError
from bench.settings import TaskSettings, TrainSettings
from bench.suite import validated
from bench.task import Task
from bench.train import Trainer
from stvfm.backbones import BACKBONES, Backbone
from stvfm.body import Shuffled, add_lora
from stvfm.model import Config, Model

PARTS = ("backbone", "raw", "flow", "rounds", "head")
BASE: dict[str, Any] = {"depth": 1, "patch": 2, "layers": 2}
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
    ({"control": "shuffled"}, ("backbone",)),
)
QUIET: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (  # the first forecast is the same
    ({"control": "scratch"}, ()),
    ({"tuning": "full"}, ()),
    ({"tuning": "lora"}, ("backbone",)),
    ({"lora_rank": 2}, ()),
    ({"recompute": True}, ("backbone",)),
    ({"dropout": 0.4}, ()),
)
ELSEWHERE = {"patch", "backbone", "weights"}  # each has tests of its own


def built(**changes: Any) -> Model:
    return make_model(Config(**BASE | changes))


def opened(model: Model) -> Model:
    """With every gate and every low-rank correction off its start at 0, where it would hide what is behind it."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(".gate"):
                weight.fill_(0.5)
            if name.endswith("weight.0.b"):
                weight.normal_(std=0.1)
    return model


def forecast(model: Model) -> Tensor:
    with torch.inference_mode():
        return model.eval()(make_window(task_shape()))


def weights_of(model: Model, part: str) -> dict[str, Tensor]:
    module = getattr(model, part)
    return {} if module is None else {name: value.detach() for name, value in module.named_parameters()}


def trained(model: nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


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
        differing = {name for name in before if not torch.equal(before[name], after[name])}
        assert differing <= {"scale"} if "control" in changes else not differing


@pytest.mark.parametrize("changes", [changes for changes, _ in SWITCHES], ids=str)
def test_a_switch_changes_the_forecast(changes: dict[str, Any]) -> None:
    assert not torch.allclose(forecast(opened(built(**changes))), forecast(opened(built())))


@pytest.mark.parametrize("changes", [changes for changes, _ in QUIET], ids=str)
def test_a_switch_of_training_leaves_the_first_forecast_as_it_was(changes: dict[str, Any]) -> None:
    assert torch.equal(forecast(built(**changes)), forecast(built()))


@pytest.mark.parametrize("changes", [{}, *(changes for changes, _ in SWITCHES + QUIET)], ids=str)
def test_gradients_reach_every_trained_weight_and_no_frozen_one(changes: dict[str, Any]) -> None:
    model = opened(built(**changes)).train()
    (model(make_window(task_shape())) ** 2).mean().backward()
    assert len(trained(model)) > 10
    for name, weight in model.named_parameters():
        assert (weight.grad is not None and bool(weight.grad.any())) == weight.requires_grad, name


@pytest.mark.parametrize("changes", [{}, {"control": "shuffled"}, {"tuning": "lora"}, {"recompute": True}], ids=str)
def test_what_is_frozen_is_the_same_bits_after_training_and_in_no_checkpoint(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    context = RunContext(seed=0, device=torch.device("cpu"))
    context.begin()
    task = Task(make_data(slots=300), TaskSettings(), context.device)
    model = Model(task.shape, Config(**{**BASE, **changes}))
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    assert sum(weight.numel() for weight in frozen.values()) > 400_000  # a block of width 192
    trainer = Trainer(model, task, TrainSettings(epochs=2, steps_per_epoch=2, batch_size=4), context)
    trainer.run(tmp_path / "run.pt")
    assert all(torch.equal(model.get_parameter(name), weight) for name, weight in frozen.items())
    assert all(model.get_parameter(name).grad is None for name in frozen)
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert state["model"].keys() == model.state_dict().keys() - frozen.keys() == trained(model)
    held = sum(len(group["params"]) for group in trainer.optimizer.param_groups)
    assert held == len(trained(model))


def test_tuning_decides_what_of_the_backbone_is_trained() -> None:
    def share(**changes: Any) -> set[str]:
        return {name for name in trained(built(**changes)) if name.startswith("backbone.")}

    low_rank = share(tuning="lora")
    assert share() == share(control="shuffled") == share(control="identity") == set()
    assert (
        share(tuning="full") == share(control="scratch") == {f"backbone.{n}" for n in weights_of(built(), "backbone")}
    )
    assert low_rank
    assert all(".attn." in name and name.endswith((".weight.0.a", ".weight.0.b")) for name in low_rank)


def test_a_low_rank_correction_is_a_product_of_two_thin_matrices() -> None:
    block = opened(built(tuning="lora", lora_rank=2)).get_submodule("backbone.blocks.0.attn.qkv")
    plain = built().get_parameter("backbone.blocks.0.attn.qkv.weight")
    correction = (block.weight - plain).detach()
    assert torch.linalg.matrix_rank(correction, rtol=1e-4) == 2


def test_lora_reaches_the_attention_of_every_library() -> None:
    class Block(nn.Module):  # as in open_clip
        def __init__(self) -> None:
            super().__init__()
            self.attn, self.mlp = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

        def forward(self, hidden: Tensor) -> Tensor:
            return self.mlp(self.attn(hidden, hidden, hidden, need_weights=False)[0])

    torch.manual_seed(0)
    blocks, tokens = nn.Sequential(Block()).requires_grad_(False), torch.randn(1, 3, 8)
    before = blocks(tokens)
    add_lora(blocks, rank=2)
    assert len(trained(blocks)) == 4
    assert torch.equal(blocks(tokens), before)
    with torch.no_grad():
        for name in trained(blocks):
            blocks.get_parameter(name).normal_()
    assert not torch.allclose(blocks(tokens), before)


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


@pytest.mark.parametrize("control", ["identity", "attention", "scratch"])
def test_a_control_without_pretrained_part_asks_for_no_weights_and_says_none(control: str) -> None:
    planned = validated(registry.config_class("stvfm"), {"control": control, "weights": "pretrained"}, "model (stvfm)")
    assert dataclasses.asdict(planned)["weights"] == "none"
    model = built(control=control, weights="pretrained")  # would fail here if it asked
    assert forecast(model).isfinite().all()


@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("control", ["none", "shuffled"])
def test_a_run_with_a_frozen_backbone_keeps_the_label_of_its_weights(control: str, weights: str) -> None:
    planned = validated(registry.config_class("stvfm"), {"control": control, "weights": weights}, "model (stvfm)")
    assert dataclasses.asdict(planned)["weights"] == weights


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


def test_controls_have_the_trained_parameters_that_the_docstring_says() -> None:
    def size(**changes: Any) -> int:
        return sum(w.numel() for w in built(**changes).parameters() if w.requires_grad)

    block = 12 * 192**2
    assert size() == size(control="identity") == size(control="shuffled")
    assert size(control="attention") - size() == pytest.approx(block, rel=0.01)
    assert size(control="scratch", depth=2) - size() == pytest.approx(2 * block, rel=0.01)


def test_shuffled_tokens_differ_by_their_positions_alone() -> None:
    shuffled, straight = built(control="shuffled"), built()
    assert isinstance(shuffled.backbone, Shuffled)
    assert isinstance(straight.backbone, Backbone)
    assert sorted(shuffled.backbone.order.tolist()) == list(range(9)) != shuffled.backbone.order.tolist()
    assert torch.equal(shuffled.backbone.order, built(control="shuffled").backbone.order)
    assert not torch.allclose(forecast(shuffled), forecast(straight), atol=1e-4)
    shuffled.backbone.backbone.positions.zero_()
    straight.backbone.positions.zero_()
    torch.testing.assert_close(forecast(shuffled), forecast(straight), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backbone", ["vit_tiny", "dinov2_reg_small", "siglip_base"])
def test_every_block_attends_by_the_fused_kernel(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = built(backbone=backbone, depth=2), []
    kernel = nn.functional.scaled_dot_product_attention

    def counted(*args: Any, **options: Any) -> Tensor:
        calls.append(args)
        return kernel(*args, **options)

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", counted)
    model.backbone(torch.randn(2, 9, model.backbone.width))
    assert len(calls) == 2


def kept_bytes(model: Model) -> int:
    """Size of what the forward pass of the backbone keeps for the backward pass, weights apart."""
    weights = {weight.untyped_storage().data_ptr() for weight in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value
        return value

    tokens = torch.randn(4, 50, 192, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        model.backbone(tokens)
    return sum(value.untyped_storage().nbytes() for place, value in kept.items() if place not in weights)


def test_recomputing_keeps_less_than_an_eighth_of_the_activations_of_the_backbone() -> None:
    kept = [
        kept_bytes(make_model(Config(depth=4, recompute=recompute), task_shape((10, 20))))
        for recompute in (False, True)
    ]
    assert 0 < kept[1] < kept[0] / 8


@pytest.mark.parametrize("changes", [{}, {"tuning": "full"}, {"tuning": "lora"}, {"control": "shuffled"}], ids=str)
def test_recomputing_changes_neither_forecast_nor_gradient(changes: dict[str, Any]) -> None:
    found = []
    for recompute in (False, True):
        model = opened(built(recompute=recompute, dropout=0.0, **changes)).train()
        out = model(make_window(task_shape()))
        out.square().mean().backward()
        found.append([out, *(weight.grad for weight in model.parameters() if weight.grad is not None)])
    assert len(found[0]) == len(found[1]) > 20
    assert all(map(torch.equal, *found))


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
