"""Features of several depths of a backbone, and both branches in one sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from models import make_window, task_shape
from stvfm_models import built, forecast, opened, trained

from stvfm.depths import DepthMix


def test_features_at_every_depth_are_those_of_shallower_backbones() -> None:
    tokens = torch.randn(2, 9, 192, generator=torch.Generator().manual_seed(0))
    whole = built(depth=3).backbone
    with torch.no_grad():
        found = whole.at_every_depth(tokens)
        assert len(found) == 4
        assert torch.equal(found[-1], whole(tokens))
        torch.testing.assert_close(found[0], whole.norm(tokens + whole.positions))
        whole.blocks = whole.blocks[:2]
        assert torch.equal(found[2], whole(tokens))


@pytest.mark.parametrize("control", ["none", "identity", "attention", "scratch"])
def test_the_last_of_all_depths_is_what_a_body_gives(control: str) -> None:
    body, tokens = built(control=control, depth=2).backbone, torch.randn(2, 9, 192)
    with torch.no_grad():
        found = body.at_every_depth(tokens)
        assert torch.equal(found[-1], body(tokens))
        assert not any(torch.equal(earlier, found[-1]) for earlier in found[:-1])


def test_a_mix_of_depths_has_a_weight_for_each_branch_and_depth_and_starts_at_the_last() -> None:
    mix, raw, flowing = DepthMix(2, 3), torch.randn(3, 2, 4, 8), torch.randn(3, 2, 4, 8)
    at_depths = list(zip(raw, flowing, strict=True))
    with torch.no_grad():
        assert all(map(torch.equal, mix(at_depths), (raw[2], flowing[2])))
        mix.weights.copy_(torch.tensor([[0.5, 0.0, -1.0], [0.0, 2.0, 0.0]]))
        found = mix(at_depths)
        torch.testing.assert_close(found[0], 0.5 * raw[0] - raw[2])
        torch.testing.assert_close(found[1], 2 * flowing[1])
        torch.testing.assert_close(mix(at_depths[:2])[0], 0.5 * raw[0] - raw[1])  # the last counts again


@pytest.mark.parametrize("control", ["identity", "attention", "shuffled", "scratch"])
@pytest.mark.parametrize("changes", [{"depths": "all"}, {"joined": True}, {"days": True, "base": "mixed"}], ids=str)
def test_controls_keep_the_trained_parameters_and_forecast_with_every_switch(
    control: str, changes: dict[str, Any]
) -> None:
    def size(**settings: Any) -> int:
        return sum(weight.numel() for weight in built(**settings).parameters() if weight.requires_grad)

    assert forecast(built(control=control, **changes)).isfinite().all()
    assert size(control=control, **changes) - size(control=control) == size(**changes) - size()


def test_joined_branches_see_each_other_in_the_backbone_at_the_same_places() -> None:
    model, window = opened(built(joined=True, coordination="none")), make_window(task_shape())
    sequences, heads = [], []
    model.backbone.register_forward_pre_hook(lambda _, inputs: sequences.append(inputs[0]))
    model.head.register_forward_pre_hook(lambda _, inputs: heads.append(inputs[0]))
    with torch.no_grad():
        model(window)
        model.flow.space.add_(1.0)
        model(window)
        (first, _), tokens = sequences, model.patching.count
        assert first.shape[1] == 2 * tokens
        torch.testing.assert_close(
            model.backbone._hidden(first)[:, 1 + tokens :], first[:, tokens:] + model.backbone.positions
        )
    raw = [features[..., :192] for features in heads]
    assert not torch.allclose(*raw)  # the flow's tokens alone were changed


def test_norms_alone_learn_where_norms_are_tuned() -> None:
    model = built(tuning="norms", depth=2, backbone="dinov2_small")
    learned = {name for name in trained(model) if name.startswith("backbone.")}
    blocks = {f"backbone.blocks.{n}.norm{k}.{leaf}" for n in (0, 1) for k in (1, 2) for leaf in ("weight", "bias")}
    assert learned == blocks | {"backbone.norm.weight", "backbone.norm.bias"}
