"""A plain vision transformer of torch's own layers, and how much of the device's peak it reaches."""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.frozen import cast_once
from bench.perf.gpu.machine import peak_rate
from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import median_seconds

SIZES: Final = {"ViT-S/16": (384, 12, 6), "ViT-B/16": (768, 12, 12)}
TINY: Final = {"ViT-S/16": (48, 2, 2), "ViT-B/16": (96, 2, 2)}  # on a CPU, where only the code is tried
TOKENS: Final = 197


class Block(nn.Module):
    """Norm, attention, norm, MLP, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.into(self.first(tokens)).unflatten(-1, (3, self.heads, -1))  # [B, N, 3, heads, d]
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        changed: Tensor = tokens + self.mlp(self.second(tokens))
        return changed


class Vit(nn.Module):
    """Blocks and a last norm, on tokens ``[B, N, D]``; frozen, as a backbone is."""

    CAST_ONCE: Final = True

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)), nn.LayerNorm(width))
        self.requires_grad_(requires_grad=False)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.blocks(tokens)
        return out


def operations(width: int, depth: int, tokens: int, *, backward: bool = False) -> float:
    """Of one image: forward 24 N D² in products with weights and 4 N² D in attention, for each block.

    On the way back a product with a frozen weight has one gradient, as much work as itself; one between tokens, in
    attention, has two. What a kernel calculates once more is not counted.
    """
    linear, attention = 24.0 * tokens * width**2, 4.0 * tokens**2 * width
    return depth * (2 * linear + 3 * attention if backward else linear + attention)


def vit(bench: Bench) -> None:
    """Images a second, forward alone and with the gradient of the tokens, in bf16, and the share of the peak."""
    peak = peak_rate(bench, torch.bfloat16, bench.share(8))
    batch = 256 if bench.on_gpu else 2
    sizes = SIZES if bench.on_gpu else TINY
    for number, (name, (width, depth, heads)) in enumerate(sizes.items()):
        model = Vit(width, depth, heads).to(bench.device)
        tokens = torch.randn(batch, TOKENS, width, device=bench.device, requires_grad=True)
        ways = {"forward": False, "forward and backward to the tokens": True}
        for way, backward in ways.items():
            budget = bench.share(2 * (len(sizes) - number)) / 2
            work = partial(_pass, model, tokens, backward=backward)
            each_time = median_seconds(work, bench, budget)
            with cast_once(model, torch.device(bench.device), "bf16"):
                once = median_seconds(work, bench, budget)
            rate = batch * operations(width, depth, TOKENS, backward=backward) / once
            bench.row(f"{name}, {way}", "images", batch / once, "1/s", f"batch {batch}, {TOKENS} tokens")
            bench.row(f"{name}, {way}", "share of the measured bf16 peak", 100 * rate / peak, "%")
            bench.row(f"{name}, {way}", "weights cast each time over once", each_time / once, "times")


def _pass(model: nn.Module, tokens: Tensor, *, backward: bool) -> None:
    with torch.autocast(tokens.device.type, torch.bfloat16), torch.set_grad_enabled(backward):
        features = model(tokens)
    if backward:
        tokens.grad = None
        features.float().mean().backward()
