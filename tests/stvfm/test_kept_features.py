"""Features of pictures are made once for each picture, and are those that the backbone makes."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import make_data
from models import make_window, task_shape
from stvfm_models import built, make_model
from torch import Tensor

from bench.context import RunContext
from bench.runs.audit import _pickled
from bench.runs.evaluator import evaluate, forward_flops
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer
from stvfm import backbones
from stvfm.backbones import Backbone, KeptFeatures
from stvfm.config import Config
from stvfm.model import DAYS_BACK, Model

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=3, batch_size=16, steps_per_epoch=4)
PICTURES: dict[str, Any] = {"tokens": "image", "head": "linear", "flow": False}


class Blocks(torch.nn.Module):
    """Blocks that count the grids that pass them."""

    def __init__(self, blocks: torch.nn.Module) -> None:
        super().__init__()
        self.blocks, self.grids = blocks, 0

    def forward(self, hidden: Tensor) -> Tensor:
        self.grids += len(hidden)
        passed: Tensor = self.blocks(hidden)
        return passed


def counted(**changes: Any) -> tuple[Model, Blocks]:
    model = built(**PICTURES | changes).eval()
    assert isinstance(model.backbone, Backbone)
    model.backbone.blocks = blocks = Blocks(model.backbone.blocks)  # type: ignore[assignment]
    return model, blocks


def backbone_of(made: tuple[Model, Blocks]) -> tuple[Backbone, Blocks]:
    model, blocks = made
    assert isinstance(model.backbone, Backbone)
    return model.backbone, blocks


def windows(seed: int = 0) -> Any:
    return make_window(task_shape(), model="stvfm", seed=seed)


@pytest.mark.parametrize("flow", [False, True])
def test_a_picture_passes_the_backbone_once(flow: bool) -> None:
    model, blocks = counted(flow=flow)
    seen = windows()
    whole = model(seen)
    assert blocks.grids == 3 * (1 + flow)
    assert torch.equal(model(seen), whole)
    assert blocks.grids == 3 * (1 + flow)
    model(windows(seed=1))
    assert blocks.grids == 6 * (1 + flow)


def test_features_of_a_picture_are_the_same_in_every_batch_and_order() -> None:
    backbone, blocks = backbone_of(counted())
    tokens = torch.randn(4, 9, backbone.width)
    whole = backbone(tokens)
    assert torch.equal(torch.cat([backbone(tokens[at : at + 1]) for at in (2, 0, 3, 1)]), whole[[2, 0, 3, 1]])
    assert torch.equal(backbone(tokens.flip(0)), whole.flip(0))
    assert blocks.grids == 4


def test_features_that_are_kept_are_those_that_the_backbone_makes() -> None:
    model = built(**PICTURES).eval()
    tokens = torch.randn(4, model.patching.count, model.backbone.width)
    assert isinstance(model.backbone, Backbone)
    for _ in range(2):
        torch.testing.assert_close(model.backbone(tokens), model.backbone._features(tokens))
    assert not torch.equal(model.backbone(tokens)[0], model.backbone(tokens)[1])


def test_the_last_bit_of_a_token_makes_it_another_one_and_a_copy_of_its_values_does_not() -> None:
    kept, tokens = KeptFeatures(), torch.ones(1, 2, 3)
    kept.of(tokens, torch.sin)
    kept.of(tokens.clone(), torch.sin)
    kept.of(torch.ones(1, 3, 2).mT, torch.sin)
    assert len(kept) == 1
    nearly = tokens.clone()
    nearly[0, 1, 2] = torch.nextafter(nearly[0, 1, 2], torch.tensor(2.0))
    assert torch.equal(kept.of(nearly, torch.sin), torch.sin(nearly))
    assert len(kept) == 2


def test_the_same_bytes_in_another_shape_are_other_tokens() -> None:
    kept, tokens = KeptFeatures(), torch.rand(1, 2, 3)
    for some in (tokens, tokens.view(1, 3, 2), tokens.view(torch.int32)):
        assert torch.equal(kept.of(some, torch.sin), torch.sin(some))
    assert len(kept) == 3


def test_tokens_that_are_trained_get_their_gradient_and_are_not_kept() -> None:
    backbone, _ = backbone_of(counted())
    tokens = torch.randn(2, 9, backbone.width)
    backbone(tokens)
    for _ in range(2):
        trained = tokens.clone().requires_grad_()
        backbone(trained).square().sum().backward()
        assert trained.grad is not None
        assert trained.grad.abs().sum() > 0
    assert not len(backbone.kept)


def test_a_compiler_meets_the_backbone_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, blocks = backbone_of(counted())
    tokens = torch.randn(1, 9, backbone.width)
    wanted = backbone(tokens)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    torch.testing.assert_close(backbone(tokens), wanted)
    assert (len(backbone.kept), blocks.grids) == (1, 2)


def test_a_prefix_takes_no_memory() -> None:
    backbone, _ = backbone_of(counted())
    backbone(torch.randn(1, 9, backbone.width))
    (features,) = backbone.kept._kept.values()
    assert features.untyped_storage().nbytes() == features.nbytes == 9 * backbone.width * 4


def test_features_in_bfloat16_are_not_those_in_float32() -> None:
    kept, tokens = KeptFeatures(), torch.rand(1, 2, 3)

    def product(some: Tensor) -> Tensor:
        return some @ tokens[0].mT

    exact = kept.of(tokens, product)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = kept.of(tokens, product)
    assert (exact.dtype, rounded.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(kept.of(tokens, product), exact)
    assert len(kept) == 2


def test_what_was_kept_without_gradients_can_be_trained_on_and_trains_the_same() -> None:
    def gradient(model: Model, seen: Any) -> Tensor:
        model.train()
        model(seen).square().mean().backward()
        weight = next(weight for weight in model.head.parameters())
        assert weight.grad is not None
        return weight.grad

    seen = windows()
    scored, fresh = counted()[0], counted()[0]
    with torch.inference_mode():
        scored(seen)
    assert torch.equal(gradient(scored, seen), gradient(fresh, seen))


@pytest.mark.parametrize(
    "changes", [{"tokens": "adapter"}, {"tuning": "norms"}, {"tuning": "full"}, {"tuning": "lora"}]
)
def test_nothing_is_kept_where_training_changes_features_or_tokens(changes: dict[str, Any]) -> None:
    model, blocks = counted(**changes)
    seen = windows()
    model(seen)
    model(seen)
    assert blocks.grids == 6
    assert isinstance(model.backbone, Backbone)
    assert not len(model.backbone.kept)


def test_other_weights_have_other_features() -> None:
    model, blocks = counted()
    other, _ = counted()
    with torch.no_grad():
        for weight in other.backbone.blocks.parameters():
            weight.mul_(1.5)
    seen = windows()
    before = model(seen)
    model.load_state_dict(other.state_dict())
    assert blocks.grids == 3
    assert torch.equal(model(seen), other(seen))
    assert blocks.grids == 6
    assert not torch.equal(model(seen), before)


def test_a_copy_has_seen_nothing_and_forgets_by_itself() -> None:
    model, _ = counted()
    seen = windows()
    forecast = model(seen)
    other = deepcopy(model)
    assert isinstance(model.backbone, Backbone)
    assert isinstance(other.backbone, Backbone)
    assert (len(other.backbone.kept), len(model.backbone.kept)) == (0, 3)
    assert torch.equal(other(seen), forecast)
    other.load_state_dict(model.state_dict())
    assert (len(other.backbone.kept), len(model.backbone.kept)) == (0, 3)


def test_what_is_kept_is_not_sent_to_another_process() -> None:
    model = built(**PICTURES).eval()
    before = _pickled(model)
    model(windows())
    assert before is not None
    assert before == _pickled(model)


def test_a_run_that_was_killed_makes_them_anew_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    def trainer() -> Trainer:
        task = Task(make_data(slots=200), TaskSettings(name="short"), CPU, days_back=DAYS_BACK)
        context = RunContext(seed=0, device=CPU)
        context.begin()
        return Trainer(make_model(Config(depth=1, **PICTURES), task.shape), task, SHORT, context)

    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == 1:
            raise KeyboardInterrupt

    undisturbed = trainer()
    wanted = undisturbed.run()
    with pytest.raises(KeyboardInterrupt):
        trainer().run(tmp_path / "run.pt", kill)
    resumed = trainer()
    assert resumed.run(tmp_path / "run.pt").curve == wanted.curve
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_memory_has_an_end_behind_which_features_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    model, blocks = counted()
    size = model.patching.count * model.backbone.width * 4
    monkeypatch.setattr(backbones, "MOST_BYTES", 2 * size)
    seen = windows()
    first = model(seen)
    assert torch.equal(model(seen), first)
    assert blocks.grids == 3 + 1
    assert len(model.backbone.kept) == 2


def test_the_operations_of_a_forecast_count_the_backbone_though_its_features_are_kept() -> None:
    task = Task(make_data(slots=200), TaskSettings(name="short"), CPU, days_back=DAYS_BACK)
    context = RunContext(seed=0, device=CPU)
    context.begin()
    model = make_model(Config(depth=2, **PICTURES), task.shape)
    wanted = forward_flops(deepcopy(model), task.val)
    assert evaluate(model, task, context).flops == wanted
    assert isinstance(model.backbone, Backbone)
    assert len(model.backbone.kept) > 1
    assert forward_flops(model, task.val) < wanted / 2
