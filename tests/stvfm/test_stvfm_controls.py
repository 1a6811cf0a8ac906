"""ST-VFM's controls and what is tuned: what of the backbone is trained, saved and kept in memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import make_data
from models import make_window, task_shape
from stvfm_models import BASE, built, forecast, make_model, opened, trained, weights_of
from torch import Tensor, nn

from bench.catalog import registry
from bench.context import RunContext
from bench.runs.suite import validated
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer
from stvfm.body import add_lora
from stvfm.model import Config, Model


@pytest.mark.parametrize("changes", [{}, {"control": "shuffled"}, {"tuning": "lora"}, {"recompute": True}], ids=str)
def test_what_is_frozen_is_the_same_bits_after_training_and_in_no_checkpoint(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    context = RunContext(seed=0, device=torch.device("cpu"))
    context.begin()
    task = Task(make_data(slots=300), TaskSettings(name="short"), context.device)
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


@pytest.mark.parametrize("control", ["identity", "attention", "scratch"])
def test_a_control_without_pretrained_part_asks_for_no_weights_and_says_none(control: str) -> None:
    planned = validated(registry.config_class("stvfm"), {"control": control, "weights": "pretrained"}, "model (stvfm)")
    assert dataclasses.asdict(planned)["weights"] == "none"
    model = built(control=control, weights="pretrained")  # would fail here if it asked
    assert forecast(model).isfinite().all()


@pytest.mark.parametrize("weights", ["pretrained", "matched", "permuted", "random"])
@pytest.mark.parametrize("control", ["none", "shuffled"])
def test_a_run_with_a_frozen_backbone_keeps_the_label_of_its_weights(control: str, weights: str) -> None:
    planned = validated(registry.config_class("stvfm"), {"control": control, "weights": weights}, "model (stvfm)")
    assert dataclasses.asdict(planned)["weights"] == weights


def test_controls_have_the_trained_parameters_that_the_docstring_says() -> None:
    def size(**changes: Any) -> int:
        return sum(w.numel() for w in built(**changes).parameters() if w.requires_grad)

    block = 12 * 192**2
    assert size() == size(control="identity") == size(control="shuffled")
    assert size(control="attention") - size() == pytest.approx(block, rel=0.01)
    assert size(control="scratch", depth=2) - size() == pytest.approx(2 * block, rel=0.01)


def head_input(**changes: Any) -> Tensor:
    model, seen = built(**changes), []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    forecast(model)
    (given,) = seen
    return given


@pytest.mark.parametrize("backbone", ["vit_tiny", "dinov2_small"])
def test_every_arm_hands_features_of_the_same_size_to_the_head(backbone: str) -> None:
    wanted = float(head_input(backbone=backbone).square().mean().sqrt())
    for control in ("identity", "attention", "shuffled", "scratch"):
        found = head_input(backbone=backbone, control=control)
        assert float(found.square().mean().sqrt()) == pytest.approx(wanted, rel=0.01), control


def test_the_size_that_training_gave_to_the_last_norm_does_not_reach_the_head() -> None:
    model, seen = built(), []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    forecast(model)
    model.backbone.norm.weight.mul_(3)
    forecast(model)
    torch.testing.assert_close(*seen)


def test_every_arm_starts_with_tokens_of_the_size_that_its_body_expects() -> None:
    for control in ("none", "identity", "attention", "shuffled", "scratch"):
        model = built(control=control)
        assert model.scale.tolist() == pytest.approx([model.backbone.token_scale] * 2), control


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


@pytest.mark.parametrize("control", ["none", "identity", "attention", "shuffled", "scratch"])
def test_with_pictures_as_tokens_nothing_in_front_of_the_backbone_is_trained(control: str) -> None:
    model = opened(built(tokens="image", control=control, flow=False)).train()
    out = model(make_window(task_shape()))
    out.square().mean().backward()
    ours = {name.partition(".")[0] for name in trained(model)}
    assert ours == ({"backbone", "head"} if control in ("attention", "scratch") else {"head"})
    assert forecast(model).isfinite().all()


def test_pictures_in_colours_tell_three_frames() -> None:
    model, window = built(tokens="image", colours=True, residual=False).eval(), make_window(task_shape())
    second = window.history.clone()
    second[:, 1] += 1
    with torch.no_grad():
        assert not torch.allclose(model(window), model(dataclasses.replace(window, history=second)))


def test_a_picture_of_the_last_frame_is_all_that_pictures_as_tokens_tell() -> None:
    model, window = built(tokens="image", flow=False, residual=False, calendar=False).eval(), make_window(task_shape())
    earlier, last = window.history.clone(), window.history.clone()
    earlier[:, :-1] += 1
    last[:, -1] += 0.5
    with torch.no_grad():
        found, same, other = (
            model(dataclasses.replace(window, history=history)) for history in (window.history, earlier, last)
        )
    assert torch.equal(found, same)
    assert not torch.allclose(found, other)
