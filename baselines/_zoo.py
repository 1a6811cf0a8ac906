"""Facts about the pre-trained models inside baselines; no torch, so that they can be listed at once.

Beside the language models of this table, other causal ones of transformers will do by their names on the hub,
``owner/name``, if they have a ``tokenizer.json`` and their weights are plain safetensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bench.weights import Source, find, parts_of


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """Facts about one GPT-2.

    Attributes:
        repository: On the hub; None for one that exists with random weights only.
        licence: Of the weights.
        width: Token width D.
        depth: Transformer blocks.
        heads: Attention heads per block.
        vocabulary: Tokens it knows.
    """

    repository: str | None
    licence: str
    width: int
    depth: int
    heads: int
    vocabulary: int = 50257

    @property
    def sources(self) -> tuple[Source, ...]:
        """Weights and tokenizer."""
        files = ("model.safetensors", "tokenizer.json") if self.repository else ()
        return tuple(Source(repository=self.repository or "", file=file) for file in files)


LANGUAGE_MODELS: Final[Mapping[str, LanguageModel]] = MappingProxyType(
    {
        "gpt2_tiny": LanguageModel(repository=None, licence="ours", width=64, depth=2, heads=4, vocabulary=512),
        "distilgpt2": LanguageModel(
            repository="distilbert/distilgpt2", licence="apache-2.0", width=768, depth=6, heads=12
        ),
        "gpt2": LanguageModel(repository="openai-community/gpt2", licence="mit", width=768, depth=12, heads=12),
        "gpt2_medium": LanguageModel(
            repository="openai-community/gpt2-medium", licence="mit", width=1024, depth=24, heads=16
        ),
        "gpt2_large": LanguageModel(
            repository="openai-community/gpt2-large", licence="mit", width=1280, depth=36, heads=20
        ),
    }
)


def other_sources(llm: str, get: Callable[[Source], bool]) -> tuple[Source, ...]:
    """The files of a causal language model that is not in the table, by its name on the hub.

    Args:
        llm: ``owner/name``; another name has no files.
        get: Whether a file can be had.
    """
    if "/" not in llm:
        return ()
    config, whole, index, words = (
        Source(repository=llm, file=file)
        for file in ("config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json")
    )
    if get(whole) or not get(index):
        return config, whole, words
    local = find(index)
    parts = parts_of(local[0]) if local else []
    return config, index, *(Source(repository=llm, file=file) for file in parts), words


@dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """Facts about one masked auto-encoder of images (MAE).

    Attributes:
        source: Where the pre-trained weights are; None for one that exists with random weights only.
        licence: Of the weights.
        image: Side of the image, pixels.
        patch: Side of a patch, pixels.
        width: Token width of the encoder.
        depth: Blocks of the encoder.
        heads: Attention heads of each.
        decoder: Width, blocks and heads of the decoder.
    """

    source: Source | None
    licence: str
    image: int
    patch: int
    width: int
    depth: int
    heads: int
    decoder: tuple[int, int, int]

    @property
    def side(self) -> int:
        """Patches of a row."""
        return self.image // self.patch

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,) if self.source else ()


def _published(size: str, width: int, depth: int, heads: int) -> Autoencoder:
    return Autoencoder(
        source=Source(repository=f"facebook/vit-mae-{size}", file="model.safetensors"),
        licence="apache-2.0",
        image=224,
        patch=16,
        width=width,
        depth=depth,
        heads=heads,
        decoder=(512, 8, 16),
    )


AUTOENCODERS: Final[Mapping[str, Autoencoder]] = MappingProxyType(
    {
        "vit_mae_nano": Autoencoder(
            source=None, licence="ours", image=8, patch=2, width=8, depth=1, heads=1, decoder=(8, 1, 1)
        ),
        "vit_mae_tiny": Autoencoder(
            source=None, licence="ours", image=16, patch=4, width=16, depth=2, heads=2, decoder=(16, 1, 2)
        ),
        "vit_mae_base": _published("base", width=768, depth=12, heads=12),
        "vit_mae_large": _published("large", width=1024, depth=24, heads=16),
    }
)


@dataclass(frozen=True, kw_only=True)
class SeriesModel:
    """Facts about one foundation model of time series.

    Attributes:
        source: Where the pre-trained weights are; None for one that exists with random weights only.
        licence: Of the weights.
        width: Token width D.
        depth: Blocks of the encoder; of Fracast the one block's dilations.
        heads: Attention heads of each block.
        inner: Width within a block's feed-forward layer.
    """

    source: Source | None
    licence: str
    width: int
    depth: int
    heads: int = 0
    inner: int = 0

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,) if self.source else ()


def _bolt(size: str, width: int, depth: int, heads: int) -> SeriesModel:
    source = Source(repository=f"amazon/chronos-bolt-{size}", file="model.safetensors")
    return SeriesModel(source=source, licence="apache-2.0", width=width, depth=depth, heads=heads, inner=4 * width)


FRACASTS: Final[Mapping[str, SeriesModel]] = MappingProxyType(
    {
        "fracast_0": SeriesModel(
            source=Source(repository="ztxtech/fracast-0", file="model.safetensors", package="fracast"),
            licence="apache-2.0",
            width=64,
            depth=10,
        ),
    }
)
BOLTS: Final[Mapping[str, SeriesModel]] = MappingProxyType(
    {
        "chronos_bolt_nano": SeriesModel(source=None, licence="ours", width=16, depth=1, heads=2, inner=32),
        "chronos_bolt_tiny": _bolt("tiny", width=256, depth=4, heads=4),
        "chronos_bolt_mini": _bolt("mini", width=384, depth=4, heads=8),
        "chronos_bolt_small": _bolt("small", width=512, depth=6, heads=8),
        "chronos_bolt_base": _bolt("base", width=768, depth=12, heads=12),
    }
)
