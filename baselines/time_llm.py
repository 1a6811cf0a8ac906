"""Time-LLM: a frozen language model reprogrammed to forecast series, with a prompt of words before each.

Jin et al., "Time-LLM: Time Series Forecasting by Reprogramming Large Language Models", ICLR 2024.

    series   each cell and channel standardised over its history, then cut into overlapping patches
    tokens   patches -> circular convolution over three of them -> d values                       [R, N, d]
    reprogram  tokens ask, prototypes answer: attention with 8 heads                              [R, N, D]
             prototypes = linear map of the language model's V word vectors to K of them          [K, D]
    prompt   words about the data, the task and this series' statistics (minimum, maximum, median, trend, lags)
    model    frozen language model over [prompt ; tokens], the prompt's part dropped              [R, N, D]
    head     first values of every token -> linear map -> F steps, and the scale given back

As in the authors' code: the order of the prompt, statistics of the standardised series, lags by autocorrelation (not
their mirror images, though, which rounding would choose among), the head that reads the first values of a token only,
no residual connection around the language model.

What differs. The paper looks back over 512 steps; a window here has few, so the hours to forecast as they were seven
days and one day before stand in front of them (``past``), and a patch is no longer than history or horizon. A grid
has thousands of series, so all channels of a square of cells share one sequence of tokens (``side``; 1 is a cell by
itself); its statistics are those of the mean of its standardised series, in tenths, in a fixed number of words. Word
vectors are small, and prototypes made of them so much alike that attention cannot tell them apart; so prototypes are
normalised (``norm``). The scale of a series has a floor (``floor``): counts that stand still would otherwise be
forecast as standing still. Place and calendar are embedded beside the patches (``identity``, ``calendar``). With
past=false, side=1, norm=false, floor=0, identity=false, calendar=false and one channel the model is the authors' but
for the wording of the prompt, which says what a model may know of the data: grid, interval and channels.

The frozen prompt is read once a batch and remembered, so that no gradient passes through it.

Controls, after Tan et al., "Are Language Models Actually Useful for Time Series Forecasting?", NeurIPS 2024: all that
is not named stays. Without a language model there is no prompt, and prototypes are learned as they are.

    weights=random   the language model as it was initialised, words included; they have no tokenizer (``Vocabulary``)
    identity         no language model: the head reads the reprogrammed tokens
    attention        one trained attention layer in its place, from every token to every token
    block            one trained transformer block in its place: the same with a residual path around it, and an MLP
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import MINUTES_PER_DAY, TaskShape, Window

from ._cells import Squares, squares
from ._language import Language, Vocabulary, load, sizes_of, stand_in

DAYS_BACK = (7, 1)
MONTHS = 12
DAYS = 7
EPSILON = 1e-5
MOST_SEQUENCES = 100
TOP_LAGS = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of Time-LLM.

    Attributes:
        llm: Language model: a name of ``stbench weights list``, or ``owner/name`` of a causal one on the hub.
        depth: Its blocks used, counted from the input, at most all; 0 means all.
        weights: Of the language model; "none" for the controls that have none.
        control: What stands in for the language model.
        side: Cells along the side of the square that shares a sequence of tokens; 0 means the smallest power of two
            that leaves at most 100 sequences.
        past: Whether the hours to forecast, as they were days before, stand in front of the history.
        patch: Longest patch, in steps; its stride is half of it.
        width: Size d of a token before it is reprogrammed.
        prototypes: Text prototypes K.
        heads: Attention heads of the reprogramming; each has ``features`` values.
        features: Values that the head reads of each token of the language model, at most all.
        dropout: Rate after the embedding, on attention weights of the reprogramming, and after the head.
        norm: Whether prototypes are normalised.
        floor: Standard deviation that is added to that of a series, as squares, in those of the whole data.
        prompt: Whether there is a prompt of words.
        identity: Whether the place is embedded.
        calendar: Whether slot of day and day of week of the first step to forecast are embedded.
    """

    llm: str = "gpt2_tiny"
    depth: int = tunable(6, choices=(2, 4, 6, 12))
    weights: Literal["pretrained", "random", "none"] = "random"
    control: Literal["none", "identity", "attention", "block"] = "none"
    side: int = tunable(0, choices=(0, 1, 2, 4))
    past: bool = True
    patch: int = tunable(16, choices=(4, 8, 16))
    width: int = tunable(32, choices=(16, 32, 64))
    prototypes: int = tunable(100, choices=(100, 300, 1000))
    heads: int = tunable(8, choices=(4, 8))
    features: int = tunable(32, choices=(32, 64, 128))
    dropout: float = tunable(0.1, low=0.0, high=0.3)
    norm: bool = True
    floor: float = tunable(0.1, low=0.0, high=1.0)
    prompt: bool = True
    identity: bool = True
    calendar: bool = True

    def __post_init__(self) -> None:
        """Label a control without a language model as such, and refuse what makes no sense.

        Raises:
            ValueError: If a language model is to have no weights, or a size is out of its range.
        """
        if self.control != "none":
            object.__setattr__(self, "weights", "none")
        elif self.weights == "none":
            raise ValueError("weights=none belongs to the controls identity, attention and block")
        least = {"depth": 0, "side": 0, "patch": 1, "width": 1, "prototypes": 1, "heads": 1, "features": 1, "floor": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {low}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} must be at least 0 and below 1")


class Model(nn.Module):
    """Standardising, patching, reprogramming, language model, head, and the scale given back."""

    real: Tensor

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.config = config
        self.squares = squares(shape.grid, config.side, MOST_SEQUENCES)
        steps = shape.history + (len(DAYS_BACK) * shape.horizon if config.past else 0)
        self.patch = min(config.patch, shape.history, shape.horizon)
        self.stride = max(1, self.patch // 2)
        tokens = (steps - self.patch) // self.stride + 2
        variables = shape.channels * self.squares.side**2
        width, _ = sizes_of(config.llm)
        self.embedding = Embedding(shape, config, self.patch * variables, self.squares)
        self.reprogram = Reprogramming(config, width)
        if config.weights == "none":
            self.prototypes = nn.Parameter(torch.randn(config.prototypes, width) * 0.02)
            self.body: nn.Module = stand_in(config.control, width)
        else:
            self.body = load(config.llm, config.weights, config.depth)
            self.mapping = nn.Linear(len(self.body.words), config.prototypes)
            read = 0
            if config.prompt:
                self.prompt = Prompt(shape, steps, Vocabulary(config.llm, config.weights, len(self.body.words)))
                read = self.prompt.length
            self.body.check_length(read + tokens)
        self.norm = nn.LayerNorm(width) if config.norm else nn.Identity()
        self.features = min(config.features, width)
        self.head = nn.Linear(tokens * self.features, shape.horizon * variables)
        self.dropout = nn.Dropout(config.dropout)
        real = self.squares.cut(torch.ones(1, shape.channels, *shape.grid)).sum(dim=-1)
        self.register_buffer("real", real[0, :, None], persistent=False)  # [S, 1], series that are no padding

    def forward(self, window: Window) -> Tensor:
        known = self.known(window)  # [B, L, C, H, W]
        mean = known.mean(dim=1, keepdim=True)
        scale = (known.var(dim=1, correction=0, keepdim=True) + EPSILON + self.config.floor**2).sqrt()
        rows = self.squares.cut(((known - mean) / scale).flatten(1, 2))  # [B, S, L*C*side*side]
        series = rows.view(*rows.shape[:2], known.shape[1], -1)  # [B, S, L, M], M series in a sequence
        tokens = self.embedding(self.patches(series), window.horizon_clock[:, 0])  # [B, S, N, d]
        words = self.reprogram(tokens.flatten(0, 1), self.sources())  # [B*S, N, D]
        means = series.sum(dim=-1) / self.real  # [B, S, L]
        hidden = self.hidden(words, means.flatten(0, 1))[..., : self.features]
        forecast: Tensor = self.dropout(self.head(hidden.flatten(1)))  # [B*S, F*M]
        frames = self.squares.paste(forecast.view(*series.shape[:2], -1))  # [B, F*C, H, W]
        return frames.reshape(len(known), -1, *known.shape[2:]) * scale + mean

    def known(self, window: Window) -> Tensor:
        """The steps to look back on: a week ago, a day ago, and the history, ``[B, L, C, H, W]``."""
        if not self.config.past:
            return window.history
        assert window.past is not None  # noqa: S101 - this file's DAYS_BACK asks for it
        return torch.cat((window.past.flatten(1, 2), window.history), dim=1)

    def patches(self, series: Tensor) -> Tensor:
        """Overlapping patches, the last step repeated for one stride: ``[B, S, L, M]`` to ``[B, S, N, M*patch]``."""
        ends = series[:, :, -1:].expand(-1, -1, self.stride, -1)
        return torch.cat((series, ends), dim=2).unfold(2, self.patch, self.stride).flatten(3)

    def sources(self) -> Tensor:
        """Text prototypes, ``[K, D]``."""
        found = self.mapping(self.body.words.mT).mT if isinstance(self.body, Language) else self.prototypes
        normed: Tensor = self.norm(found)
        return normed

    def hidden(self, words: Tensor, means: Tensor) -> Tensor:
        """Tokens ``[R, N, D]`` through the language model, after the prompt of ``[R, L]``, or its control."""
        if isinstance(self.body, Language) and self.config.prompt:
            hidden: Tensor = self.body(words, self.prompt(self.body, means))
            return hidden
        alone: Tensor = self.body(words)
        return alone


class Embedding(nn.Module):
    """Patches to tokens by a circular convolution over their order, and the place and calendar added."""

    def __init__(self, shape: TaskShape, config: Config, values: int, places: Squares) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(values, config.width, 3, padding=1, padding_mode="circular", bias=False)
        self.place = table(places.count, config.width) if config.identity else None
        self.slot = table(shape.slots_per_day, config.width) if config.calendar else None
        self.day = table(DAYS, config.width) if config.calendar else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, patches: Tensor, clock: Tensor) -> Tensor:
        """``[B, S, N, values]`` and the clock ``[B, 2]`` to ``[B, S, N, d]``."""
        tokens = self.convolution(patches.flatten(0, 1).mT).mT.unflatten(0, patches.shape[:2])
        if self.place is not None:
            tokens = tokens + self.place[:, None]
        if self.slot is not None and self.day is not None:
            slot, day = clock.unbind(-1)
            tokens = tokens + (self.slot[slot] + self.day[day])[:, None, None]
        dropped: Tensor = self.dropout(tokens)
        return dropped


class Reprogramming(nn.Module):
    """Multi-head attention of tokens ``[R, N, d]`` to prototypes ``[K, D]``: a mixture of prototypes, ``[R, N, D]``."""

    def __init__(self, config: Config, width: int) -> None:
        super().__init__()
        inner = config.heads * config.features
        self.heads, self.rate = config.heads, config.dropout
        self.query = nn.Linear(config.width, inner)
        self.key, self.value = nn.Linear(width, inner), nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)

    def forward(self, tokens: Tensor, prototypes: Tensor) -> Tensor:
        rows, steps = tokens.shape[:2]
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in (self.query(tokens.flatten(0, 1)), self.key(prototypes), self.value(prototypes))
        )  # [heads, R*N or K, features]
        rate = self.rate if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query[None], key[None], value[None], dropout_p=rate)[0]
        out: Tensor = self.out(mixed.transpose(0, 1).flatten(1))
        return out.view(rows, steps, -1)


def _step(shape: TaskShape) -> str:
    """The length of a step in words."""
    if shape.season == "year":
        return "month" if shape.slots_per_day == MONTHS else "week"
    return f"{MINUTES_PER_DAY // shape.slots_per_day} minutes"


class Prompt(nn.Module):
    """Words about data and task, the same for all, and about each series; numbers are written digit by digit."""

    about: Tensor
    pieces: Tensor
    digits: Tensor
    signs: Tensor

    def __init__(self, shape: TaskShape, steps: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.lags = min(TOP_LAGS, steps // 2 + 1)
        self.lag_digits = len(str(steps // 2))
        height, width = shape.grid
        about = (
            f"Data: {shape.channels} channels on a grid of {height} x {width} cells, one step every {_step(shape)}. "
            f"Task: forecast the next {shape.horizon} steps given {steps} steps. "
            "Statistics, in tenths:"
        )
        parts = [vocabulary.numbers(text) for text in (" minimum", " maximum", " median", " trend", " lags")]
        self.ends = torch.tensor([len(part) for part in parts]).cumsum(0).tolist()
        for name, numbers in {
            "about": vocabulary.numbers(about),
            "pieces": list(chain.from_iterable(parts)),
            "digits": [vocabulary.sign(digit) for digit in "0123456789"],
            "signs": [vocabulary.sign(sign) for sign in "-+"],
        }.items():
            self.register_buffer(name, torch.tensor(numbers), persistent=False)

    @property
    def length(self) -> int:
        """Words of a prompt."""
        return len(self.about) + len(self.pieces) + 3 * 3 + 1 + self.lags * self.lag_digits

    def forward(self, language: Language, series: Tensor) -> object:
        """What the model remembers of the prompts of series ``[R, L]``."""
        common = language.remember(self.about[None])
        common.batch_repeat_interleave(len(series))
        return language.remember(self.words(series), common)

    def words(self, series: Tensor) -> Tensor:
        """The statistics of series ``[R, L]`` as numbers of words ``[R, n]``."""
        least, most, middle = series.amin(dim=1), series.amax(dim=1), series.median(dim=1).values
        rises = self.signs[(series[:, -1] > series[:, 0]).long()][:, None]
        lags = top_lags(series, self.lags)
        said = [self.number(least), self.number(most), self.number(middle), rises, self.written(lags, self.lag_digits)]
        named = self.pieces.tensor_split(self.ends[:-1])
        pairs = zip(named, said, strict=True)
        return torch.cat([part for name, value in pairs for part in (name.expand(len(series), -1), value)], dim=1)

    def number(self, values: Tensor) -> Tensor:
        """Sign and two digits of values ``[R]`` in tenths, up to 9.9: ``[R, 3]``."""
        tenths = (values * 10).round().clamp(-99, 99).long()
        return torch.cat((self.signs[(tenths >= 0).long()][:, None], self.written(tenths.abs()[:, None], 2)), dim=1)

    def written(self, values: Tensor, places: int) -> Tensor:
        """Whole numbers ``[R, n]`` as digits ``[R, n*places]``."""
        powers = 10 ** torch.arange(places - 1, -1, -1, device=values.device)
        return self.digits[values[..., None] // powers % 10].flatten(1)


def top_lags(series: Tensor, count: int) -> Tensor:
    """The lags of largest circular autocorrelation of ``[R, L]``, up to half of the steps: ``[R, count]``.

    Beyond it a lag is the mirror image of another. Correlations are rounded, so that equal ones come in order of the
    lag, whatever else is in a batch.
    """
    spectrum = torch.fft.rfft(series.float(), dim=1)
    correlation = torch.fft.irfft(spectrum * spectrum.conj(), n=series.shape[1], dim=1)
    half = correlation[:, : series.shape[1] // 2 + 1].mul(1000).round()
    lags: Tensor = half.argsort(dim=1, descending=True, stable=True)[:, :count]
    return lags


def table(rows: int, width: int) -> nn.Parameter:
    """Small random rows, ``[rows, width]``."""
    return nn.Parameter(torch.randn(rows, width) * 0.02)
