"""Random weights: what each kind keeps of the pre-trained ones, and that each does something to its tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from stvfm.backbones import Backbone, build
from stvfm.parts import Parts
from stvfm.randomness import matched, open_layer_scales, permuted


def trained_parts() -> Parts:
    """Of a vision transformer whose tensors differ in mean and size, as after training."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 96))
    parts = Parts(
        prefix=torch.randn(1, 2, 32),
        positions=torch.randn(1, 40, 32),
        before=nn.Identity(),
        patchifier=nn.Conv2d(3, 32, 4, stride=4),
        blocks=nn.Sequential(block, nn.LayerNorm(96)),
        norm=nn.LayerNorm(96),
    )
    with torch.no_grad():
        for number, tensor in enumerate(tensors(parts).values()):
            tensor.copy_((number + 1) * torch.randn_like(tensor) + 3 * number)
    return parts


def tensors(parts: Parts) -> dict[str, Tensor]:
    modules = {name: getattr(parts, name) for name in ("before", "patchifier", "blocks", "norm")}
    inside = {f"{part}.{name}": p for part, module in modules.items() for name, p in module.named_parameters()}
    return {"prefix": parts.prefix, "positions": parts.positions, **inside}


def before_and_after(change: Callable[[Parts], Parts]) -> list[tuple[Tensor, Tensor]]:
    parts = trained_parts()
    old = {name: tensor.detach().clone() for name, tensor in tensors(parts).items()}
    torch.manual_seed(1)
    new = tensors(change(parts))
    assert len(new) == 12
    return [(old[name], new[name].detach()) for name in old]


def test_permuted_weights_are_the_values_of_each_tensor_in_another_order() -> None:
    for old, new in before_and_after(permuted):
        assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
        assert not torch.equal(old, new)


def test_matched_weights_have_the_mean_and_size_of_each_tensor_and_none_of_its_values() -> None:
    for old, new in before_and_after(matched):
        few = 5 * old.std() / old.numel() ** 0.5  # five standard errors
        assert abs(float(new.mean() - old.mean())) < few
        assert abs(float(new.std() - old.std())) < few
        assert not torch.isin(new, old).any()


@pytest.mark.parametrize("change", [matched, permuted])
def test_random_weights_are_those_of_the_seed(change: Callable[[Parts], Parts]) -> None:
    first, second = before_and_after(change), before_and_after(change)
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(first, second, strict=True))


def cosine_with_no_backbone(backbone: Backbone) -> float:
    torch.manual_seed(0)
    tokens = backbone.token_scale * torch.randn(2, 16, backbone.width)
    with torch.no_grad():
        normed = nn.functional.layer_norm(tokens, tokens.shape[-1:])
        return float(nn.functional.cosine_similarity(backbone(tokens), normed, dim=-1).mean())


def test_an_untrained_dinov2_is_another_thing_than_no_backbone() -> None:
    torch.manual_seed(0)
    backbone = build("dinov2_small", "random", (4, 4), depth=0)
    assert cosine_with_no_backbone(backbone) < 0.8
    with torch.no_grad():
        for name, weight in backbone.named_parameters():
            if name.endswith("gamma"):
                weight.fill_(1e-5)  # as the library starts it
    assert cosine_with_no_backbone(backbone) > 0.999


def test_only_layer_scales_are_opened() -> None:
    from timm.layers import LayerScale

    model = nn.Sequential(nn.LayerNorm(4), LayerScale(4, 1e-5), nn.Linear(4, 4))
    others = [weight.clone() for name, weight in model.named_parameters() if not name.endswith("gamma")]
    open_layer_scales(model)
    assert model[1].gamma.tolist() == [1, 1, 1, 1]
    kept = [weight for name, weight in model.named_parameters() if not name.endswith("gamma")]
    assert all(map(torch.equal, others, kept))
