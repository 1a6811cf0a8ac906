"""Frozen vision backbones, fed with tokens instead of pixels.

A backbone keeps what a vision transformer knows (prefix tokens, positions, blocks, last norm) and drops what ties it to
images (patchifier, classifier).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from bench.errors import ConfigError, WeightsError

Weights = Literal["pretrained", "random"]
WEIGHTS_FILE: Final = "model.safetensors"
CONNECT_S: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Facts about one backbone.

    Attributes:
        timm: Architecture name in timm.
        tag: timm's name of the pre-trained weights of this architecture.
        width: Token width D.
        depth: Transformer blocks.
    """

    timm: str
    tag: str
    width: int
    depth: int

    @property
    def repository(self) -> str:
        """Where the hub keeps the pre-trained weights."""
        return f"timm/{self.timm}.{self.tag}"


ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {"vit_tiny": Architecture(timm="vit_tiny_patch16_224", tag="augreg_in21k_ft_in1k", width=192, depth=12)}
)


class Backbone(nn.Module):
    """A frozen vision transformer on a grid of tokens; always in evaluation mode, never trained.

    Attributes:
        token_scale: Standard deviation of the tokens that the bypassed patchifier makes of standard normal pixels: the
            scale at which the blocks expect their input.
    """

    prefix: Tensor
    positions: Tensor
    token_scale: float

    def __init__(self, vit: Any, tokens: tuple[int, int], depth: int) -> None:
        super().__init__()
        prefix, positions = _anchors(vit, tokens)
        self.register_buffer("prefix", prefix)  # [1, R, D]
        self.register_buffer("positions", positions)  # [1, N, D]
        self.token_scale = _token_scale(vit)
        self.before = vit.norm_pre
        self.blocks: nn.Sequential = vit.blocks[:depth]
        self.norm = vit.norm
        self.width = positions.shape[-1]
        self.requires_grad_(requires_grad=False)
        self.eval()

    def train(self, mode: bool = True) -> Backbone:  # noqa: ARG002 - the signature is nn.Module's
        """Stay in evaluation mode, whatever the model around it does."""
        return super().train(mode=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``[B, N, D]`` in row-major order to features ``[B, N, D]``; gradients pass through to the tokens."""
        prefix = self.prefix.expand(len(tokens), -1, -1)
        hidden: Tensor = torch.cat((prefix, tokens + self.positions), dim=1)  # [B, R+N, D]
        hidden = self.norm(self.blocks(self.before(hidden)))
        return hidden[:, self.prefix.shape[1] :]


def build(name: str, weights: Weights, tokens: tuple[int, int], depth: int) -> Backbone:
    """Make a frozen backbone for a token grid.

    Random weights come from torch's generator, so from the run's seed; the generator is left as it was found, so that
    the layers made afterwards start the same whatever the weights.

    Args:
        name: Key of ``ARCHITECTURES``.
        weights: Where the weights come from; neither ever stands in for the other.
        tokens: Rows and columns of the token grid.
        depth: Blocks used, counted from the input; 0 means all.

    Raises:
        ConfigError: If the backbone has fewer blocks.
        WeightsError: If the pre-trained weights are neither cached nor reachable.
    """
    from timm import create_model  # takes seconds

    architecture = ARCHITECTURES[name]
    if not 0 <= depth <= architecture.depth:
        raise ConfigError(
            f"depth {depth} does not fit {name}, which has {architecture.depth} blocks; 0 uses all of them"
        )
    overlay = {"file": str(weights_file(architecture))} if weights == "pretrained" else None
    with torch.random.fork_rng(devices=[]):
        vit = create_model(
            f"{architecture.timm}.{architecture.tag}", pretrained=overlay is not None, pretrained_cfg_overlay=overlay
        )
    return Backbone(vit, tokens, depth or architecture.depth)


def weights_file(architecture: Architecture) -> Path:
    """The pre-trained weights in the hub's cache, downloaded when they are not there yet.

    Raises:
        WeightsError: Within seconds, if they are neither cached nor reachable.
    """
    from huggingface_hub import constants, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = architecture.repository
    try:
        return Path(hf_hub_download(repository, WEIGHTS_FILE, local_files_only=True))
    except LocalEntryNotFoundError as error:
        if constants.HF_HUB_OFFLINE:
            raise _absent(architecture, "HF_HUB_OFFLINE is set") from error
    _check_reachable(architecture, hf_hub_url(repository, WEIGHTS_FILE))
    try:
        return Path(hf_hub_download(repository, WEIGHTS_FILE, etag_timeout=CONNECT_S))
    except (OSError, ValueError) as error:  # the hub's own errors are OSErrors or ValueErrors
        raise _absent(architecture, f"the download failed with {type(error).__name__}") from error


def _check_reachable(architecture: Architecture, url: str) -> None:
    """Ask the hub once, since its client asks again for half a minute where nobody answers."""
    import requests

    try:
        status = requests.head(url, timeout=CONNECT_S).status_code
    except requests.RequestException as error:
        raise _absent(architecture, f"the hub does not answer ({type(error).__name__})") from error
    if status >= requests.codes.bad_request:
        raise _absent(architecture, f"the hub answers with status {status}")


def _absent(architecture: Architecture, reason: str) -> WeightsError:
    return WeightsError(
        f"the pre-trained weights {architecture.repository} are not in the hub's cache and cannot be fetched, because "
        f"{reason}; run once with a connection to the hub, or copy its cache folder (HF_HOME) here, or choose "
        f"weights=random"
    )


def _anchors(vit: Any, tokens: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Prefix tokens ``[1, R, D]`` with their positions added, and the token grid's positions ``[1, N, D]``."""
    from timm.layers.pos_embed import resample_abs_pos_embed

    found = [token.detach() for token in (vit.cls_token, vit.reg_token) if token is not None]
    prefix = torch.cat(found, dim=1) if found else vit.pos_embed.new_zeros(1, 0, vit.embed_dim)
    owned = 0 if vit.no_embed_class else prefix.shape[1]  # prefix tokens that have a position of their own
    positions = resample_abs_pos_embed(
        vit.pos_embed.detach(), new_size=list(tokens), old_size=list(vit.patch_embed.grid_size), num_prefix_tokens=owned
    )
    return prefix + positions[:, :owned] if owned else prefix, positions[:, owned:].clone()


def _token_scale(vit: Any) -> float:
    """Analytic: for unit normal pixels every token channel varies with the squared norm of its kernel."""
    kernels: Tensor = vit.patch_embed.proj.weight.detach().flatten(1)
    return float(kernels.square().sum(1).mean().sqrt())
