"""ConvLSTM: an encoder and a forecaster of LSTMs whose products with weights are convolutions.

Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", NeurIPS 2015. As in
the paper: peepholes are one weight per channel and cell; the forecaster's states start from the encoder's, layer by
layer; it unfolds without input, as we read its figure, and its upper layer reads its lower one; the states of all its
layers are joined by a 1x1 convolution. What differs: raw cells instead of patches; two layers of width 32 with 3x3
kernels, since doubling the width costs about three times as much and quick runs are for CPUs; optimiser and loss are
the harness's.

    i = s(W_xi * X + W_hi * H + w_ci . C + b_i)        C' = f . C + i . tanh(W_xc * X + W_hc * H + b_c)
    f = s(W_xf * X + W_hf * H + w_cf . C + b_f)        o  = s(W_xo * X + W_ho * H + w_co . C' + b_o)
    H' = o . tanh(C')                                  * convolution, . product per element, s sigmoid
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

State = tuple[Tensor, Tensor]  # H and C, each [B, D, H, W]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ConvLSTM.

    Attributes:
        width: Channels of every hidden state.
        layers: Layers of the encoder, and of the forecaster.
        kernel: Odd kernel size of both convolutions.
        peepholes: Whether the gates see the memory; part of the paper, left out by many later implementations.
    """

    width: int = tunable(32, choices=(16, 32, 64))
    layers: int = tunable(2, choices=(1, 2, 3))
    kernel: int = tunable(3, choices=(3, 5))
    peepholes: bool = True


class Model(nn.Module):
    """Encoder, forecaster, 1x1 head."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.horizon = shape.horizon
        below = [config.width] * (config.layers - 1)
        self.encoder = nn.ModuleList(ConvLSTM(size, shape.grid, config) for size in [shape.channels, *below])
        self.forecaster = nn.ModuleList(ConvLSTM(size, shape.grid, config) for size in [0, *below])
        self.head = nn.Conv2d(config.layers * config.width, shape.channels, kernel_size=1)

    def forward(self, window: Window) -> Tensor:
        history = window.history
        batch, steps = history.shape[:2]
        hidden, states = history.transpose(0, 1).flatten(0, 1), []  # [P*B, C, H, W], step by step
        for layer in self.encoder:
            hidden, state = layer(hidden, None, steps)
            states.append(state)
        outputs: list[Tensor] = []
        for layer, state in zip(self.forecaster, states, strict=True):
            hidden, _ = layer(outputs[-1] if outputs else None, state, self.horizon)
            outputs.append(hidden)
        forecast: Tensor = self.head(torch.cat(outputs, dim=1))  # [F*B, layers*D, H, W] to [F*B, C, H, W]
        return forecast.view(self.horizon, batch, *history.shape[2:]).transpose(0, 1)


class ConvLSTM(nn.Module):
    """One layer, unrolled over time; with no input channels it unfolds from its state alone."""

    def __init__(self, inputs: int, grid: tuple[int, int], config: Config) -> None:
        super().__init__()
        gates, padding = 4 * config.width, config.kernel // 2
        self.width = config.width
        self.from_input = nn.Conv2d(inputs, gates, config.kernel, padding=padding, bias=False) if inputs else None
        self.from_hidden = nn.Conv2d(config.width, gates, config.kernel, padding=padding)
        self.peephole = nn.Parameter(torch.zeros(3, config.width, *grid)) if config.peepholes else None

    def forward(self, inputs: Tensor | None, state: State | None, steps: int) -> tuple[Tensor, State]:
        """Run ``steps`` steps over inputs ``[T*B, I, H, W]``, or without: states ``[T*B, D, H, W]`` and the last.

        The inputs of all steps are convolved at once, which leaves one convolution per step.
        """
        drives: Sequence[Tensor | None] = [None] * steps
        if inputs is not None and self.from_input is not None:
            drives = self.from_input(inputs).chunk(steps)
        outputs = []
        for drive in drives:
            state = self.step(drive, state)
            outputs.append(state[0])
        assert state is not None  # noqa: S101 - there is a step
        return torch.cat(outputs), state

    def step(self, drive: Tensor | None, state: State | None) -> State:
        """One cell step; ``drive`` is the convolved input ``[B, 4*D, H, W]``, gates in the order i, f, c, o.

        A state of zeros, None, is not multiplied with anything.
        """
        if state is None:
            assert drive is not None and self.from_hidden.bias is not None  # noqa: S101, PT018 - a layer with input
            into, _, candidate, out = (drive + self.from_hidden.bias[:, None, None]).chunk(4, dim=1)
            memory = into.sigmoid() * candidate.tanh()
        else:
            hidden, memory = state
            gates: Tensor = self.from_hidden(hidden)
            into, forget, candidate, out = (gates if drive is None else gates.add_(drive)).chunk(4, dim=1)
            if self.peephole is not None:
                into = torch.addcmul(into, self.peephole[0], memory)
                forget = torch.addcmul(forget, self.peephole[1], memory)
            memory = forget.sigmoid() * memory + into.sigmoid() * candidate.tanh()
        if self.peephole is not None:
            out = torch.addcmul(out, self.peephole[2], memory)
        return out.sigmoid() * memory.tanh(), memory
