"""SimVP: convolutions that encode each frame, mix all frames stacked as channels, and decode each frame.

Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022; its gated spatiotemporal attention (gSTA) from
Tan et al., "SimVP: Towards Simple yet Powerful Spatiotemporal Predictive Learning", 2022 (SimVP v2). With
``translator="tau"`` it is TAU: Tan et al., "Temporal Attention Unit: Towards Efficient Spatiotemporal Predictive
Learning", CVPR 2023.

As in the authors' code (OpenSTL): P frames become P frames, and a forecast frame is decoded with the skip of the
history frame at its place. A shorter horizon is the first F of them; for a longer one the model reads its own P frames
again, and what is beyond F is cut off. Norms are theirs: over groups in the coders, over the batch in the translator
(running statistics at evaluation). Initialisation and stochastic depth are theirs, too.

What differs: TAU's differential divergence loss is left out, since every model has the harness's loss; the grid is
padded with zeros to what the strides need, and the forecast cropped; sizes are for CPUs (for TaxiBJ the authors take
width 32, hidden 256, 8 blocks and expansion 8). The first block is P * width channels wide, so that weights grow with
the square of P.

    gSTA  A = sigmoid(G) . V,  [V, G] = 1x1(dilated 7x7(5x5(Z)))        Z = gelu(1x1(norm(X))), both depthwise
    TAU   A = D . V . Z,       V = 1x1(dilated 7x7(5x5(Z))),            D = sigmoid(W_2 relu(W_1 mean(Z)))
    X' = X + s_1 . (1x1(A) + norm(X))        X'' = X' + s_2 . 1x1(gelu(3x3(1x1(norm(X')))))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

DILATION = 3
FIRST_DROP = 0.01  # the rate of the first block, if any is dropped
LAYER_SCALE = 0.01


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of SimVP.

    Attributes:
        translator: What mixes the frames: gated spatiotemporal attention, or TAU's statical and dynamical attention.
        width: Channels of an encoded frame; even.
        hidden: Channels of the translator between its first and its last block.
        blocks: Blocks of the translator.
        coder_layers: Convolutions of the encoder, and of the decoder; every second one halves or doubles the grid.
        expansion: How much wider the middle of a block's feed-forward part is.
        drop_path: Rate at which the last block's branches are left out in training; earlier blocks' are smaller.
    """

    translator: Literal["gsta", "tau"] = "gsta"
    width: int = tunable(16, choices=(8, 16, 32))
    hidden: int = tunable(128, choices=(64, 128, 256))
    blocks: int = tunable(4, choices=(2, 4, 8))
    coder_layers: int = tunable(2, choices=(2, 4))
    expansion: int = tunable(4, choices=(2, 4, 8))
    drop_path: float = tunable(0.1, low=0.0, high=0.3)


class Model(nn.Module):
    """Encoder, translator, decoder with a skip from the first encoder layer."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape = shape
        halved = [index % 2 == 1 for index in range(config.coder_layers)]
        self.multiple: int = 2 ** sum(halved)
        sizes = [shape.channels] + [config.width] * config.coder_layers
        self.encoder = nn.ModuleList(
            coder(*size, stride=2 if half else 1) for size, half in zip(pairwise(sizes), halved, strict=True)
        )
        self.translator = _translator(shape.history * config.width, config)
        self.decoder = nn.ModuleList(coder(config.width, config.width, grow=half) for half in reversed(halved))
        self.readout = nn.Conv2d(config.width, shape.channels, kernel_size=1)

    def forward(self, window: Window) -> Tensor:
        frames, parts = window.history, []
        for _ in range(math.ceil(self.shape.horizon / self.shape.history)):
            frames = self.translate(frames)
            parts.append(frames)
        return torch.cat(parts, dim=1)[:, : self.shape.horizon]

    def translate(self, frames: Tensor) -> Tensor:
        """The next P frames after P frames, both ``[B, P, C, H, W]``."""
        batch, steps, _, height, width = frames.shape
        padded = nn.functional.pad(frames, (0, -width % self.multiple, 0, -height % self.multiple))
        first: Tensor = self.encoder[0](padded.flatten(0, 1))  # [B*P, D, H, W], H and W padded from here on
        hidden = first
        for layer in self.encoder[1:]:
            hidden = layer(hidden)
        small = hidden.shape  # [B*P, D, h, w]
        hidden = self.translator(hidden.view(batch, -1, *small[2:])).view(small)  # frames stacked: [B, P*D, h, w]
        for layer in self.decoder[:-1]:
            hidden = layer(hidden)
        forecast: Tensor = self.readout(self.decoder[-1](hidden + first))
        return forecast.view(batch, steps, *forecast.shape[1:])[..., :height, :width]


def coder(inputs: int, outputs: int, stride: int = 1, *, grow: bool = False) -> nn.Sequential:
    """A 3x3 convolution that may halve or double the grid, group norm, SiLU."""
    conv = nn.Conv2d(inputs, 4 * outputs if grow else outputs, kernel_size=3, stride=stride, padding=1)
    nn.init.trunc_normal_(conv.weight, std=0.02)
    nn.init.zeros_(_bias(conv))
    return nn.Sequential(conv, nn.PixelShuffle(2) if grow else nn.Identity(), nn.GroupNorm(2, outputs), nn.SiLU())


def _translator(outside: int, config: Config) -> nn.Sequential:
    """Blocks of ``hidden`` channels; the first is as wide as all frames, and a 1x1 convolution leads back to that."""
    sizes = [outside] + [config.hidden] * (config.blocks - 1) + [outside]
    rates = torch.linspace(min(FIRST_DROP, config.drop_path), config.drop_path, config.blocks).tolist()
    layers: list[nn.Module] = []
    for (inputs, outputs), rate in zip(pairwise(sizes), rates, strict=True):
        layers.append(Block(inputs, rate, config))
        if inputs != outputs:
            layers.append(nn.Conv2d(inputs, outputs, kernel_size=1))
    return nn.Sequential(*layers)


class Block(nn.Module):
    """Attention and feed-forward part, each normed before, scaled, dropped at random and added."""

    def __init__(self, width: int, rate: float, config: Config) -> None:
        super().__init__()
        self.rate = rate
        self.norm_1, self.norm_2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.attention = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=1),
            nn.GELU(),
            GatedAttention(width) if config.translator == "gsta" else DynamicAttention(width),
            nn.Conv2d(width, width, kernel_size=1),
        )
        inner = config.expansion * width
        self.feed = nn.Sequential(
            nn.Conv2d(width, inner, kernel_size=1),
            nn.Conv2d(inner, inner, kernel_size=3, padding=1, groups=inner),
            nn.GELU(),
            nn.Conv2d(inner, width, kernel_size=1),
        )
        self.scale_1 = nn.Parameter(torch.full((width, 1, 1), LAYER_SCALE))
        self.scale_2 = nn.Parameter(torch.full((width, 1, 1), LAYER_SCALE))
        self.feed.apply(_by_fan_out)
        if config.translator == "gsta":  # the authors' code leaves TAU's attention to torch's initialisation
            self.attention.apply(_by_fan_out)

    def forward(self, hidden: Tensor) -> Tensor:
        normed = self.norm_1(hidden)
        hidden = hidden + self.drop(self.scale_1 * (self.attention(normed) + normed))
        return hidden + self.drop(self.scale_2 * self.feed(self.norm_2(hidden)))

    def drop(self, branch: Tensor) -> Tensor:
        """In training, zero the branch of some samples and scale up the others."""
        if not self.training or not self.rate:
            return branch
        kept = torch.rand(len(branch), 1, 1, 1, device=branch.device) >= self.rate
        return branch * kept / (1 - self.rate)


class GatedAttention(nn.Module):
    """gSTA: a large kernel's values, gated by as many others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.large, self.mix = _large_kernel(width), nn.Conv2d(width, 2 * width, kernel_size=1)

    def forward(self, hidden: Tensor) -> Tensor:
        mixed: Tensor = self.mix(self.large(hidden))
        values, gates = mixed.chunk(2, dim=1)
        return torch.sigmoid(gates) * values


class DynamicAttention(nn.Module):
    """TAU: a large kernel within a frame (statical), one weight per channel across frames (dynamical)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.large, self.mix = _large_kernel(width), nn.Conv2d(width, width, kernel_size=1)
        few = width // max(width // 16, 4)
        self.squeeze, self.excite = nn.Linear(width, few, bias=False), nn.Linear(few, width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        dynamical = torch.sigmoid(self.excite(self.squeeze(hidden.mean(dim=(2, 3))).relu()))
        weighted: Tensor = dynamical[..., None, None] * self.mix(self.large(hidden)) * hidden
        return weighted


def _large_kernel(width: int) -> nn.Sequential:
    """A depthwise 21x21 kernel in two steps: 5x5, then 7x7 at every third cell."""
    near = nn.Conv2d(width, width, kernel_size=5, padding=2, groups=width)
    far = nn.Conv2d(width, width, kernel_size=7, padding=3 * DILATION, dilation=DILATION, groups=width)
    return nn.Sequential(near, far)


def _by_fan_out(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        fan_out = math.prod(layer.kernel_size) * layer.out_channels // layer.groups
        nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(_bias(layer))


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - every convolution here has one
    return layer.bias
