"""ST-VFM: a frozen vision foundation model reprogrammed with small adapters, in our reading of the abstract.

Chen et al., "Reprogramming Vision Foundation Models for Spatio-Temporal Forecasting", arXiv 2507.11558, 2025. The
paper's text beyond its abstract was not available to us, so this is a reading of it and no reproduction.

    raw     X   [B, P, C, H, W], scaled           flow   F_t = X_t - X_{t-1}, F_1 = 0
    per branch b in {raw, flow}, own weights:
      TATA  U_b = patches(b) W + space + step + slot of day + day of week             [B, P, N, D]
            U_b <- U_b + up(gelu(mix_P(gelu(down(norm(U_b))))))                       bottleneck, over time
            Z_b = sum_t T_bt * U_bt                                                   [B, N, D], T_b [P, D]
      VFM   E_b = norm(blocks([prefix ; s_b Z_b + positions])), prefix dropped        [B, N, D]
            E_b <- E_b / rms(E_b)                                                     token by token
    BCPC    P_b = Attn(q_b, E_b) [B, m, D];  E_b <- E_b + g_b Attn(E_b, P_b')         L rounds, g_b = 0 at first
    head    V   = unpatch([a_raw E_raw ; a_flow E_flow] W_in)                         [B, H*W, K], a_b = rms(Z_b)
            V   <- V + cell + slot of day + day of week                               of the first step to forecast
            V   <- V + MLP(norm(V)), some layers                                      the same for every cell
            Y   = X_P + V W_out                                                       [B, F, C, H, W]

The abstract's: two branches, the flow as a temporal difference, an adapter before the frozen backbone that embeds
temporal context, prompts after it by which the branches condition each other. Ours: everything else, that is the
equations, sizes and patch rule, the four kinds of embedding, the mixer and the pool over time, reading prompts from the
features by attention, the gates, the head, and the scale s_b, which starts at that of the tokens that the bypassed
patchifier makes of natural pictures.

With ``tokens=image`` there is no adapter: Z_b is what the backbone's own frozen patchifier makes of the last frame of a
branch, drawn as a grey picture, over s_b, which is fixed. So the backbone sees what it was trained on, a picture, and
nothing in front of it has to be learned; but history before the last frame is not seen (before the last three, with
``colours``).

More switches, each of which is off where nothing is said:

    days      raw <- [X of a week before ; X of a day before ; X]       at the steps to forecast, F more steps each
    motion    flow <- [F_t ; velocity of X over the grid]               optical flow, in ``stvfm.frames``
    joined    [Z_raw ; Z_flow] is one sequence in the backbone          so that branches see each other there
    depths    E_b = sum_l w_bl norm(h_bl)                               over all depths l, in place of the last h_b
    series    V <- V + X_cell W                                         around the backbone, cell by cell
    base      Y = w_0 X_P + w_1 X_day + w_7 X_week + V W_out            w for each step and channel, in place of X_P

Three weaknesses of a first reading are mended here, each by a switch. One weight per step for a whole token blurs the
steps into their mean; so each of its D values has weights of its own (``pool``). The last norm takes the size of a
token, and counts differ in size by orders of magnitude; so the head gets the root mean square of each token back
(``amplitude``). A linear head tells cells and hours apart by a constant only; so a small MLP behind the tokens knows
the cell and the calendar (``head``, ``identity``, ``calendar``). The history still reaches a forecast through the
tokens: around the backbone go their amplitude, one number each, and the last value (``residual``), with ``base=mixed``
the days before as well.

Without ``places`` (no space in TATA) and without ``identity`` nothing that is trained depends on the grid, so that
weights of one city can be those of another; the place is then known by the positions of the backbone alone.

Controls ask what the pre-trained backbone is worth. All have the model's adapters and head, the same initial weights,
the same recipe and the same budget. Each starts with tokens of the size that its body expects and hands features of the
same size to the head: size goes around the body (a_b, from before s_b), and behind it features have a root mean square
of 1.

    weights=matched   each tensor of the backbone drawn anew, as large as it is        equal trained parameters
    weights=permuted  the values of each tensor of the backbone in a random order      equal trained parameters
    weights=random    the frozen backbone untrained, LayerScale set to 1               equal trained parameters
    shuffled          patches in an order of its own for each window, undone behind    equal trained parameters
    identity          no backbone, only a norm                                         equal trained parameters
    attention         one trained block of the same width                              12 D^2 more, about
    scratch           all blocks of the backbone trained from untrained weights        all of its own more

The last three load no pre-trained weights: their ``weights`` is "none", whatever was asked for. What each kind of
random weights keeps of the pre-trained ones is in ``stvfm.randomness``, and why no table can undo the order in
``stvfm.shuffling``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from bench.types import TaskShape, Window

from .adapters import CrossPrompts, Fusion, Patching, PlainTokens, Round, TokenAdapter, amplitude, auto_patch
from .backbones import BACKBONES
from .body import make_body
from .config import Config
from .depths import DepthMix
from .frames import BaseMix, flow, motion, with_days
from .head import CellHead, LinearHead
from .pictures import Canvas
from .shuffling import orders

DAYS_BACK: Final = (7, 1)
MOST_TOKENS = 100
TINY = 1e-6
Part = TypeVar("Part", bound=nn.Module)


class Model(nn.Module):
    """Two branches through one backbone."""

    salt: Tensor

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape, self.config = shape, config
        self.seen = replace(shape, history=shape.history + config.days * len(DAYS_BACK) * shape.horizon)
        self.patching = Patching(grid=shape.grid, patch=config.patch or auto_patch(shape.grid, MOST_TOKENS))
        self.canvas = Canvas(patching=self.patching, native=BACKBONES[config.backbone].patch, colours=config.colours)
        seeds = torch.randint(2**62, (6,)).tolist()
        self.backbone = drawn(seeds[0], lambda: make_body(config, self.patching.tokens))
        self.raw = drawn(seeds[1], lambda: self._adapter(self.seen))
        self.flow = drawn(seeds[2], lambda: self._adapter(self._flow_shape())) if config.flow else None
        self.rounds = drawn(seeds[3], self._rounds)
        self.head = drawn(seeds[4], self._head)
        self.base = BaseMix(shape, len(DAYS_BACK)) if config.residual and config.base == "mixed" else None
        self.depths = self._depths() if config.depths == "all" else None
        scale = torch.full((1 + config.flow,), self.backbone.token_scale)
        self.scale = nn.Parameter(scale, requires_grad=config.tokens == "adapter")
        self.register_buffer("salt", torch.tensor(seeds[5]), persistent=False)

    def forward(self, window: Window) -> Tensor:
        frames, clock = with_days(window) if self.config.days else (window.history, window.history_clock)
        features = self._features(window, frames, clock)
        change: Tensor = self.head(features, window.horizon_clock, frames)  # [B, F*C, H, W]
        change = change.reshape(-1, self.shape.horizon, *frames.shape[2:])
        if not self.config.residual:
            return change
        return change + (window.history[:, -1:] if self.base is None else self.base(window))

    def _features(self, window: Window, frames: Tensor, clock: Tensor) -> Tensor:
        """Of one or both branches, ``[B, N, D]`` or ``[B, N, 2*D]``."""
        order = orders(frames, self.patching.count, self.salt) if self.config.control == "shuffled" else None
        tokens = [self._tokens(self.raw, frames, clock, order)]
        if self.flow is not None:
            tokens.append(self._tokens(self.flow, self._flow(window.history), window.history_clock, order))
        features = self._through_backbone([s * z for s, z in zip(self.scale, tokens, strict=True)])
        for coordinate in self.rounds:
            features = coordinate(*features)
        if self.config.amplitude:
            features = [amplitude(z) * e for z, e in zip(tokens, features, strict=True)]
        joined = torch.cat(features, dim=-1)
        return joined if order is None else joined.take_along_dim(order.argsort(dim=1)[..., None], dim=1)

    def _through_backbone(self, tokens: list[Tensor]) -> list[Tensor]:
        """Features of unit size of each branch, whose tokens are one batch ``[2*B, N, D]`` there, or one sequence."""
        dim = 1 if self.config.joined else 0
        joined = torch.cat(tokens, dim=dim)
        if self.depths is None:
            return list(unit(self.backbone(joined)).chunk(len(tokens), dim=dim))
        at_depths = [features.chunk(len(tokens), dim=dim) for features in self.backbone.at_every_depth(joined)]
        return [unit(features) for features in self.depths(at_depths)]

    def _depths(self) -> DepthMix:
        config = self.config
        return DepthMix(1 + config.flow, 1 + (config.depth or BACKBONES[config.backbone].depth))

    def _flow(self, history: Tensor) -> Tensor:
        """What the flow branch is shown, ``[B, P, C or 3*C, H, W]``."""
        change = flow(history)
        return torch.cat((change, motion(history)), dim=2) if self._moving else change

    def _flow_shape(self) -> TaskShape:
        return replace(self.shape, channels=3 * self.shape.channels) if self._moving else self.shape

    @property
    def _moving(self) -> bool:
        return self.config.motion and self.config.tokens == "adapter"

    def _tokens(self, adapter: nn.Module, frames: Tensor, clock: Tensor, order: Tensor | None) -> Tensor:
        """Of one branch, ``[B, N, D]`` of about unit size, each of the patch that ``order`` puts at its place."""
        if (patchifier := self.backbone.patchifier) is not None:
            tokens: Tensor = patchifier(self.canvas.draw(frames))
            return tokens if order is None else tokens.take_along_dim(order[..., None], dim=1)
        patches = self.patching.cut(frames)  # [B, P, N, C*p*p]
        if order is not None:
            patches = patches.take_along_dim(order[:, None, :, None], dim=2)
        adapted: Tensor = adapter(patches, clock)
        return adapted

    def _adapter(self, shape: TaskShape) -> nn.Module:
        width, places = self.backbone.width, self.config.places
        if self.config.tokens == "image":
            return nn.Identity()  # never called
        if not self.config.tata:
            return PlainTokens(shape, self.patching, width, places=places)
        by_channel = self.config.pool == "channel"
        return TokenAdapter(shape, self.patching, width, by_channel=by_channel, places=places)

    def _rounds(self) -> nn.ModuleList:
        config, width = self.config, self.backbone.width
        if not config.flow or config.coordination == "none":
            return nn.ModuleList()

        def towards(excluded: str) -> nn.Module | None:
            if config.coordination == "concat":
                return Fusion(width)
            return None if config.coordination == excluded else CrossPrompts(width, config.prompts)

        return nn.ModuleList(Round(towards("flow_from_raw"), towards("raw_from_flow")) for _ in range(config.rounds))

    def _head(self) -> CellHead | LinearHead:
        width = (2 if self.config.flow else 1) * self.backbone.width
        if self.config.head == "linear":
            return LinearHead(self.shape, self.patching, width)
        return CellHead(self.seen, self.patching, width, self.config)


def drawn(seed: int, make: Callable[[], Part]) -> Part:
    """Make a part with draws of its own, so that a switch in one part moves no initial weight of another."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def unit(features: Tensor) -> Tensor:
    """Features ``[B, N, D]`` with a root mean square of 1 each, whatever the last norm of a backbone has learned."""
    return features / amplitude(features).clamp(min=TINY)
