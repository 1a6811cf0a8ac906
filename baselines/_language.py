"""Frozen causal language models of transformers, fed with vectors instead of words.

Kept are the word vectors, the positions and the blocks; the output layer is not. A model is always in evaluation mode.
Weights are those of the hub (``weights=pretrained``) or drawn from torch's generator (``random``); neither ever stands
in for the other.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from bench.errors import ConfigError, UnknownNameError, WeightsError, require
from bench.weights import Source, fitting, locate, parts_of, read

from ._zoo import LANGUAGE_MODELS

Weights = Literal["pretrained", "random"]
HEADS = 4  # of the trained layers that stand in for a language model


class Language(nn.Module):
    """A causal language model without its output layer.

    Attributes:
        width: Token width D.
        words: ``[V, D]``, the vectors of its vocabulary.
        blocks: Its blocks, in order.
    """

    CAST_ONCE: Final = True

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.width: int = model.config.hidden_size
        depth = model.config.num_hidden_layers
        lists = (part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == depth)
        self._blocks = [next(lists, nn.ModuleList())]  # in a list, so that they are not registered twice
        self.requires_grad_(requires_grad=False)
        self.eval()

    @property
    def words(self) -> Tensor:
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight

    @property
    def blocks(self) -> nn.ModuleList:
        return self._blocks[0]

    def check_length(self, tokens: int) -> None:
        """Refuse more tokens than the model has positions.

        Raises:
            ConfigError: If it has fewer.
        """
        positions = positions_of(self.model.config)
        if tokens > positions:
            raise ConfigError(
                f"{tokens} tokens are more than the {positions} positions of this language model; raise model.side or "
                "model.patch, or choose another model.llm"
            )

    def train(self, mode: bool = True) -> Language:  # noqa: ARG002 - the signature is nn.Module's
        """Stay in evaluation mode, whatever the model around it does."""
        return super().train(mode=False)

    def forward(self, tokens: Tensor, before: Any = None) -> Tensor:
        """Vectors ``[B, N, D]`` to hidden states ``[B, N, D]``, which see what was ``remember``ed before them.

        Without any memory, transformers asks the device whether several texts are packed into one, and waits.
        """
        memory = self._nothing() if before is None else before
        hidden: Tensor = self.model(inputs_embeds=tokens, past_key_values=memory, use_cache=False).last_hidden_state
        return hidden

    def _nothing(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    @torch.no_grad()
    def remember(self, words: Tensor, before: Any = None) -> Any:
        """Read words ``[B, N]``, numbered as in the vocabulary, behind others; what to give to ``forward``."""
        vectors = self.model.get_input_embeddings()(words)
        return self.model(inputs_embeds=vectors, past_key_values=before, use_cache=True).past_key_values


def stand_in(control: str, width: int) -> nn.Module:
    """What stands where a language model is taken away, ``[B, N, D]`` to ``[B, N, D]``: a trained layer or nothing."""
    if control == "block":
        return Block(width)
    return SelfAttention(width) if control == "attention" else nn.Identity()


class SelfAttention(nn.Module):
    """Control: one attention layer of the language model's width, from every token to every token.

    Nothing of a token passes around it, so it may do worse than nothing in its place.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden: Tensor = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return hidden


class Block(nn.Module):
    """Control: one transformer block of the language model's width, and the norm that ends a language model."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.block(tokens))
        return normed


class Vocabulary:
    """Turns text into numbers of words: by the pre-trained model's tokenizer, or for random weights without one.

    A random model has no tokenizer, and no word means anything to it: each word or sign is then one token, numbered by
    its CRC-32 modulo the size of the vocabulary.
    """

    def __init__(self, llm: str, weights: Weights, size: int) -> None:
        self._size = size
        self._tokenizer = _tokenizer(llm) if weights == "pretrained" else None

    def numbers(self, text: str) -> list[int]:
        if self._tokenizer is None:
            return [zlib.crc32(word.encode()) % self._size for word in re.findall(r"[^\W\d_]+|\S", text)]
        numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return numbers

    def sign(self, text: str) -> int:
        """The number of a single digit or sign."""
        return self.numbers(text)[-1]


def sizes_of(llm: str) -> tuple[int, int]:
    """Token width D and most tokens, known without the weights.

    Raises:
        UnknownNameError, WeightsError: As ``load``.
    """
    configuration = _configuration(llm)
    return configuration.hidden_size, positions_of(configuration)


def positions_of(configuration: Any) -> int:
    """The most tokens that a model can read."""
    positions: int = getattr(configuration, "max_position_embeddings", None) or sys.maxsize
    return positions


def load(llm: str, weights: Weights, depth: int) -> Language:
    """Make a frozen language model; torch's generator is left as it was found.

    Args:
        llm: A name of ``LANGUAGE_MODELS``, or ``owner/name`` on the hub.
        weights: Where the weights come from.
        depth: Blocks used, counted from the input, at most all; 0 means all.

    Raises:
        UnknownNameError: If there is no such model.
        WeightsError: If what is needed is absent and unreachable, or is not what its name says.
    """
    configuration = _configuration(llm)
    if depth:
        configuration.num_hidden_layers = min(depth, configuration.num_hidden_layers)
    found = _found(_repository(llm), sharded=llm not in LANGUAGE_MODELS) if weights == "pretrained" else None
    with torch.random.fork_rng(devices=[]):
        model = _made(configuration)
    if found is not None:
        wanted = fitting(_repository(llm), _named(found, model), model.state_dict())
        model.load_state_dict(wanted)  # copies, and casts to float32
    language = Language(model)
    _check(llm, language)
    return language


def check(llm: str, path: Path) -> int:
    """Hold the names and shapes in a weights' file against a model of the table, and count its tensors.

    Raises:
        UnknownNameError: If it is not in the table.
        WeightsError: If the file cannot be read, or a tensor is absent or of another shape.
    """
    if llm not in LANGUAGE_MODELS:
        raise UnknownNameError("language model", llm, LANGUAGE_MODELS)
    with torch.device("meta"):
        model = _made(_configuration(llm))
    return len(fitting(path, _named(read(path, headers=True), model), model.state_dict()))


@torch.no_grad()
def _check(llm: str, language: Language) -> None:
    """Refuse what is no plain causal model: one whose first token knows of the second, or that has no blocks.

    Raises:
        WeightsError: If it is none.
    """
    tokens = torch.zeros(2, 2, language.width)
    tokens[1, 1] = torch.arange(language.width) % 3
    try:
        first, other = language(tokens)[:, 0]
        causal = torch.allclose(first, other, atol=1e-6)
    except Exception as error:  # whatever a model of someone else's does
        raise WeightsError(f"{llm} cannot be fed with vectors: {error}") from error
    if not (causal and language.blocks and language.words.shape[1] == language.width):
        raise WeightsError(f"{llm} is no plain causal language model; choose another model.llm, such as gpt2")


def _repository(llm: str) -> str:
    if llm in LANGUAGE_MODELS:
        repository = LANGUAGE_MODELS[llm].repository
        if repository is None:
            raise ConfigError(f"{llm} has no pre-trained weights; say model.llm=gpt2, or model.weights=random")
        return repository
    if "/" not in llm:
        raise UnknownNameError("language model", llm, LANGUAGE_MODELS)
    return llm


def _configuration(llm: str) -> Any:
    """Transformers' configuration of a model, by the table or by its ``config.json``, which never names code."""
    require("transformers", "llm", f"the language model '{llm}'")
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if llm in LANGUAGE_MODELS:
        facts = LANGUAGE_MODELS[llm]
        last = facts.vocabulary - 1
        return AutoConfig.for_model(
            "gpt2",
            n_embd=facts.width,
            n_layer=facts.depth,
            n_head=facts.heads,
            vocab_size=facts.vocabulary,
            bos_token_id=last,
            eos_token_id=last,
            activation_function="gelu_pytorch_tanh",  # GPT-2's own formula in one kernel
        )
    path = locate(Source(repository=_repository(llm), file="config.json"))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values.pop("auto_map", None)  # names code
        kind = values.pop("model_type")
        if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or values.get("is_encoder_decoder"):
            raise ValueError(f"'{kind}' is no causal language model of transformers")
        if values.get("quantization_config"):
            raise ValueError("its weights are quantised")
        configuration = AutoConfig.for_model(kind, **values)
        if not isinstance(getattr(configuration, "hidden_size", None), int):
            raise ValueError("it has no hidden_size")
        return configuration
    except Exception as error:  # whatever a file of someone else's holds
        raise WeightsError(f"{path} describes no language model that can be used here: {error}") from error


def _made(configuration: Any) -> Any:
    from transformers import AutoModel  # takes seconds

    make: Callable[..., Any] = AutoModel.from_config
    try:
        return make(configuration, dtype=torch.float32, trust_remote_code=False)
    except Exception as error:  # a configuration may hold whatever its author wrote
        raise WeightsError(f"a {configuration.model_type} of this configuration cannot be made: {error}") from error


def _tokenizer(llm: str) -> Any:
    require("tokenizers", "llm", f"the language model '{llm}'")
    from tokenizers import Tokenizer

    path = locate(Source(repository=_repository(llm), file="tokenizer.json"))
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise WeightsError(f"{path} is no tokenizer ({error}); delete it and fetch it again") from error


def _found(repository: str, *, sharded: bool) -> dict[str, Tensor]:
    """All tensors of a repository."""
    files = _weight_files(repository) if sharded else ["model.safetensors"]
    found: dict[str, Tensor] = {}
    for file in files:
        found |= read(locate(Source(repository=repository, file=file)))
    return found


def _named(found: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Tensors under the names of the model without its output layer."""
    return {name.removeprefix(f"{model.base_model_prefix}."): tensor for name, tensor in found.items()}


def _weight_files(repository: str) -> list[str]:
    """One file, or the parts that an index names."""
    whole = Source(repository=repository, file="model.safetensors")
    try:
        locate(whole)
    except WeightsError as absent:
        try:
            path = locate(Source(repository=repository, file="model.safetensors.index.json"))
        except WeightsError:
            raise absent from None
        return parts_of(path)
    return [whole.file]
