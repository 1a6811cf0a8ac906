"""Facts about the vision models that can be a backbone; no torch, so that they can be listed at once.

Sizes, licences and addresses are those of the libraries' own registries, and tests hold them against these. A licence
is the one that the weights' repository states. DINOv3 is absent: its rotary positions enter every block, so that its
blocks are no plain sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from bench.weights import Source


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Facts about one backbone.

    Attributes:
        family: What trained it.
        library: Whose code it is.
        name: Its name in that library.
        tag: The library's name of the pre-trained weights.
        source: Where the pre-trained weights are.
        licence: Of the weights.
        width: Token width D.
        depth: Transformer blocks.
        heads: Attention heads per block.
        registers: Learned prefix tokens beside the class token.
        patch: Side of the native patch, pixels.
        image: Side of the native image, pixels.
    """

    family: str
    library: Literal["timm", "open_clip"]
    name: str
    tag: str
    source: Source
    licence: str
    width: int
    depth: int
    heads: int
    registers: int
    patch: int
    image: int

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)


SIZES: Final = MappingProxyType(
    {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
)  # width, depth, heads


def _timm(
    family: str,
    size: str,
    name: str,
    tag: str,
    *,
    licence: str = "apache-2.0",
    registers: int = 0,
    patch: int = 16,
    image: int = 224,
) -> Architecture:
    width, depth, heads = SIZES[size]
    source = Source(repository=f"timm/{name}.{tag}", file="model.safetensors")
    return Architecture(
        family=family,
        library="timm",
        name=name,
        tag=tag,
        source=source,
        licence=licence,
        width=width,
        depth=depth,
        heads=heads,
        registers=registers,
        patch=patch,
        image=image,
    )


def _vit(size: str) -> Architecture:
    return _timm("ViT, supervised", size, f"vit_{size}_patch16_224", "augreg_in21k_ft_in1k")


def _deit(size: str) -> Architecture:
    return _timm("DeiT", size, f"deit_{size}_patch16_224", "fb_in1k")


def _dino(size: str) -> Architecture:
    return _timm("DINO", size, f"vit_{size}_patch16_224", "dino")


def _dinov2(size: str) -> Architecture:
    return _timm("DINOv2", size, f"vit_{size}_patch14_dinov2", "lvd142m", patch=14, image=518)


def _dinov2_reg(size: str) -> Architecture:
    name = f"vit_{size}_patch14_reg4_dinov2"
    return _timm("DINOv2, registers", size, name, "lvd142m", registers=4, patch=14, image=518)


def _mae(size: str) -> Architecture:
    return _timm("MAE", size, f"vit_{size}_patch16_224", "mae", licence="cc-by-nc-4.0")


def _siglip(size: str) -> Architecture:
    return _timm("SigLIP", size, f"vit_{size}_patch16_siglip_224", "webli")


def _clip(size: str, letter: str, patch: int) -> Architecture:
    width, depth, heads = SIZES[size]
    repository = f"timm/vit_{size}_patch{patch}_clip_224.openai"
    return Architecture(
        family="CLIP",
        library="open_clip",
        name=f"ViT-{letter}-{patch}-quickgelu",
        tag="openai",
        source=Source(repository=repository, file="open_clip_model.safetensors"),
        licence="apache-2.0",
        width=width,
        depth=depth,
        heads=heads,
        registers=0,
        patch=patch,
        image=224,
    )


BACKBONES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "vit_tiny": _vit("tiny"),
        "vit_small": _vit("small"),
        "vit_base": _vit("base"),
        "deit_tiny": _deit("tiny"),
        "deit_small": _deit("small"),
        "deit_base": _deit("base"),
        "dino_small": _dino("small"),
        "dino_base": _dino("base"),
        "dinov2_small": _dinov2("small"),
        "dinov2_base": _dinov2("base"),
        "dinov2_large": _dinov2("large"),
        "dinov2_reg_small": _dinov2_reg("small"),
        "dinov2_reg_base": _dinov2_reg("base"),
        "dinov2_reg_large": _dinov2_reg("large"),
        "mae_base": _mae("base"),
        "mae_large": _mae("large"),
        "siglip_base": _siglip("base"),
        "clip_base": _clip("base", "B", 16),
        "clip_large": _clip("large", "L", 14),
    }
)
