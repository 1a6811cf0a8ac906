"""PredRNN: stacked LSTMs of convolutions with a second memory that runs up the stack and on to the next step.

Wang et al., "PredRNN: Recurrent Neural Networks for Predictive Learning using Spatiotemporal LSTMs", NeurIPS 2017.
Gates, forget bias, patches as channels and a 1x1 head follow the authors' code, without the layer norm, as in the
scripts they publish. So does the unrolling: each step forecasts the next frame, and beyond the history the forecast is
the input.

What differs: no scheduled sampling, since a model is never given targets: forecasts are fed back in training, too, and
those of history frames are in no loss. Each frame is padded with zeros to whole patches, and its forecast cropped.
Initialisation is torch's, as theirs. Sizes are for CPUs (for Moving MNIST the authors take four layers of width 128,
5x5 kernels and patches of 4).

    i  = s(W_xi * X + W_hi * H)       i' = s(W'_xi * X + W_mi * M)        C' = f . C + i . g
    f  = s(W_xf * X + W_hf * H + 1)   f' = s(W'_xf * X + W_mf * M + 1)    M' = f' . M + i' . g'
    g  = tanh(W_xg * X + W_hg * H)    g' = tanh(W'_xg * X + W_mg * M)     o  = s(W_xo * X + W_ho * H + W_o * [C', M'])
    H' = o . tanh(1x1([C', M']))      * convolution, . product per element, s sigmoid

M' of a layer is M of the layer above; that of the top layer is M of the bottom layer at the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

FORGET_BIAS = 1.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of PredRNN.

    Attributes:
        width: Channels of every state.
        layers: Layers of the stack.
        kernel: Odd kernel size of the gates' convolutions.
        patch: Side of the square of cells that become the channels of one; 1 means raw cells.
    """

    width: int = tunable(32, choices=(16, 32, 64))
    layers: int = tunable(2, choices=(2, 3, 4))
    kernel: int = tunable(3, choices=(3, 5))
    patch: int = tunable(2, choices=(1, 2, 4))


class Model(nn.Module):
    """A stack of cells, unrolled over history and horizon, and a 1x1 head."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape, self.patch, self.width = shape, config.patch, config.width
        channels = shape.channels * config.patch**2
        sizes = [channels] + [config.width] * config.layers
        self.cells = nn.ModuleList(Cell(inputs, width, config.kernel) for inputs, width in pairwise(sizes))
        self.head = nn.Conv2d(config.width, channels, kernel_size=1, bias=False)

    def forward(self, window: Window) -> Tensor:
        history = window.history.unbind(1)
        hidden = self.folded(history[0])
        zeros = hidden.new_zeros(len(hidden), self.width, *hidden.shape[-2:])
        states, memory = [(zeros, zeros) for _ in self.cells], zeros
        frames: list[Tensor] = []
        for step in range(self.shape.history + self.shape.horizon - 1):
            hidden = self.folded(history[step] if step < len(history) else frames[-1])
            for index, cell in enumerate(self.cells):
                hidden, own, memory = cell(hidden, *states[index], memory)
                states[index] = hidden, own
            if step >= len(history) - 1:
                frames.append(self.unfolded(self.head(hidden)))
        return torch.stack(frames, dim=1)

    def folded(self, frame: Tensor) -> Tensor:
        """A frame ``[B, C, H, W]``, padded to whole patches, as ``[B, C*patch*patch, h, w]``."""
        height, width = self.shape.grid
        padded = nn.functional.pad(frame, (0, -width % self.patch, 0, -height % self.patch))
        return nn.functional.pixel_unshuffle(padded, self.patch)

    def unfolded(self, patches: Tensor) -> Tensor:
        """The inverse of ``folded``, without the padding."""
        height, width = self.shape.grid
        return nn.functional.pixel_shuffle(patches, self.patch)[..., :height, :width]


class Cell(nn.Module):
    """A spatiotemporal LSTM: a memory of its own and one that is handed on."""

    def __init__(self, inputs: int, width: int, kernel: int) -> None:
        super().__init__()

        def gates(channels: int, count: int) -> nn.Conv2d:
            return nn.Conv2d(channels, count * width, kernel, padding=kernel // 2, bias=False)

        self.from_input = gates(inputs, 7)  # i, f, g, i', f', g', o
        self.from_hidden = gates(width, 4)  # i, f, g, o
        self.from_memory = gates(width, 3)  # i', f', g'
        self.from_both = gates(2 * width, 1)  # o
        self.join = nn.Conv2d(2 * width, width, kernel_size=1, bias=False)

    def forward(self, inputs: Tensor, hidden: Tensor, own: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """H', C' and M' of the docstring, each ``[B, D, h, w]``."""
        into, forget, new, into_memory, forget_memory, new_memory, out = self.from_input(inputs).chunk(7, dim=1)
        into_h, forget_h, new_h, out_h = self.from_hidden(hidden).chunk(4, dim=1)
        into_m, forget_m, new_m = self.from_memory(memory).chunk(3, dim=1)
        own = _updated(own, into + into_h, forget + forget_h, new + new_h)
        memory = _updated(memory, into_memory + into_m, forget_memory + forget_m, new_memory + new_m)
        both = torch.cat((own, memory), dim=1)
        opened = torch.sigmoid(out + out_h + self.from_both(both))
        return opened * torch.tanh(self.join(both)), own, memory


def _updated(memory: Tensor, into: Tensor, forget: Tensor, new: Tensor) -> Tensor:
    return torch.sigmoid(forget + FORGET_BIAS) * memory + torch.sigmoid(into) * torch.tanh(new)
