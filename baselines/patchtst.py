"""PatchTST: a Transformer over the patches of one series at a time.

Nie et al., "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers", ICLR 2023 (the supervised
PatchTST). A series is one channel of one cell, and all weights are shared by all series. As in the authors' code: each
series is standardised over its history and the forecast scaled back, without affine weights; the end is padded by one
stride of the last value; positions are learned; layers are post-norm with BatchNorm over all tokens of a batch, which
uses running statistics in evaluation; the attention scores of a layer are added to those of the next, which the paper
leaves out; a linear head reads all tokens at once. What differs: patches of 16 steps with stride 8 are made for
histories of 96 and more; here the length is halved until two patches fit into the history side by side (2 for 6
steps), and the stride is half a patch, at least 1. The defaults are smaller, for CPUs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import TaskShape, Window

EPSILON = 1e-5
PIECE = 4096  # series at a time in evaluation, so that what is between two layers stays in a CPU's cache


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of PatchTST.

    Attributes:
        patch: Longest patch, in steps.
        width: Size of a token; the feed-forward part is twice as wide.
        layers: Encoder layers.
        heads: Attention heads; a divisor of the width.
        dropout: Rate after the embedding, the attention, and both feed-forward maps.
    """

    patch: int = tunable(16, choices=(4, 8, 16))
    width: int = tunable(16, choices=(16, 32, 64, 128))
    layers: int = tunable(2, choices=(1, 2, 3))
    heads: int = tunable(4, choices=(2, 4, 8))
    dropout: float = tunable(0.2, low=0.0, high=0.4)


class Model(nn.Module):
    """Standardising, patching, encoder, head, and the scale given back."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.patch = fitting_patch(config.patch, shape.history)
        self.stride = max(1, self.patch // 2)
        tokens = (shape.history - self.patch) // self.stride + 2
        self.embedding = nn.Linear(self.patch, config.width)
        self.positions = nn.Parameter(nn.init.uniform_(torch.empty(tokens, config.width), -0.02, 0.02))
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.head = nn.Linear(tokens * config.width, shape.horizon)

    def forward(self, window: Window) -> Tensor:
        series = window.history.movedim(1, -1)  # [B, P, C, H, W] -> [B, C, H, W, P]
        rows = series.flatten(0, -2)  # [R, P], a row for each series
        pieces = torch.split(rows, len(rows) if self.training or rows.is_cuda else PIECE)
        forecast = torch.cat([self.continued(piece) for piece in pieces])
        return forecast.view(*series.shape[:-1], -1).movedim(-1, 1)

    def continued(self, rows: Tensor) -> Tensor:
        """The steps after those of series ``[R, P]``, ``[R, F]``; in training, the norms see all of these series."""
        variance, mean = torch.var_mean(rows, dim=-1, correction=0, keepdim=True)
        scale = (variance + EPSILON).sqrt()
        tokens = self.embedding(self.patches((rows - mean) / scale)) + self.positions  # [R, N, D]
        hidden, scores = self.dropout(tokens), None
        for layer in self.layers:
            hidden, scores = layer(hidden, scores)
        forecast: Tensor = self.head(hidden.flatten(1)) * scale + mean
        return forecast

    def patches(self, rows: Tensor) -> Tensor:
        """Overlapping patches of rows that go on for one stride: ``[R, P]`` to ``[R, N, patch]``."""
        padded = functional.pad(rows, (0, self.stride), mode="replicate")
        return padded.unfold(-1, self.patch, self.stride)


class Layer(nn.Module):
    """Attention whose scores come on top of those of the layer before, and a feed-forward part."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.into = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Sequential(nn.Linear(config.width, config.width), nn.Dropout(config.dropout))
        self.feed = nn.Sequential(
            nn.Linear(config.width, 2 * config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * config.width, config.width),
            nn.Dropout(config.dropout),
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.width) for _ in range(2))

    def forward(self, hidden: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens ``[R, N, D]`` and the scores ``[R, heads, N, N]`` of the layer before to those of this layer."""
        query, key, value = self.into(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = (query * query.shape[-1] ** -0.5) @ key.mT
        if before is not None:
            scores = scores + before
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)  # [R, heads, N, d] -> [R, N, D]
        hidden = self.normed(0, hidden + self.out(mixed))
        return self.normed(1, hidden + self.feed(hidden)), scores

    def normed(self, which: int, hidden: Tensor) -> Tensor:
        """BatchNorm over the tokens of all rows."""
        tokens: Tensor = self.norms[which](hidden.flatten(0, 1))
        return tokens.view_as(hidden)


def fitting_patch(longest: int, history: int) -> int:
    """``longest``, halved until two patches fit into the history side by side, but at least 1."""
    while longest > max(1, history // 2):
        longest //= 2
    return longest
