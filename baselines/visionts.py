"""VisionTS: a masked auto-encoder of images continues each series, drawn as an image of days by slots, untrained.

Chen et al., "VisionTS: Visual Masked Autoencoders Are Free-Lunch Zero-Shot Time Series Forecasters", ICML 2025. As in
the authors' code: each channel of each cell is a series of its own, standardised over what is shown of it; its periods
are the columns and its phases the rows of a grey image, resized without anti-aliasing; the patches on the left are
shown, MAE paints the others, and its image is resized and scaled back. Nothing is trained, or the layer norms alone.

    Z = r (X - mean) / s,  s = sqrt(var + 1e-5),  X [F, K]         drawn on n = int(c N K / (K + A)) of N patches
    Y = columns K .. K + A of MAE's image at [F, N K / n]          forecast  Y s / r + mean,  r = norm, c = align

The period is a day: the K = 7 columns are the days before at the F steps to forecast (the rows), and A = 1. This is the
authors' image cut to the rows in question. What the cut leaves out is not seen, today's last P steps among it, which
the authors have at the bottom of their last column. With ``period=none``, their way for a series without a period,
these steps are all that is seen: K = P, A = F, one row. Where the data begin later, and beyond the first day of a
horizon, the columns hold what the window's past does.

What differs else: a history too short for one column of patches is continued to the left with its first value (the
authors' code, which does so with a broken period, fails here); layer norms are trained by the harness's recipe instead
of mostly one epoch on the squared error; vit_mae_nano and vit_mae_tiny are ours and random, which means MAE's own
initialisation. The library's pre-trained weights are a conversion of those that the authors load
(mae_visualize_vit_*.pth, by its script).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torch.utils.checkpoint import checkpoint

from bench.config import tunable
from bench.errors import ConfigError, require
from bench.types import TaskShape, Window
from bench.weights import fitting, locate, read

from ._zoo import AUTOENCODERS, Autoencoder

if TYPE_CHECKING:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

DAYS_BACK: Final = (7, 6, 5, 4, 3, 2, 1)
PIXELS: Final = MappingProxyType({"cpu": 2**18, "gpu": 2**23})  # painted at a time; a CPU's cache is small


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of VisionTS.

    Attributes:
        mae: Size of the auto-encoder; vit_mae_nano and vit_mae_tiny have random weights only.
        weights: Pre-trained, or random as a control.
        period: Days are the columns of the image, or the steps of the history are.
        norm: Standard deviation of the pixels shown.
        align: Share of the place due to the history that it gets on the image.
        tuning: Whether nothing is trained, or the layer norms are.
    """

    mae: Literal["vit_mae_nano", "vit_mae_tiny", "vit_mae_base", "vit_mae_large"] = "vit_mae_tiny"
    weights: Literal["pretrained", "random"] = "random"
    period: Literal["day", "none"] = "day"
    norm: float = tunable(0.4, low=0.2, high=1.0)
    align: float = tunable(0.4, low=0.2, high=1.0)
    tuning: Literal["none", "norm"] = "none"

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: If a constant is out of its range.
        """
        if not (self.norm > 0 and 0 < self.align <= 1):
            raise ValueError(f"norm={self.norm} must be above 0, and align={self.align} above 0 and at most 1")


class Model(nn.Module):
    """The image, the auto-encoder, and the way back."""

    CAST_ONCE: Final = True
    order: Tensor

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.config, size = config, AUTOENCODERS[config.mae]
        pretrained = config.weights == "pretrained"
        if pretrained and not size.source:
            raise ConfigError(f"{config.mae} has no pre-trained weights; say model.mae=vit_mae_base, or weights=random")
        if config.period == "day" and {*DAYS_BACK} - {*shape.days_back}:
            raise ConfigError(
                "VisionTS paints the seven days before as neighbouring columns, and steps of weeks or months have "
                "none, or this task withholds some of them; leave the model out, or say model.period=none, which "
                "paints the history"
            )
        past, ahead = (len(DAYS_BACK), 1) if config.period == "day" else (shape.history, shape.horizon)
        self.canvas = Canvas(size, config.align, past, ahead)
        self.mae = _build(size, self.canvas.shown, pretrained=pretrained)
        for name, weight in self.mae.named_parameters():
            weight.requires_grad_(config.tuning == "norm" and "norm" in name)
        order = torch.arange(size.side**2).view(size.side, size.side).T.reshape(1, -1)  # the left column comes first
        self.register_buffer("order", order, persistent=False)

    def forward(self, window: Window) -> Tensor:
        if self.config.period == "day":
            assert window.past is not None  # noqa: S101 - DAYS_BACK asks for it
            seen = window.past  # [B, K, F, C, H, W]
        else:
            seen = window.history[:, :, None]  # [B, P, 1, C, H, W]
        places = (seen.shape[0], *seen.shape[3:])
        series = seen.permute(0, 3, 4, 5, 2, 1).flatten(0, 3)  # [N, rows, columns], N = B*C*H*W
        pixels = PIXELS["cpu" if seen.device.type == "cpu" else "gpu"]
        chunks = series.chunk(-(-len(series) * self.canvas.image**2 // pixels))
        if torch.is_grad_enabled() and self.config.tuning == "norm":  # else all activations are kept
            forecasts = [checkpoint(self._forecast, chunk, use_reentrant=False) for chunk in chunks]
        else:
            forecasts = [self._forecast(chunk) for chunk in chunks]
        forecast = torch.cat(forecasts)
        forecast = forecast.view(*places, *forecast.shape[1:])  # [B, C, H, W, rows, A]
        return forecast.permute(0, 5, 4, 1, 2, 3).flatten(1, 2)  # [B, F, C, H, W]

    def _forecast(self, series: Tensor) -> Tensor:
        """The columns that come after those of ``series`` ``[N, rows, columns]``, ``[N, rows, A]``."""
        mean = series.mean(dim=(1, 2), keepdim=True)
        scale = (series.var(dim=(1, 2), keepdim=True, correction=0) + 1e-5).sqrt() / self.config.norm
        painted = self._paint(self.canvas.draw((series - mean) / scale))
        return self.canvas.read(painted, series.shape[1]) * scale + mean

    def _paint(self, images: Tensor) -> Tensor:
        """What the auto-encoder makes of the left of grey images ``[N, 1, S, S]``, as grey images of the same size."""
        order = self.order.expand(len(images), -1)
        seen = self.mae.vit(images.expand(-1, 3, -1, -1), noise=order)
        patches = self.mae.decoder(seen.last_hidden_state, seen.ids_restore).logits  # [N, side*side, patch*patch*3]
        image, patch = self.canvas.image, self.canvas.patch
        grey: Tensor = patches.float().view(len(images), image // patch, image // patch, patch, patch, 3).mean(dim=-1)
        return grey.transpose(2, 3).reshape(len(images), 1, image, image)


class Canvas:
    """Where history and forecast lie on the image.

    Attributes:
        image: Pixels S of a side.
        patch: Pixels of a side of a patch.
        shown: Columns of patches that the auto-encoder sees.
    """

    def __init__(self, size: Autoencoder, align: float, past: int, ahead: int) -> None:
        self.image, self.patch, self.ahead = size.image, size.patch, ahead
        self.past = max(past, -(-ahead // (size.side - 1)))  # so that the forecast fits beside one column of patches
        self.repeated = self.past - past
        self.shown = max(1, int(self.past / (self.past + ahead) * size.side * align))
        self.left = self.shown * size.patch
        self.columns = round(size.image * self.past / self.left)

    def draw(self, series: Tensor) -> Tensor:
        """Standardised series ``[N, rows, columns]`` as images ``[N, 1, S, S]`` that are 0 on the right."""
        series = pad(series, (self.repeated, 0), mode="replicate")
        left = interpolate(series[:, None], size=(self.image, self.left), mode="bilinear")
        return pad(left, (0, self.image - self.left))

    def read(self, images: Tensor, rows: int) -> Tensor:
        """The columns of images ``[N, 1, S, S]`` that come after the history, ``[N, rows, A]``."""
        whole = interpolate(images, size=(rows, self.columns), mode="bilinear")
        return whole[:, 0, :, self.past : self.past + self.ahead]


def _build(size: Autoencoder, shown: int, *, pretrained: bool) -> ViTMAEForPreTraining:
    """The auto-encoder of a size that is shown so many columns of patches.

    Raises:
        WeightsError: If the pre-trained weights are absent and unreachable, or are not this size's.
    """
    require("transformers", "vision", "the model 'visionts'")
    path = locate(size.source) if pretrained and size.source else None
    from transformers import ViTMAEForPreTraining  # takes seconds

    with torch.device("meta" if path else "cpu"):
        mae = ViTMAEForPreTraining(_configuration(size, shown))
    if path is None:
        _start(mae, size.side)
    else:
        wanted = fitting(path, _named(read(path)), mae.state_dict())
        mae.to_empty(device="cpu").load_state_dict(wanted, strict=True)  # copies, and casts to float32
    return mae


def _configuration(size: Autoencoder, shown: int) -> ViTMAEConfig:
    from transformers import ViTMAEConfig

    width, depth, heads = size.decoder
    return ViTMAEConfig(
        image_size=size.image,
        patch_size=size.patch,
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        decoder_hidden_size=width,
        decoder_num_hidden_layers=depth,
        decoder_num_attention_heads=heads,
        decoder_intermediate_size=4 * width,
        layer_norm_eps=1e-6,  # MAE's own
        mask_ratio=1 - (shown * size.side + 0.5) / size.side**2,  # it is rounded down to whole patches
    )


@torch.no_grad()
def _start(mae: ViTMAEForPreTraining, side: int) -> None:
    """Initial weights as MAE's; the library leaves tokens and positions at 0."""
    embeddings, decoder = mae.vit.embeddings, mae.decoder
    nn.init.xavier_uniform_(embeddings.patch_embeddings.projection.weight.flatten(1))
    for module in mae.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    for token in (embeddings.cls_token, decoder.mask_token):
        nn.init.normal_(token, std=0.02)
    for positions in (embeddings.position_embeddings, decoder.decoder_pos_embed):
        positions[0, 1:] = _positions(side, positions.shape[-1])


def _positions(side: int, width: int) -> Tensor:
    """Sines and cosines of a patch's column, then of its row, row by row, ``[side * side, width]``."""
    steps = torch.arange(width // 4, dtype=torch.float64) / (width // 4)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * 10000**-steps
    waves = torch.cat((angles.sin(), angles.cos()), dim=-1)  # [side, width / 2]
    return torch.cat((waves.repeat(side, 1), waves.repeat_interleave(side, dim=0)), dim=-1)


RENAMED: Final = (  # from the names in the file to those of the library today, in this order
    (r"\bvit\.encoder\.layer\.", "vit.layers."),
    (r"\.attention\.attention\.(query|key|value)\.", lambda found: f".attention.{found[1][0]}_proj."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)


def check(name: str, path: Path) -> int:
    """Hold the names and shapes in a weights' file against an auto-encoder of the table, and count its tensors.

    Raises:
        WeightsError: If the file cannot be read, or a tensor is absent or of another shape.
    """
    require("transformers", "vision", "the model 'visionts'")
    from transformers import ViTMAEForPreTraining

    with torch.device("meta"):
        mae = ViTMAEForPreTraining(_configuration(AUTOENCODERS[name], shown=1))
    return len(fitting(path, _named(read(path, headers=True)), mae.state_dict()))


def _named(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the library's names of today."""
    return {_renamed(name): tensor for name, tensor in found.items()}


def _renamed(name: str) -> str:
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name
