"""Chronos-Bolt: a T5 that was trained on many time series continues each series, untrained.

Ansari et al., "Chronos: Learning the Language of Time Series", TMLR 2024, in its later, faster form, as the authors'
package ``chronos-forecasting`` has it: a series is standardised over what was observed, cut into patches of 16 steps,
encoded by T5 behind one more token, and a single step of the decoder gives nine quantiles of the next 64 steps. The
forecast here is the median, as the one that the mean absolute error asks for; beyond 64 steps it continues its own.

Each channel of each cell is a series of its own, as in VisionTS: the steps to forecast as they were on the seven days
before, one day after the other, and then the history. ``context=days`` and ``context=history`` are either alone.
chronos_bolt_nano is ours and random; the others are the authors' sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.errors import ConfigError, require
from bench.types import TaskShape, Window
from bench.weights import fitting, locate, read

from ._series import cell_by_cell, check_context
from ._zoo import BOLTS, SeriesModel

if TYPE_CHECKING:
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

DAYS_BACK: Final = (7, 6, 5, 4, 3, 2, 1)
SERIES: Final = 2**12  # forecast at a time
QUANTILES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LENGTH, AHEAD, PATCH = 2048, 64, 16  # steps seen at most, steps forecast at once, steps of a patch


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of Chronos-Bolt.

    Attributes:
        checkpoint: Size of the T5; chronos_bolt_nano has random weights only.
        weights: Pre-trained, or random as a control.
        context: The seven days before, these and the history, or the history alone.
    """

    checkpoint: Literal[
        "chronos_bolt_nano", "chronos_bolt_tiny", "chronos_bolt_mini", "chronos_bolt_small", "chronos_bolt_base"
    ] = "chronos_bolt_nano"
    weights: Literal["pretrained", "random"] = "random"
    context: Literal["days", "both", "history"] = tunable("both", choices=("days", "both", "history"))


class Model(nn.Module):
    """The T5 and the way to it and back."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        check_context("Chronos-Bolt", config.context, shape)
        facts = BOLTS[config.checkpoint]
        if config.weights == "pretrained" and not facts.source:
            raise ConfigError(
                f"{config.checkpoint} has no pre-trained weights; say model.checkpoint=chronos_bolt_tiny, or "
                "weights=random"
            )
        self.config, self.horizon = config, shape.horizon
        self.t5 = _build(facts, pretrained=config.weights == "pretrained")
        self.requires_grad_(False)

    def forward(self, window: Window) -> Tensor:
        return cell_by_cell(window, self.config.context, SERIES, self._forecast)

    def _forecast(self, series: Tensor) -> Tensor:
        """The next steps ``[n, F]`` of series ``[n, T]`` that are NaN where nothing was observed."""
        ahead = series[:, :0]
        while ahead.shape[1] < self.horizon:
            quantiles = self.t5(torch.cat((series, ahead), dim=1)).quantile_preds  # [n, 9, 64]
            ahead = torch.cat((ahead, quantiles[:, QUANTILES.index(0.5)]), dim=1)
        return ahead[:, : self.horizon]


def check(name: str, path: Path) -> int:
    """Hold the names and shapes in a weights' file against a size of the table, and count its tensors.

    Raises:
        WeightsError: If the file cannot be read, or a tensor is absent or of another shape.
    """
    with torch.device("meta"):
        t5 = _random(BOLTS[name])
    return len(fitting(path, read(path, headers=True), _own(t5)))


def _build(facts: SeriesModel, *, pretrained: bool) -> ChronosBoltModelForForecasting:
    """The T5 of a size.

    Raises:
        WeightsError: If the pre-trained weights are absent and unreachable, or are not this size's.
    """
    t5 = _random(facts)
    if pretrained and facts.source:
        path = locate(facts.source)
        t5.load_state_dict(fitting(path, read(path), _own(t5)), strict=False)
    return t5


def _random(facts: SeriesModel) -> ChronosBoltModelForForecasting:
    require("chronos", "tsfm", "the model 'chronos_bolt'")
    from chronos.chronos_bolt import ChronosBoltModelForForecasting

    return ChronosBoltModelForForecasting(_configuration(facts))


def _own(t5: nn.Module) -> dict[str, Tensor]:
    """Its weights by name; those of encoder and decoder for tokens are the shared ones again."""
    return {name: tensor for name, tensor in t5.state_dict().items() if "embed_tokens" not in name}


def _configuration(facts: SeriesModel) -> T5Config:
    from transformers import T5Config

    return T5Config(
        d_model=facts.width,
        d_kv=min(64, facts.width // facts.heads) if facts.source is None else 64,
        d_ff=facts.inner,
        num_layers=facts.depth,
        num_decoder_layers=facts.depth,
        num_heads=facts.heads,
        initializer_factor=0.05,
        pad_token_id=0,
        **_more(),
    )


def _more() -> dict[str, Any]:
    """What the library's type does not name."""
    return {
        "decoder_start_token_id": 0,
        "chronos_config": {
            "context_length": LENGTH,
            "prediction_length": AHEAD,
            "input_patch_size": PATCH,
            "input_patch_stride": PATCH,
            "quantiles": list(QUANTILES),
            "use_reg_token": True,
        },
    }
