"""Facts about the language models that a baseline can reprogram; no torch, so that they can be listed at once.

Beside the names of this table, every causal language model of transformers will do by its name on the hub,
``owner/name``, if it has a ``tokenizer.json`` and its weights are safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bench.weights import Source


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
