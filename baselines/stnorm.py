"""ST-Norm: dilated causal convolutions over time that see each value raw, normalised over time, and over space.

Deng et al., "ST-Norm: Spatial and Temporal Normalization for Multi-variate Time Series Forecasting", KDD 2021 (its
Wavenet). A node is a grid cell. As in the authors' code: temporal normalisation is over batch and steps, with running
statistics in evaluation and an affine map for each channel and cell; spatial normalisation is over the cells of one
step, with the unbiased variance and an affine map for each channel; the history is filled up with zeros in front;
one block of kernels of 2 steps, whose dilation doubles; no dropout. What differs: there are as many layers as it takes
to see the whole history (4 for the authors' 16 steps, 3 for 6); the last layer has no residual path, which nothing
would read; skips are taken at the last step alone, the only one that the head reads; all channels of a cell are input
and output together; initialisation is PyTorch's.

    h' = h + R (tanh(K_f * [h, tnorm h, snorm h]) . sigmoid(K_g * [h, tnorm h, snorm h]))    * dilated convolution
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import TaskShape, Window

EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ST-Norm.

    Attributes:
        width: Channels of every layer.
        temporal: Whether convolutions see values normalised over time.
        spatial: Whether convolutions see values normalised over space.
    """

    width: int = tunable(16, choices=(8, 16, 32, 64))
    temporal: bool = True
    spatial: bool = True


class Model(nn.Module):
    """A stack of gated convolutions; the sum of their skips at the last step is read by two 1x1 layers."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape, width = shape, config.width
        dilations = [2**depth for depth in range(max(1, (shape.history - 1).bit_length()))]
        self.missing = 1 + sum(dilations) - shape.history
        self.start = nn.Conv2d(shape.channels, width, 1)
        self.gates = nn.ModuleList(GatedConvolution(shape.cells, dilation, config) for dilation in dilations)
        self.skips = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in dilations)
        self.residuals = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in dilations[1:])
        outputs = nn.Conv2d(width, shape.horizon * shape.channels, 1)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), outputs)

    def forward(self, window: Window) -> Tensor:
        steps = window.history.flatten(3).permute(0, 2, 3, 1)  # [B, P, C, H, W] -> [B, C, H*W, P]
        hidden = self.start(functional.pad(steps, (self.missing, 0)))  # [B, D, H*W, T]
        skips: list[Tensor] = []
        for depth, gate in enumerate(self.gates):
            passed = gate(hidden)  # [B, D, H*W, T - dilation]
            skips.append(self.skips[depth](passed[..., -1:]))
            if depth < len(self.residuals):
                hidden = hidden[..., -passed.shape[-1] :] + self.residuals[depth](passed)
        forecast: Tensor = self.head(torch.stack(skips).sum(dim=0))  # [B, F*C, H*W, 1]
        return forecast.reshape(-1, self.shape.horizon, self.shape.channels, *self.shape.grid)


class GatedConvolution(nn.Module):
    """A dilated convolution of the raw and the normalised input, through a tanh and a sigmoid gate."""

    def __init__(self, cells: int, dilation: int, config: Config) -> None:
        super().__init__()
        norms: list[nn.Module] = [TemporalNorm(config.width, cells)] if config.temporal else []
        self.norms = nn.ModuleList([*norms, SpatialNorm(config.width)] if config.spatial else norms)
        inputs = (1 + len(self.norms)) * config.width
        self.convolution = nn.Conv2d(inputs, 2 * config.width, (1, 2), dilation=(1, dilation))

    def forward(self, hidden: Tensor) -> Tensor:
        views = torch.cat([hidden, *(norm(hidden) for norm in self.norms)], dim=1)
        content, gate = self.convolution(views).chunk(2, dim=1)
        passed: Tensor = content.tanh() * gate.sigmoid()
        return passed


class TemporalNorm(nn.Module):
    """Each channel of each cell of ``[B, D, N, T]`` over batch and time; in evaluation by running statistics."""

    def __init__(self, width: int, cells: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width * cells, eps=EPSILON)

    def forward(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self.norm(hidden.flatten(1, 2))
        return normed.view_as(hidden)


class SpatialNorm(nn.Module):
    """Each channel of each step of ``[B, D, N, T]`` over the cells; a lone cell becomes 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, hidden: Tensor) -> Tensor:
        variance, mean = torch.var_mean(hidden, dim=2, correction=min(1, hidden.shape[2] - 1), keepdim=True)
        normed = (hidden - mean) / (variance + EPSILON).sqrt()
        return normed * self.weight[:, None, None] + self.bias[:, None, None]
