"""ST-VFM: a frozen vision foundation model reprogrammed with small adapters, in our reading of the abstract.

Chen et al., "Reprogramming Vision Foundation Models for Spatio-Temporal Forecasting", arXiv 2507.11558, 2025. The
paper's text beyond its abstract was not available to us, so this is a reading of it and no reproduction.

    raw     X   [B, P, C, H, W], scaled           flow   F_t = X_t - X_{t-1}, F_1 = 0
    per branch b in {raw, flow}, own weights:
      TATA  U_b = patches(b) W + space + step + slot of day + day of week             [B, P, N, D]
            U_b <- U_b + up(gelu(mix_P(gelu(down(norm(U_b))))))                       bottleneck, over time
            Z_b = s_b sum_t softmax_t(U_b w) U_b                                      [B, N, D]
      VFM   E_b = norm(blocks([prefix ; Z_b + positions])), prefix dropped            [B, N, D]
    BCPC    P_b = Attn(q_b, E_b) [B, m, D];  E_b <- E_b + g_b Attn(E_b, P_b')         L rounds, g_b = 0 at first
    head    Y   = X_P + unpatch(a . [E_raw ; E_flow] W_out)                           [B, F, C, H, W]
            a   root mean square of the patch's history, since the last norm loses amplitude   [B, N, 1]

The abstract's: two branches, the flow as a temporal difference, an adapter before the frozen backbone that embeds
temporal context, prompts after it by which the branches condition each other. Ours: everything else, that is the
equations, sizes and patch rule, the four kinds of embedding, attention pooling, reading prompts from the features by
attention, the gates, the head, its amplitude a, the last-value residual, and the scale s_b, which starts at that of the
tokens of the bypassed patchifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

from .adapters import CrossPrompts, Patching, TokenAdapter, auto_patch
from .backbones import build

MOST_TOKENS = 100


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ST-VFM.

    Attributes:
        patch: Side of a patch; 0 means the smallest power of two that leaves at most 100 tokens.
        prompts: Prompts m per branch.
        rounds: Rounds L of cross prompts, each with its own weights; 0 leaves the branches apart until the head.
        backbone: Vision transformer.
        depth: Its blocks used, counted from the input; 0 means all.
        weights: Pre-trained, or random as a control; the backbone is frozen either way.
    """

    patch: int = tunable(0, choices=(0, 1, 2, 4))
    prompts: int = tunable(4, choices=(2, 4, 8, 16))
    rounds: int = tunable(1, choices=(1, 2, 3))
    backbone: Literal["vit_tiny"] = "vit_tiny"
    depth: int = tunable(4, choices=(2, 4, 8, 12))
    weights: Literal["pretrained", "random"] = "random"


class Model(nn.Module):
    """Two branches through one frozen backbone."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape = shape
        self.patching = Patching(grid=shape.grid, patch=config.patch or auto_patch(shape.grid, MOST_TOKENS))
        self.backbone = build(config.backbone, config.weights, self.patching.tokens, config.depth)
        width, scale = self.backbone.width, self.backbone.token_scale
        self.raw = TokenAdapter(shape, self.patching, width, scale)
        self.flow = TokenAdapter(shape, self.patching, width, scale)
        self.rounds = nn.ModuleList(CrossPrompts(width, config.prompts) for _ in range(config.rounds))
        self.head = nn.Linear(2 * width, shape.horizon * shape.channels * self.patching.patch**2)

    def forward(self, window: Window) -> Tensor:
        history, clock = window.history, window.history_clock
        tokens = torch.cat((self.raw(history, clock), self.flow(flow(history), clock)))  # [2*B, N, D]
        raw, flowing = self.backbone(tokens).chunk(2)
        for cross in self.rounds:
            raw, flowing = cross(raw, flowing)
        amplitude = self.patching.cut(history).square().mean(dim=(1, 3)).sqrt()[..., None]  # [B, N, 1]
        change = self.patching.paste(amplitude * self.head(torch.cat((raw, flowing), dim=-1)))  # [B, F*C, H, W]
        last = history[:, -1:]
        return last + change.reshape(-1, self.shape.horizon, *last.shape[2:])


def flow(history: Tensor) -> Tensor:
    """Change since the step before, ``[B, P, C, H, W]``; the first step, which has none before it, is 0."""
    return history.diff(dim=1, prepend=history[:, :1])
