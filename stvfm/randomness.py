"""Random weights to hold pre-trained ones against. All draw from torch's generator.

Weights as an untrained model has them differ from pre-trained ones in more than knowledge: in the size of every tensor,
and so in how much a block changes a token. Two kinds keep that size:

    matched     every tensor drawn anew, normal, with the mean and the standard deviation of the pre-trained one
    permuted    the values of every pre-trained tensor in a random order

LayerScale (Touvron et al., "Going deeper with Image Transformers", ICCV 2021) multiplies what a block adds to a token.
It starts at 1e-5 in DINOv2, so that an untrained DINOv2 hands its tokens on unchanged: that is no random backbone but
none. Where no file tells its trained size it is set to 1 here, as if there were none. In DINOv2 small its root mean
square grows from 0.2 in the first blocks to 7 in the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from .parts import Parts

LAYER_SCALE: Final = 1.0


def matched(parts: Parts) -> Parts:
    """The same parts with every tensor drawn anew, of the mean and standard deviation that it has."""
    return _changed(parts, lambda tensor: tensor.mean() + tensor.std(correction=0) * torch.randn_like(tensor))


def permuted(parts: Parts) -> Parts:
    """The same parts with the values of every tensor in a random order."""
    return _changed(parts, lambda tensor: tensor.flatten()[torch.randperm(tensor.numel())].view_as(tensor))


REDRAWN: Final[Mapping[str, Callable[[Parts], Parts]]] = MappingProxyType({"matched": matched, "permuted": permuted})


def open_layer_scales(model: nn.Module) -> None:
    """Set every LayerScale of an untrained model to 1, so that its blocks do something."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.rpartition(".")[2] == "gamma":
                weight.fill_(LAYER_SCALE)


@torch.no_grad()
def _changed(parts: Parts, change: Callable[[Tensor], Tensor]) -> Parts:
    """Change every tensor, in place; the order of draws is that of the tokens' way."""
    for tensor in _tensors(parts):
        if tensor.numel():
            tensor.copy_(change(tensor))
    return parts


def _tensors(parts: Parts) -> Iterator[Tensor]:
    yield from (parts.prefix, parts.positions)
    for module in (parts.patchifier, parts.before, parts.blocks, parts.norm):
        yield from module.parameters()
