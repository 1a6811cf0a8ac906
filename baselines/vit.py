"""ViT: a small vision transformer, trained from scratch, on patches of the stacked history.

Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021. A
yardstick: the architecture of a vision foundation model without its pre-training. As in the paper: a linear map of each
patch, learned positions, norms before attention and before the feed-forward part, GELU, a last norm.

What differs: frames are channels; there is no class token: a linear head makes of each token the forecast of its patch,
to which the last value is added; the grid is padded with zeros to whole patches, and the forecast cropped; torch's
layers with their initialisation; three layers of width 64 on patches of 2 instead of twelve of 768 on patches of 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

SPREAD = 0.02  # of the positions at the start


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the ViT.

    Attributes:
        width: Size of a token; a multiple of ``heads``.
        layers: Transformer layers.
        heads: Attention heads.
        patch: Side of the square of cells that is one token.
        expansion: How much wider the middle of the feed-forward part is.
        dropout: Rate after the positions, in attention and in the feed-forward part.
    """

    width: int = tunable(64, choices=(64, 128, 192))
    layers: int = tunable(3, choices=(2, 3, 4, 6))
    heads: int = tunable(4, choices=(2, 4, 8))
    patch: int = tunable(2, choices=(1, 2, 4))
    expansion: int = tunable(4, choices=(2, 4))
    dropout: float = tunable(0.1, low=0.0, high=0.3)


class Model(nn.Module):
    """Patches to tokens, transformer, tokens to patches, plus the last value."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape, self.patch = shape, config.patch
        self.tokens = [-(-side // config.patch) for side in shape.grid]
        frame = shape.channels * config.patch**2
        self.enter = nn.Linear(shape.history * frame, config.width)
        self.positions = nn.Parameter(SPREAD * torch.randn(self.tokens[0] * self.tokens[1], config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.Sequential(*(_layer(config) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.width)
        self.leave = nn.Linear(config.width, shape.horizon * frame)

    def forward(self, window: Window) -> Tensor:
        tokens = self.dropout(self.enter(self.patches(window.history)) + self.positions)  # [B, N, D]
        change = self.frames(self.leave(self.norm(self.layers(tokens))))
        return window.history[:, -1:] + change

    def patches(self, history: Tensor) -> Tensor:
        """``[B, P, C, H, W]``, padded to whole patches, as ``[B, N, P*C*patch*patch]``, row by row."""
        height, width = self.shape.grid
        stacked = nn.functional.pad(history.flatten(1, 2), (0, -width % self.patch, 0, -height % self.patch))
        return nn.functional.pixel_unshuffle(stacked, self.patch).flatten(2).mT

    def frames(self, patches: Tensor) -> Tensor:
        """``[B, N, F*C*patch*patch]`` as ``[B, F, C, H, W]``, without the padding."""
        height, width = self.shape.grid
        folded = patches.mT.reshape(len(patches), -1, *self.tokens)  # [B, F*C*patch*patch, h, w]
        stacked = nn.functional.pixel_shuffle(folded, self.patch)[..., :height, :width]
        return stacked.reshape(-1, self.shape.horizon, self.shape.channels, height, width)


def _layer(config: Config) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        config.width,
        config.heads,
        config.expansion * config.width,
        config.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
