"""ST-LLM: every cell is a token of a language model that is frozen but for its last attention layers.

Liu et al., "Spatial-Temporal Large Language Model for Traffic Prediction", IEEE MDM 2024.

    tokens   [steps and channels of a cell ; slot of day + day of week ; cell], e each, then a linear map  [B, N, D]
    model    the first blocks of a causal language model, frozen but for norms and positions, and for the
             attention of the last ones                                                                   [B, N, D]
    head     every token gives all steps and channels of its cell                                         [B, N, F*C]

As in the authors' code: the calendar is that of the last step of the history, cells are in row order, the model is
causal (a cell sees those before it), no activation behind the fusion. What differs: forecasts are of values
standardised by the training part, as for every model here; the language model has no dropout; on grids of more than
1024 cells, or than the model has positions, a square of cells shares a token (``side``); defaults are small, for CPUs.

Controls, after Tan et al., "Are Language Models Actually Useful for Time Series Forecasting?", NeurIPS 2024: the tokens
and the head stay.

    weights=random   the language model as it was initialised, partly frozen in the same way
    identity         no language model: the head reads the tokens, and the whole is linear
    attention        one trained attention layer in its place, from every cell to every cell
    block            one trained transformer block in its place: the same with a residual path around it, and an MLP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.errors import ConfigError
from bench.types import TaskShape, Window

from ._cells import squares
from ._language import Language, load, sizes_of, stand_in

DAYS = 7
MOST_TOKENS = 1024


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ST-LLM.

    Attributes:
        llm: Language model: a name of ``stbench weights list``, or ``owner/name`` of a causal one on the hub.
        depth: Its blocks used, counted from the input, at most all; 0 means all.
        unfrozen: Last blocks whose attention is trained.
        weights: Of the language model; "none" for the controls that have none.
        control: What stands in for the language model.
        side: Cells along the side of the square that shares a token; 0 means the smallest power of two that leaves at
            most 1024 tokens.
        width: Size e of each of the three embeddings.
    """

    llm: str = "gpt2_tiny"
    depth: int = tunable(6, choices=(2, 4, 6, 12))
    unfrozen: int = tunable(1, choices=(0, 1, 2, 3))
    weights: Literal["pretrained", "random", "none"] = "random"
    control: Literal["none", "identity", "attention", "block"] = "none"
    side: int = tunable(0, choices=(0, 1, 2, 4))
    width: int = tunable(64, choices=(64, 128, 256))

    def __post_init__(self) -> None:
        """Label a control without a language model as such, and refuse what makes no sense.

        Raises:
            ValueError: If a language model is to have no weights, or a size is out of its range.
        """
        if self.control != "none":
            object.__setattr__(self, "weights", "none")
        elif self.weights == "none":
            raise ValueError("weights=none belongs to the controls identity, attention and block")
        for name, least in {"depth": 0, "unfrozen": 0, "side": 0, "width": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}")


class Model(nn.Module):
    """Embeddings, fusion, language model, head."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        width, positions = sizes_of(config.llm)
        self.squares = squares(shape.grid, config.side, min(MOST_TOKENS, positions))
        values = shape.channels * self.squares.side**2
        self.series = nn.Linear(shape.history * values, config.width)
        self.slot = table(shape.slots_per_day, config.width)
        self.day = table(DAYS, config.width)
        self.place = table(self.squares.count, config.width)
        self.fusion = nn.Linear(3 * config.width, width)
        self.body = body(config, width)
        if isinstance(self.body, Language):
            self.body.check_length(self.squares.count)
        self.head = nn.Linear(width, shape.horizon * values)

    def forward(self, window: Window) -> Tensor:
        history = window.history
        series: Tensor = self.series(self.squares.cut(history.flatten(1, 2)))  # [B, N, e]
        slot, day = window.history_clock[:, -1].unbind(-1)
        moment = (self.slot[slot] + self.day[day])[:, None].expand_as(series)
        tokens = self.fusion(torch.cat((series, moment, self.place.expand_as(series)), dim=-1))  # [B, N, D]
        frames = self.squares.paste(self.head(self.body(tokens)))  # [B, F*C, H, W]
        return frames.reshape(len(history), -1, *history.shape[2:])


def body(config: Config, width: int) -> nn.Module:
    """What stands between tokens and head."""
    if config.weights == "none":
        return stand_in(config.control, width)
    language = load(config.llm, config.weights, config.depth)
    unfreeze(language, config.unfrozen)
    return language


def unfreeze(language: Language, last: int) -> None:
    """Train all norms and GPT-2's positions, and all but the MLP in the last blocks.

    Raises:
        ConfigError: If a block has no MLP by that name.
    """
    for name, weight in language.named_parameters():
        owner = name.split(".")[-2]
        if "norm" in owner or owner.startswith("ln_") or owner == "wpe":
            weight.requires_grad_()
    for block in list(language.blocks)[max(0, len(language.blocks) - last) :]:
        parts = [(name.split("."), weight) for name, weight in block.named_parameters()]
        if not any("mlp" in names for names, _ in parts):
            raise ConfigError("the blocks of this language model have no part called mlp to be kept frozen")
        for names, weight in parts:
            if "mlp" not in names:
                weight.requires_grad_()


def table(rows: int, width: int) -> nn.Parameter:
    """Rows drawn as Glorot and Bengio do, ``[rows, width]``."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, width)))
