"""Frozen weights in bfloat16, cast once and not each time they are used.

Under autocast torch casts the weights of products and convolutions whenever they are used, and keeps the result for
those alone that are trained. A frozen backbone is then read, cast and written anew in every step. Here it is cast once,
for as long as a split is trained on or scored. Autocast would make the very same weights, so no forecast changes; and
outside the model is as it was, for digests, checkpoints, copies and whoever calls it without autocast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn

from bench.context import resolve_precision
from bench.settings import Precision

LAYERS: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)
NAMES: Final = frozenset({"Conv1D"})  # a linear map of transformers, which is not imported for it


@contextmanager
def cast_once(model: object, device: torch.device, precision: Precision) -> Iterator[None]:
    """Hold frozen weights in bfloat16 where a run calculates in it, and give them back as they were.

    Args:
        model: Only parts of it that say ``CAST_ONCE = True`` are touched: their frozen linear layers and convolutions
            are called under autocast, and their weights are used for nothing else.
        device: Where it calculates.
        precision: What it calculates in.
    """
    in_bf16 = isinstance(model, nn.Module) and resolve_precision(precision, device) == "bf16"
    weights = frozen_factors(model) if isinstance(model, nn.Module) and in_bf16 else []
    kept = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = weight.data.to(torch.bfloat16)
        yield
    finally:
        for weight, values in zip(weights, kept, strict=True):
            weight.data = values


def frozen_factors(model: nn.Module) -> list[nn.Parameter]:
    """The frozen weights that autocast would cast, of parts that say ``CAST_ONCE = True``; none that is shared."""
    marked = (part for part in model.modules() if getattr(part, "CAST_ONCE", False))
    layers = {id(layer): layer for part in marked for layer in part.modules() if _is_product(layer)}
    others = (layer for layer in model.modules() if id(layer) not in layers)
    shared = {id(weight) for layer in others for weight in layer.parameters(recurse=False)}
    factors = {id(weight): weight for layer in layers.values() for weight in layer.parameters(recurse=False)}
    return [weight for key, weight in factors.items() if not weight.requires_grad and key not in shared]


def _is_product(layer: nn.Module) -> bool:
    return isinstance(layer, LAYERS) or type(layer).__name__ in NAMES
