"""U-Net: a convolutional encoder and decoder with skips, from the stacked history to all forecast frames at once.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015. A yardstick: what a
plain image network does without a foundation model. As in the paper: two 3x3 convolutions with ReLU per level, 2x2 max
pooling, twice the channels on each coarser level, 2x2 transposed convolutions on the way back, skips by concatenation,
a 1x1 head, and its initialisation by fan-in.

What differs: frames are channels in and out, and the output is a forecast instead of a segmentation; convolutions
are padded, so that the grid keeps its size; group norm follows each of them (the paper has no norm), and they keep
their biases, without which a history twice as large would give the same forecast; the grid is padded with zeros to what
the pooling needs, and the forecast cropped; three levels from width 32 on, fewer on small grids, instead of five from
width 64 on; no dropout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

GROUPS = 4
SMALLEST = 2  # rows and columns that the coarsest level has at least


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the U-Net.

    Attributes:
        width: Channels of the finest level; a multiple of four.
        levels: Resolutions at most; a level that would have fewer than two rows or columns is left out.
    """

    width: int = tunable(32, choices=(16, 32, 64))
    levels: int = tunable(3, choices=(2, 3))


class Model(nn.Module):
    """Down, up, and a 1x1 head."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape = shape
        levels = levels_of(shape.grid, config.levels)
        self.multiple: int = 2 ** (levels - 1)
        widths = [config.width * 2**level for level in range(levels)]
        self.down = nn.ModuleList(
            twice(inputs, width) for inputs, width in pairwise([shape.history * shape.channels, *widths])
        )
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(wide, width, kernel_size=2, stride=2) for width, wide in pairwise(widths)
        )
        self.up = nn.ModuleList(twice(2 * width, width) for width in widths[:-1])
        self.head = nn.Conv2d(config.width, shape.horizon * shape.channels, kernel_size=1)

    def forward(self, window: Window) -> Tensor:
        height, width = self.shape.grid
        hidden = window.history.flatten(1, 2)  # [B, P*C, H, W]
        hidden = nn.functional.pad(hidden, (0, -width % self.multiple, 0, -height % self.multiple))
        skips: list[Tensor] = []
        for level, layer in enumerate(self.down):
            hidden = layer(nn.functional.max_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        for level in reversed(range(len(self.up))):
            hidden = self.up[level](torch.cat((skips[level], self.grow[level](hidden)), dim=1))
        forecast: Tensor = self.head(hidden)[..., :height, :width]  # [B, F*C, H, W]
        return forecast.reshape(-1, self.shape.horizon, self.shape.channels, height, width)


def levels_of(grid: tuple[int, int], most: int) -> int:
    """How many resolutions a grid allows: each is half as fine as the last, rounded up."""
    levels = 1
    while levels < most and math.ceil(min(grid) / 2**levels) >= SMALLEST:
        levels += 1
    return levels


def twice(inputs: int, outputs: int) -> nn.Sequential:
    """Two times: a 3x3 convolution, group norm, ReLU."""
    layers: list[nn.Module] = []
    for size in (inputs, outputs):
        conv = nn.Conv2d(size, outputs, kernel_size=3, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.GroupNorm(GROUPS, outputs), nn.ReLU()]
    return nn.Sequential(*layers)
