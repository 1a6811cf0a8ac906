"""What stands between the adapters: the vision backbone, frozen or tuned, or a control in its place.

Every body maps tokens ``[B, N, D]`` to features ``[B, N, D]`` and has a ``width`` D, the ``token_scale`` it expects,
and a ``patchifier`` where the tokens are made of pictures: the backbone's own, or a random one that is frozen, too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from .backbones import BACKBONES, Architecture, Backbone, build
from .config import Config
from .pictures import Patchifier


class Identity(nn.Module):
    """Control: no backbone. Only a norm is left, so that amplitude is lost here as it is behind every backbone."""

    token_scale = 1.0

    def __init__(self, width: int, patchifier: Patchifier | None = None) -> None:
        super().__init__()
        self.width = width
        self.patchifier = patchifier
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.norm(tokens)
        return normed

    def at_every_depth(self, tokens: Tensor) -> list[Tensor]:
        """There is one depth only."""
        return [self(tokens)]


class AttentionBlock(nn.Module):
    """Control: one trained transformer block of the backbone's width and kind, and the norm that ends a backbone."""

    token_scale = 1.0

    def __init__(self, width: int, heads: int, patchifier: Patchifier | None = None) -> None:
        super().__init__()
        self.width = width
        self.patchifier = patchifier
        self.block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.block(tokens))
        return normed

    def at_every_depth(self, tokens: Tensor) -> list[Tensor]:
        """Features without the block and with it."""
        return [self.norm(tokens), self(tokens)]


class LowRank(nn.Module):
    """LoRA (Hu et al., ICLR 2022) of one matrix: ``W + B A``, A random and B zero at first, alpha equal to the rank."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.b = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.b @ self.a


class Recomputed(nn.Module):
    """A block that keeps nothing but its input, and makes its activations anew in the backward pass."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.block, hidden, use_reentrant=False, preserve_rng_state=False)  # nothing is drawn
        return out


Body = Backbone | Identity | AttentionBlock


def make_body(config: Config, tokens: tuple[int, int]) -> Body:
    """The backbone on a grid of tokens, tuned as the settings say, or the control in its place.

    Raises:
        ConfigError: If the backbone has fewer blocks than ``config.depth``.
        WeightsError: If pre-trained weights are wanted and not to be had; controls without them never ask.
    """
    facts, pictures = BACKBONES[config.backbone], config.tokens == "image"
    if config.control == "identity":
        return Identity(facts.width, _random_patchifier(facts) if pictures else None)
    if config.control == "attention":
        return AttentionBlock(facts.width, facts.heads, _random_patchifier(facts) if pictures else None)
    weights = "random" if config.weights == "none" else config.weights  # a backbone from scratch starts there, too
    backbone = build(config.backbone, weights, tokens, config.depth, pictures=pictures)
    if config.tuning == "full" or config.control == "scratch":
        backbone.requires_grad_(requires_grad=True)
    elif config.tuning == "norms":
        train_norms(backbone)
    elif config.tuning == "lora":
        add_lora(backbone.blocks, config.lora_rank)
    if config.recompute:
        backbone.blocks = nn.Sequential(*map(Recomputed, backbone.blocks))
    return backbone


def _random_patchifier(facts: Architecture) -> Patchifier:
    """As large as the backbone's own, and frozen as that is."""
    convolution = nn.Conv2d(3, facts.width, facts.patch, stride=facts.patch)
    return Patchifier(convolution.requires_grad_(requires_grad=False))


def train_norms(backbone: Backbone) -> None:
    """Let the scales and shifts of all norms of a frozen backbone learn."""
    for module in backbone.modules():
        if isinstance(module, nn.LayerNorm):
            module.requires_grad_(requires_grad=True)


def add_lora(blocks: nn.Module, rank: int) -> None:
    """Give every attention matrix of frozen blocks a trained correction of low rank; the matrix itself stays frozen."""
    for name, weight in list(blocks.named_parameters()):
        path, _, leaf = name.rpartition(".")
        if "attn" in path.split(".") and weight.ndim == 2:
            parametrize.register_parametrization(blocks.get_submodule(path), leaf, LowRank(weight, rank))
