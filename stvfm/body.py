"""What stands between the adapters: the vision backbone, frozen or tuned, or a control in its place.

Every body maps tokens ``[B, N, D]`` to features ``[B, N, D]`` and has a ``width`` D and the ``token_scale`` it expects.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from .backbones import BACKBONES, Backbone, build
from .config import Config


class Identity(nn.Module):
    """Control: no backbone. Only a norm is left, so that amplitude is lost here as it is behind every backbone."""

    token_scale = 1.0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.norm(tokens)
        return normed


class AttentionBlock(nn.Module):
    """Control: one trained transformer block of the backbone's width and kind, and the norm that ends a backbone."""

    token_scale = 1.0

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.block(tokens))
        return normed


class Shuffled(nn.Module):
    """Control: a backbone that meets the tokens in a fixed random order, each at a wrong position.

    The order is undone behind it. It is drawn with the weights, so from the run's seed, and kept out of checkpoints.
    """

    order: Tensor
    back: Tensor

    def __init__(self, backbone: Backbone, tokens: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.width, self.token_scale = backbone.width, backbone.token_scale
        order = torch.randperm(tokens)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.backbone(tokens[:, self.order])
        return features[:, self.back]


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


Body = Backbone | Identity | AttentionBlock | Shuffled


def make_body(config: Config, tokens: tuple[int, int]) -> Body:
    """The backbone on a grid of tokens, tuned as the settings say, or the control in its place.

    Raises:
        ConfigError: If the backbone has fewer blocks than ``config.depth``.
        WeightsError: If pre-trained weights are wanted and not to be had; controls without them never ask.
    """
    facts = BACKBONES[config.backbone]
    if config.control == "identity":
        return Identity(facts.width)
    if config.control == "attention":
        return AttentionBlock(facts.width, facts.heads)
    weights = "random" if config.weights == "none" else config.weights  # a backbone from scratch starts there, too
    backbone = build(config.backbone, weights, tokens, config.depth)
    if config.tuning == "full" or config.control == "scratch":
        backbone.requires_grad_(requires_grad=True)
    elif config.tuning == "lora":
        add_lora(backbone.blocks, config.lora_rank)
    if config.recompute:
        backbone.blocks = nn.Sequential(*map(Recomputed, backbone.blocks))
    return Shuffled(backbone, tokens[0] * tokens[1]) if config.control == "shuffled" else backbone


def add_lora(blocks: nn.Module, rank: int) -> None:
    """Give every attention matrix of frozen blocks a trained correction of low rank; the matrix itself stays frozen."""
    for name, weight in list(blocks.named_parameters()):
        path, _, leaf = name.rpartition(".")
        if "attn" in path.split(".") and weight.ndim == 2:
            parametrize.register_parametrization(blocks.get_submodule(path), leaf, LowRank(weight, rank))
