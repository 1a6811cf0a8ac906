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
    """Temporal-aware token adapter: the patches of P frames ``[B, P, N, C*p*p]`` to one token each, ``[B, N, D]``."""

    def __init__(
        self, shape: TaskShape, patching: Patching, width: int, *, by_channel: bool, places: bool = True
    ) -> None:
        super().__init__()
        self.patch = projection(shape.channels * patching.patch**2, width)
        self.space = embedding(patching.count, width) if places else None
        self.time = embedding(shape.history, width)
        self.slot = embedding(shape.slots_per_day, width)
        self.day = embedding(DAYS, width)
        self.mixer = TemporalMixer(shape.history, width)
        self.pool = ChannelPool(shape.history, width) if by_channel else AttentionPool(width)

    def forward(self, patches: Tensor, clock: Tensor) -> Tensor:
        moment = self.time + self.slot[clock[..., 0]] + self.day[clock[..., 1]]  # [B, P, D]
        tokens = self.patch(patches)  # [B, P, N, D]
        tokens = (tokens if self.space is None else tokens + self.space) + moment[:, :, None]
        pooled: Tensor = self.pool(self.mixer(tokens))
        return pooled


class ChannelPool(nn.Module):
    """Weights over time for each of the D values, so that one token can still tell the steps apart."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(steps, width) / steps**0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, P, N, D]`` to ``[B, N, D]``."""
        pooled: Tensor = (tokens * self.weights[:, None]).sum(dim=1)  # an einsum would move the values about first
        return pooled


class AttentionPool(nn.Module):
    """One weight per step and token by its content, for all D values: this blurs the steps into one mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)  # a bias would cancel in the softmax

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, P, N, D]`` to ``[B, N, D]``."""
        pooled: Tensor = (self.score(tokens).softmax(dim=1) * tokens).sum(dim=1)
        return pooled


class PlainTokens(nn.Module):
    """The adapter without its sense of time: one linear map of the stacked history of a patch."""

    def __init__(self, shape: TaskShape, patching: Patching, width: int, *, places: bool = True) -> None:
        super().__init__()
        self.patch = projection(shape.history * shape.channels * patching.patch**2, width)
        self.space = embedding(patching.count, width) if places else None

    def forward(self, patches: Tensor, clock: Tensor) -> Tensor:  # noqa: ARG002 - both adapters are called the same way
        """``[B, P, N, C*p*p]`` to ``[B, N, D]``."""
        tokens: Tensor = self.patch(patches.transpose(1, 2).flatten(2))
        return tokens if self.space is None else tokens + self.space


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
    """One direction of a round of cross prompts: a branch reads the other's prompts.

    ``P' = Attn(q', E')`` and ``E <- E + g Attn(E, P')``, with the gate ``g`` starting at 0.
    """

    def __init__(self, width: int, prompts: int) -> None:
        super().__init__()
        self.queries = embedding(prompts, width)
        self.read = Attention(width)
        self.condition = Attention(width)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor, other: Tensor) -> Tensor:
        """Features ``[B, N, D]`` of this and of the other branch to this branch's, conditioned."""
        prompts = self.read(self.queries.expand(len(other), -1, -1), other)  # [B, m, D]
        conditioned: Tensor = features + self.gate * self.condition(features, prompts)
        return conditioned


class Fusion(nn.Module):
    """Concatenation in place of prompts: ``E <- E + g W_2 gelu(W_1 [E ; E'])``, token by token, the gate g from 0.

    The inner width makes it about the size of ``CrossPrompts``.
    """

    def __init__(self, width: int, inner: int = 170) -> None:
        super().__init__()
        self.first = nn.Linear(2 * width, inner)
        self.second = nn.Linear(inner, width)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor, other: Tensor) -> Tensor:
        """As in ``CrossPrompts``."""
        fused: Tensor = self.second(functional.gelu(self.first(torch.cat((features, other), dim=-1))))
        return features + self.gate * fused


class Round(nn.Module):
    """One round of coordination: both branches change at once, each in view of the other as it was.

    A direction that is None leaves its branch as it is.
    """

    def __init__(self, to_raw: nn.Module | None, to_flow: nn.Module | None) -> None:
        super().__init__()
        self.to_raw, self.to_flow = to_raw, to_flow

    def forward(self, raw: Tensor, flowing: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, D]`` of both branches to the same."""
        changed_raw = raw if self.to_raw is None else self.to_raw(raw, flowing)
        changed_flow = flowing if self.to_flow is None else self.to_flow(flowing, raw)
        return changed_raw, changed_flow


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


def amplitude(tokens: Tensor) -> Tensor:
    """Root mean square of each token, ``[B, N, D]`` to ``[B, N, 1]``: what the norm behind a backbone takes away."""
    length: Tensor = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
    rms: Tensor = length / tokens.shape[-1] ** 0.5
    return rms


def projection(inputs: int, width: int) -> nn.Linear:
    """A linear map that makes values of variance 1 of independent values of variance 1."""
    layer = nn.Linear(inputs, width)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    nn.init.zeros_(layer.bias)
    return layer


def embedding(rows: int, width: int) -> nn.Parameter:
    """A table of small random rows, ``[rows, width]``."""
    return nn.Parameter(torch.randn(rows, width) * EMBED_STD)
