"""Frozen vision backbones, fed with tokens instead of pixels.

A backbone keeps what a vision transformer knows (prefix tokens, positions, blocks, norms) and drops what ties it to
images (pooling, classifier, and the patchifier where it is not asked for):

    hidden = norm(blocks(before([prefix ; tokens + positions])))     [B, R + N, D], the prefix dropped

The positions are those of the native image, interpolated to the token grid as the library does for another image.

Three kinds of random weights are controls of the pre-trained ones (``stvfm.randomness``): as an untrained model has
them, of the size of the pre-trained ones, and the pre-trained values in another order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from bench.errors import ConfigError, UnknownNameError, require
from bench.settings import FROM_FILE, Weights
from bench.weights import fitting, locate, read

from .parts import Parts
from .pictures import Patchifier, token_std
from .randomness import REDRAWN, open_layer_scales
from .zoo import BACKBONES, Architecture

__all__ = ["BACKBONES", "Architecture", "Backbone", "build", "check"]

Grid = tuple[int, int]
MOST_BYTES: Final = 2**30  # of features that are kept; a gibibyte holds those of 14,000 grids of 50 tokens of width 384


class KeptFeatures:
    """Features of pictures behind a frozen backbone, made once for each picture and kept in memory.

    They are the same in every epoch. What is kept is found by the tokens themselves, to the last bit, and is made of
    one picture alone: so it depends neither on the batch nor on what was seen before. Weights are taken for the same
    until ``forget`` is called, as the backbone does when others are loaded. On a GPU nothing is kept, since looking it
    up would wait for the device. A copy starts empty.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Tensor] = {}
        self._bytes = 0

    def __reduce__(self) -> tuple[type[KeptFeatures], tuple[()]]:
        return KeptFeatures, ()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, tokens: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
        """Features ``[B, N, D]`` that ``make`` makes of tokens ``[B, N, D]``, or has made of them before."""
        if tokens.device.type != "cpu":
            return make(tokens)
        return torch.cat([self._of_one(one, make) for one in torch.split(tokens, 1)])

    def forget(self) -> None:
        """Keep nothing of what is known, as the weights are others now."""
        self._kept.clear()
        self._bytes = 0

    def _of_one(self, tokens: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
        content = hashlib.blake2b(tokens.contiguous().view(torch.uint8).numpy().tobytes(), digest_size=16).digest()
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else tokens.dtype
        key = (content, tokens.shape, tokens.dtype, precision)
        if (known := self._kept.get(key)) is not None:
            return known
        features = make(tokens).clone()  # without the prefix, of which it is a part
        if self._bytes + features.nbytes <= MOST_BYTES:
            self._kept[key] = features
            self._bytes += features.nbytes
        return features


class Backbone(nn.Module):
    """A frozen vision transformer on a grid of tokens, always in evaluation mode.

    Prefix and positions are buffers that no checkpoint holds: the weights' file, or the seed, gives them again.

    Attributes:
        width: Token width D.
        blocks: The blocks used.
        patchifier: The model's own, where pictures are its input; else None.
        token_scale: Standard deviation of the tokens that its patchifier makes of natural pictures: the scale at which
            the blocks expect their input. Weights drawn by pre-trained ones have that of the pre-trained ones.
    """

    CAST_ONCE: Final = True
    prefix: Tensor
    positions: Tensor

    def __init__(self, parts: Parts, *, token_scale: float | None = None, pictures: bool = False) -> None:
        super().__init__()
        self.register_buffer("prefix", parts.prefix.detach().clone(), persistent=False)  # [1, R, D]
        self.register_buffer("positions", parts.positions.detach().clone(), persistent=False)  # [1, N, D]
        self.before, self.blocks, self.norm = parts.before, parts.blocks, parts.norm
        self.width: int = parts.positions.shape[-1]
        self.token_scale = token_std(parts.patchifier.weight) if token_scale is None else token_scale
        self.patchifier = Patchifier(parts.patchifier) if pictures else None
        self.kept = KeptFeatures()
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        self.requires_grad_(requires_grad=False)
        self.eval()

    def train(self, mode: bool = True) -> Backbone:  # noqa: ARG002 - the signature is nn.Module's
        """Stay in evaluation mode, whatever the model around it does."""
        return super().train(mode=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``[B, N, D]`` in row-major order to features ``[B, N, D]``; gradients pass through to the tokens.

        Those of pictures are made once for each picture on a CPU, unless some of the weights are trained.
        """
        if self.patchifier is None or torch.compiler.is_compiling():
            return self._features(tokens)
        if tokens.requires_grad or any(weight.requires_grad for weight in self.parameters()):
            self.kept.forget()
            return self._features(tokens)
        return self.kept.of(tokens, self._features)

    def _features(self, tokens: Tensor) -> Tensor:
        return self._out(self.blocks(self._hidden(tokens)))

    def at_every_depth(self, tokens: Tensor) -> list[Tensor]:
        """Features ``[B, N, D]`` as if no block, one, two or all of them were used."""
        hidden = self._hidden(tokens)
        features = [self._out(hidden)]
        for block in self.blocks:
            hidden = block(hidden)
            features.append(self._out(hidden))
        return features

    def _hidden(self, tokens: Tensor) -> Tensor:
        """What the first block is given, ``[B, R + N, D]``; several grids in one sequence share their positions."""
        grids = tokens.shape[1] // self.positions.shape[1]
        prefix = self.prefix.expand(len(tokens), -1, -1)
        hidden: Tensor = self.before(torch.cat((prefix, tokens + self.positions.repeat(1, grids, 1)), dim=1))
        return hidden

    def _out(self, hidden: Tensor) -> Tensor:
        features: Tensor = self.norm(hidden)
        return features[:, self.prefix.shape[1] :]


def _forget(backbone: Backbone, _: object) -> None:
    """A function by name, since models are sent to other processes."""
    backbone.kept.forget()


def build(name: str, weights: Weights, tokens: Grid, depth: int, *, pictures: bool = False) -> Backbone:
    """Make a frozen backbone for a token grid.

    Random weights come from torch's generator, so from the run's seed; the generator is left as it was found, so that
    the layers made afterwards start the same whatever the weights.

    Args:
        name: Key of ``BACKBONES``.
        weights: Where the weights come from; none ever stands in for another.
        tokens: Rows and columns of the token grid.
        depth: Blocks used, counted from the input; 0 means all.
        pictures: Whether the patchifier is kept, to make tokens of pictures.

    Raises:
        UnknownNameError: If there is no such backbone.
        ConfigError: If the backbone has fewer blocks.
        WeightsError: If the pre-trained weights are wanted, as such or to draw others by, and are absent and
            unreachable, or not this architecture's.
    """
    architecture = _known(name)
    if not 0 <= depth <= architecture.depth:
        raise ConfigError(
            f"depth {depth} does not fit {name}, which has {architecture.depth} blocks; 0 uses all of them"
        )
    require(architecture.library, "vision", f"the backbone '{name}'")
    path = locate(architecture.source) if weights in FROM_FILE else None
    with torch.random.fork_rng(devices=[]):
        parts = _parts(architecture, path, tokens, depth or architecture.depth)
        scale = token_std(parts.patchifier.weight)
        parts = REDRAWN[weights](parts) if weights in REDRAWN else parts
        return Backbone(parts, token_scale=scale, pictures=pictures)


def _parts(architecture: Architecture, path: Path | None, tokens: Grid, depth: int) -> Parts:
    """Of the model in a file of weights, or of an untrained one."""
    library = LIBRARIES[architecture.library]
    with torch.device("meta" if path else "cpu"):
        model = library.make(architecture, depth)
    if path:
        tensors = fitting(path, library.rename(read(path), model), model.state_dict())
        model.to_empty(device="cpu").load_state_dict(tensors, strict=True)  # copies, and casts to float32
    else:
        open_layer_scales(model)
    return library.split(model, tokens)


def check(name: str, path: Path) -> int:
    """Hold the names and shapes in a weights' file against the whole architecture, and count its tensors.

    Raises:
        UnknownNameError: If there is no such backbone.
        WeightsError: If the file cannot be read, or a tensor is absent or of another shape.
    """
    architecture = _known(name)
    require(architecture.library, "vision", f"the backbone '{name}'")
    library = LIBRARIES[architecture.library]
    with torch.device("meta"):
        model = library.make(architecture, architecture.depth)
    return len(fitting(path, library.rename(read(path, headers=True), model), model.state_dict()))


def _known(name: str) -> Architecture:
    if name not in BACKBONES:
        raise UnknownNameError("backbone", name, BACKBONES)
    return BACKBONES[name]


def _positions(native: Tensor, old: Grid, new: Grid, owned: int) -> tuple[Tensor, Tensor]:
    """Native positions ``[1, owned + N', D]`` as those of the prefix ``[1, owned, D]`` and of a grid ``[1, N, D]``."""
    from timm.layers.pos_embed import resample_abs_pos_embed

    resampled = resample_abs_pos_embed(native.detach(), list(new), list(old), num_prefix_tokens=owned)
    return resampled[:, :owned], resampled[:, owned:]


def _make_timm(architecture: Architecture, depth: int) -> nn.Module:
    from timm import create_model  # takes seconds

    model: nn.Module = create_model(
        architecture.name,
        embed_dim=architecture.width,
        depth=depth,
        num_heads=architecture.heads,
        num_classes=0,
        global_pool="",
    )
    return model


def _rename_timm(found: Mapping[str, Tensor], model: Any) -> Mapping[str, Tensor]:
    """As found if the names are timm's own, else as timm's filter for the originals' files makes them."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    if found.keys() >= model.state_dict().keys():
        return found
    renamed: dict[str, Tensor] = checkpoint_filter_fn(dict(found), model)
    return renamed


def _split_timm(vit: Any, tokens: Grid) -> Parts:
    prefix = [token for token in (vit.cls_token, vit.reg_token) if token is not None]
    joined = torch.cat(prefix, dim=1) if prefix else vit.pos_embed[:, :0]  # [1, R, D]
    owned = 0 if vit.no_embed_class else joined.shape[1]  # prefix tokens that have a position of their own
    first, positions = _positions(vit.pos_embed, vit.patch_embed.grid_size, tokens, owned)
    return Parts(
        prefix=joined + first if owned else joined,
        positions=positions,
        before=vit.norm_pre,
        blocks=vit.blocks,
        norm=vit.norm,
        patchifier=vit.patch_embed.proj,
    )


def _make_clip(architecture: Architecture, depth: int) -> nn.Module:
    import open_clip  # takes ten seconds
    from open_clip.transformer import QuickGELU, VisionTransformer

    config = open_clip.get_model_config(architecture.name)
    tower: nn.Module = VisionTransformer(
        image_size=architecture.image,
        patch_size=architecture.patch,
        width=architecture.width,
        layers=depth,
        heads=architecture.heads,
        mlp_ratio=4.0,
        output_dim=config["embed_dim"],
        act_layer=QuickGELU if config.get("quick_gelu") else nn.GELU,
    )
    return tower


def _rename_clip(found: Mapping[str, Tensor], _: Any) -> Mapping[str, Tensor]:
    """The image tower's part of a file that holds the text tower too."""
    return {name.removeprefix("visual."): tensor for name, tensor in found.items() if name.startswith("visual.")}


def _split_clip(tower: Any, tokens: Grid) -> Parts:
    first, positions = _positions(tower.positional_embedding[None], tower.grid_size, tokens, 1)
    return Parts(
        prefix=tower.class_embedding.view(1, 1, -1) + first,
        positions=positions,
        before=tower.ln_pre,
        blocks=nn.Sequential(*tower.transformer.resblocks),
        norm=tower.ln_post,
        patchifier=tower.conv1,
    )


@dataclass(frozen=True, kw_only=True)
class Library:
    """How a library's models are used.

    Attributes:
        make: Builds the first blocks of an architecture, with all that is around them, in torch's default device.
        rename: Turns the names in a weights' file into the model's.
        split: Takes a model apart for a token grid.
    """

    make: Callable[[Architecture, int], nn.Module]
    rename: Callable[[Mapping[str, Tensor], Any], Mapping[str, Tensor]]
    split: Callable[[Any, Grid], Parts]


LIBRARIES: Final[Mapping[str, Library]] = MappingProxyType(
    {
        "timm": Library(make=_make_timm, rename=_rename_timm, split=_split_timm),
        "open_clip": Library(make=_make_clip, rename=_rename_clip, split=_split_clip),
    }
)
