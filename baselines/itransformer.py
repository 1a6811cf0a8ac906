"""iTransformer: attention between whole series, one token for each channel of each cell.

Liu et al., "iTransformer: Inverted Transformers Are Effective for Time Series Forecasting", ICLR 2024. As in the
authors' code: a token is a series over the whole history, put through one linear map shared by all; each series is
standardised over its history and the forecast scaled back; time marks, scaled to [-0.5, 0.5], are tokens of their own
through the same map and have no forecast; layers are post-norm, with another norm at the end. There is no embedding of
place: cells in another order have the same forecasts in that order. What differs: the marks are slot of day and day of
week of the history (the authors add day of month and day of year, and leave all out for PEMS and Solar-Energy);
attention weights have no dropout, which would keep CPUs from the fused kernel; the defaults are far smaller, since a
32 x 32 grid of 2 channels has 2048 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import TaskShape, Window

DAYS = 7
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of iTransformer.

    Attributes:
        width: Size of a token, and of the feed-forward part.
        layers: Encoder layers.
        heads: Attention heads; a divisor of the width.
        dropout: Rate after the embedding, the attention, and both feed-forward maps.
        clock: Whether the clock is two further tokens.
        norm: Whether each series is standardised over its history.
    """

    width: int = tunable(32, choices=(32, 64, 128, 256))
    layers: int = tunable(2, choices=(1, 2, 3, 4))
    heads: int = tunable(2, choices=(2, 4, 8))
    dropout: float = tunable(0.1, low=0.0, high=0.3)
    clock: bool = True
    norm: bool = True


class Model(nn.Module):
    """Standardising, inverted embedding, encoder, projection, and the scale given back."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.config = config
        self.last_slot = max(1, shape.slots_per_day - 1)
        self.embedding = nn.Sequential(nn.Linear(shape.history, config.width), nn.Dropout(config.dropout))
        layers = (Layer(config) for _ in range(config.layers))
        self.encoder = nn.Sequential(*layers, nn.LayerNorm(config.width))
        self.projection = nn.Linear(config.width, shape.horizon)

    def forward(self, window: Window) -> Tensor:
        series = window.history.flatten(2).mT  # [B, P, C, H, W] -> [B, N, P] with N = C*H*W
        mean, scale = moments(series) if self.config.norm else (0.0, 1.0)
        tokens = (series - mean) / scale
        if self.config.clock:
            tokens = torch.cat((tokens, self.marks(window.history_clock)), dim=1)  # [B, N + 2, P]
        hidden = self.encoder(self.embedding(tokens))[:, : series.shape[1]]  # [B, N, D]
        forecast: Tensor = self.projection(hidden) * scale + mean  # [B, N, F]
        return forecast.mT.reshape(len(series), -1, *window.history.shape[2:])

    def marks(self, clock: Tensor) -> Tensor:
        """Slot of day and day of week from -0.5 to 0.5: ``[B, P, 2]`` to ``[B, 2, P]``."""
        slot, day = clock.unbind(-1)
        return torch.stack((slot / self.last_slot, day / (DAYS - 1)), dim=1) - 0.5


class Layer(nn.Module):
    """Attention between all tokens and a feed-forward part, each added to its input and then normalised."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.into = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Sequential(nn.Linear(config.width, config.width), nn.Dropout(config.dropout))
        self.feed = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.width),
            nn.Dropout(config.dropout),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(2))

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.norms[0](hidden + self.attention(hidden))
        normed: Tensor = self.norms[1](hidden + self.feed(hidden))
        return normed

    def attention(self, hidden: Tensor) -> Tensor:
        """Softmax attention between the tokens of ``[B, N, D]``."""
        query, key, value = self.into(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)  # [B, heads, N, d]
        attended: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return attended


def moments(series: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the steps of ``[B, N, P]``: each ``[B, N, 1]``."""
    variance, mean = torch.var_mean(series, dim=-1, correction=0, keepdim=True)
    return mean, (variance + EPSILON).sqrt()
