"""What is trained around the frozen backbone: the token adapter before it, the cross prompts after it.

Letters as in ``bench.types``; p patch side, N tokens, D the backbone's width, m prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.types import TaskShape

DAYS = 7
EMBED_STD = 0.02


@dataclass(frozen=True, kw_only=True)
class Patching:
    """Cuts a grid of any size into p x p patches, the last row and column padded, and puts it together again."""

    grid: tuple[int, int]
    patch: int

    @property
    def tokens(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return -(-self.grid[0] // self.patch), -(-self.grid[1] // self.patch)

    @property
    def count(self) -> int:
        return self.tokens[0] * self.tokens[1]

    def cut(self, frames: Tensor) -> Tensor:
        """``[..., C, H, W]`` to ``[..., N, C*p*p]``; padding is 0, the training mean of standardised values."""
        rows, columns = self.tokens
        bottom, right = rows * self.patch - self.grid[0], columns * self.patch - self.grid[1]
        padded = functional.pad(frames, (0, right, 0, bottom))
        lead = frames.shape[:-2]  # [..., C]
        split = padded.reshape(*lead, rows, self.patch, columns, self.patch)
        return split.movedim((-4, -2), (-5, -4)).flatten(-3).flatten(-3, -2)  # [..., r, c, C, p, p] -> [..., N, C*p*p]

    def paste(self, patches: Tensor) -> Tensor:
        """``[..., N, C*p*p]`` to ``[..., C, H, W]``, the padding cut off: the inverse of ``cut``."""
        rows, columns = self.tokens
        split = patches.reshape(*patches.shape[:-2], rows, columns, -1, self.patch, self.patch)  # [..., r, c, C, p, p]
        padded = split.movedim((-5, -4), (-4, -2)).flatten(-4, -3).flatten(-2)  # [..., C, r*p, c*p]
        return padded[..., : self.grid[0], : self.grid[1]]


def auto_patch(grid: tuple[int, int], most: int) -> int:
    """The smallest power of two that cuts the grid into at most this many patches."""
    patch = 1
    while Patching(grid=grid, patch=patch).count > most:
        patch *= 2
    return patch


class TokenAdapter(nn.Module):
    """Temporal-aware token adapter: frames ``[B, P, C, H, W]`` to one token per patch ``[B, N, D]``."""

    def __init__(self, shape: TaskShape, patching: Patching, width: int, scale: float) -> None:
        super().__init__()
        self.patching = patching
        self.patch = nn.Linear(shape.channels * patching.patch**2, width)
        self.space = _embedding(patching.count, width)
        self.time = _embedding(shape.history, width)
        self.slot = _embedding(shape.slots_per_day, width)
        self.day = _embedding(DAYS, width)
        self.mixer = TemporalMixer(shape.history, width)
        self.pool = nn.Linear(width, 1)
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, frames: Tensor, clock: Tensor) -> Tensor:
        moment = self.time + self.slot[clock[..., 0]] + self.day[clock[..., 1]]  # [B, P, D]
        tokens = self.patch(self.patching.cut(frames)) + self.space + moment[:, :, None]  # [B, P, N, D]
        tokens = self.mixer(tokens)
        attention: Tensor = self.pool(tokens).softmax(dim=1)  # [B, P, N, 1]
        pooled: Tensor = (attention * tokens).sum(dim=1)
        return self.scale * pooled


class TemporalMixer(nn.Module):
    """Mixes the P tokens of each patch in a narrow space, and adds the result to them."""

    def __init__(self, steps: int, width: int, bottleneck: int = 48) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, bottleneck)
        self.steps = nn.Linear(steps, steps)
        self.up = nn.Linear(bottleneck, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, P, N, D]`` to the same."""
        narrow: Tensor = functional.gelu(self.down(self.norm(tokens)))
        mixed: Tensor = self.steps(narrow.movedim(1, -1)).movedim(-1, 1)
        changed: Tensor = self.up(functional.gelu(mixed))
        return tokens + changed


class CrossPrompts(nn.Module):
    """Bilateral cross prompts, one round: each branch reads the other's prompts.

    ``P_b = Attn(q_b, E_b)`` and ``E'_b = E_b + g_b Attn(E_b, P_b')``, with the gates ``g_b`` starting at 0.
    """

    def __init__(self, width: int, prompts: int) -> None:
        super().__init__()
        self.queries = nn.ParameterList(_embedding(prompts, width) for _ in range(2))
        self.read = nn.ModuleList(Attention(width) for _ in range(2))
        self.condition = nn.ModuleList(Attention(width) for _ in range(2))
        self.gates = nn.Parameter(torch.zeros(2))

    def forward(self, raw: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, D]`` of both branches to the same."""
        batch = len(raw)
        raw_prompts, flow_prompts = (
            read(query.expand(batch, -1, -1), features)
            for read, query, features in zip(self.read, self.queries, (raw, flow), strict=True)
        )  # [B, m, D] each
        to_raw, to_flow = self.condition
        return raw + self.gates[0] * to_raw(raw, flow_prompts), flow + self.gates[1] * to_flow(flow, raw_prompts)


class Attention(nn.Module):
    """Multi-head attention of queries ``[B, M, D]`` to a memory ``[B, N, D]``, in a narrow space."""

    def __init__(self, width: int, inner: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * inner)
        self.out = nn.Linear(inner, width)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(queries), *self.key_value(memory).chunk(2, dim=-1))
        )  # [B, heads, M or N, inner/heads]
        answer = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(answer.transpose(1, 2).flatten(-2))
        return out


def _embedding(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, width) * EMBED_STD)
