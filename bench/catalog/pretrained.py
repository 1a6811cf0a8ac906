"""The pre-trained parts of our models: which files a run starts from, and what is known of them.

One place answers whether a run reads a file of weights (``sources_of``): its settings say so by
``bench.settings.FROM_FILE``, and ``PARTS`` says which of them names the part. What a plug-in of somebody else loads by
itself is not known here.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bench.catalog import registry
from bench.errors import HubUnreachableError, WeightsError
from bench.known_weights import known_digests, published_digest
from bench.records.spec import Spec
from bench.settings import FROM_FILE
from bench.weights import Source, find, is_pointer, locate

SHORT: Final = 8  # digits of a digest that tables show


@dataclass(frozen=True, kw_only=True)
class Part:
    """The pre-trained part of one of our models.

    Attributes:
        setting: The model's setting that names it.
        module: Where the table of such parts is, which imports no torch.
        table: The table's name; its entries have ``sources``, ``licence``, ``width`` and ``depth``.
        checker: Module whose ``check`` holds a file of weights against the architecture.
        other: The name of a function of the module for a name that the table lacks: ``(name, get)`` to sources, where
            ``get`` says whether a source can be had.
        unread: Files among the sources that this model does not read.
    """

    setting: str
    module: str
    table: str
    checker: str
    other: str = ""
    unread: tuple[str, ...] = ()


LANGUAGE: Final = Part(
    setting="llm",
    module="baselines._zoo",
    table="LANGUAGE_MODELS",
    checker="baselines._language",
    other="other_sources",
)
PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "stvfm": Part(setting="backbone", module="stvfm.zoo", table="BACKBONES", checker="stvfm.backbones"),
        "time_llm": LANGUAGE,
        "st_llm": replace(LANGUAGE, unread=("tokenizer.json",)),
        "fracast": Part(setting="checkpoint", module="baselines._zoo", table="FRACASTS", checker="baselines.fracast"),
        "chronos_bolt": Part(
            setting="checkpoint", module="baselines._zoo", table="BOLTS", checker="baselines.chronos_bolt"
        ),
        "visionts": Part(setting="mae", module="baselines._zoo", table="AUTOENCODERS", checker="baselines.visionts"),
    }
)


def is_here(source: Source) -> bool:
    """Whether a file is on this machine."""
    return find(source) is not None


def sources_of(model: str, config: Mapping[str, Any], get: Callable[[Source], bool] = is_here) -> tuple[Source, ...]:
    """The files that a run starts from; none unless its settings say that it reads some.

    Args:
        model: Its name.
        config: Its settings.
        get: Whether a file can be had, for a model that keeps its weights in one file or in several.
    """
    part = PARTS.get(model)
    name = config.get(part.setting) if part else None
    if part is None or not isinstance(name, str) or config.get("weights") not in FROM_FILE:
        return ()
    if model not in registry.model_names():
        return ()
    module = importlib.import_module(part.module)
    facts = getattr(module, part.table).get(name)
    sources = facts.sources if facts else getattr(module, part.other)(name, get)
    return tuple(source for source in sources if source.file not in part.unread)


def names_here(model: str) -> list[str]:
    """The pre-trained parts whose files are on this machine, by the names that a model's setting has for them."""
    part = PARTS[model]
    table = getattr(importlib.import_module(part.module), part.table)
    return [name for name, facts in table.items() if facts.sources and all(map(is_here, facts.sources))]


def instead(model: str) -> str:
    """What may be said of a pre-trained part that is not here: which others are; empty if none is."""
    names = names_here(model)
    where = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} here"
    return f"; {where}: --set model.{PARTS[model].setting}={names[0]}, or settings=" if names else ""


def blocks_used(model: str, config: Mapping[str, Any]) -> str:
    """Which blocks of its pre-trained part a model uses, such as "its first 4 of 12 blocks"; empty for all of them."""
    part, used = PARTS.get(model), config.get("depth")
    if part is None or config.get("weights", "none") == "none" or not isinstance(used, int):
        return ""
    facts = getattr(importlib.import_module(part.module), part.table).get(config.get(part.setting))
    return f"its first {used} of {facts.depth} blocks" if facts and 0 < used < facts.depth else ""


def part_used(model: str, config: Mapping[str, Any]) -> str:
    """The pre-trained part of a run and its blocks, such as "dinov2_small, its first 4 of 12 blocks"; empty without."""
    blocks = blocks_used(model, config)
    return f"{config[PARTS[model].setting]}, {blocks}" if blocks else ""


def weights_digest(model: str, config: Mapping[str, Any]) -> str | None:
    """What tells the files that a run starts from, as ``digest_of`` says; nothing is fetched.

    Returns:
        None for a run that reads none, and where one is neither here nor known by its published digest.

    Raises:
        WeightsError: If a file cannot be read.
    """
    return digest_of(sources_of(model, config))


def fetch_unknown(runs: Iterable[tuple[str, Mapping[str, Any]]], *, and_known: bool = False) -> bool:
    """Fetch the files of runs whose digest is not known; whether the digest of some is known now.

    With ``and_known`` all files that are not here are fetched, since who makes the runs may have no network. What
    cannot be had is left for the run itself to say.
    """
    tried: dict[Source, bool] = {}

    def get(source: Source) -> bool:
        if source not in tried:
            tried[source] = _obtained(source)
        return tried[source]

    fetched = False
    with suppress(HubUnreachableError):  # it will not answer for the others either
        for model, config in runs:
            nameless = weights_digest(model, config) is None
            if (and_known or nameless) and all(map(get, sources_of(model, config, get))):
                fetched |= nameless and weights_digest(model, config) is not None
    return fetched


def _obtained(source: Source) -> bool:
    try:
        locate(source)
    except HubUnreachableError:
        raise
    except WeightsError:
        return False
    return True


def check_weights(model: str, config: Mapping[str, Any], planned: str | None) -> None:
    """Refuse to start a run from other files than those of its plan; those that are not here are fetched.

    Raises:
        WeightsError: If they cannot be had, with those that are here, or are others.
    """
    sources = sources_of(model, config)
    try:
        paths = [locate(source) for source in sources]
    except WeightsError as error:
        raise type(error)(f"{error}{instead(model)}") from error
    present = digest_of(sources) if paths else None
    if present != planned:
        names = ", ".join(map(str, paths or sources))
        raise WeightsError(
            f"the pre-trained weights {names} are not those of the plan (wanted sha256 {planned or 'unknown'}, found "
            f"{present or 'none'}): they changed since this command began, or are not what is published; run it again "
            "to use them as they are"
        )


def known_as(spec: Spec) -> str:
    """What the files are that a run started from; empty if they are unknown. Nothing on this machine is looked at."""
    if spec.weights_sha256 is None:
        return ""
    return known_among(sources_of(spec.model, spec.config, lambda _: True)).get(spec.weights_sha256, "")


def is_from_unknown(spec: Spec) -> bool:
    """Whether a run started from a file of which nobody can say that it is what its name says."""
    return spec.reads_weights and not known_as(spec)


def known_among(sources: Sequence[Source]) -> dict[str, str]:
    """The digests that some files are known by, all taken together, with what each is of."""
    choices = [list(known_digests(source.repository, source.file).items()) for source in sources]
    known = {}
    for digests in product(*choices) if choices else ():
        pairs = zip(sources, digests, strict=True)
        digest = joined_digest({source.file: sha256 for source, (sha256, _) in pairs})
        if digest is not None:
            known[digest] = " and ".join(dict.fromkeys(what for _, what in digests))
    return known


def digest_of(sources: Sequence[Source]) -> str | None:
    """What tells the files that a run starts from: the sha256 of one file, or of the list of several.

    Such a list is what ``sha256sum`` prints for the files of one folder, sorted by name. A file that is not on this
    machine counts by the digest that is published of its revision.

    Returns:
        None if there is no file, or of one neither the content nor a digest is known.

    Raises:
        WeightsError: If a file cannot be read.
    """
    return joined_digest({source.file: file_digest(source) for source in sources})


def joined_digest(digests: Mapping[str, str | None]) -> str | None:
    """Of digests by the names of their files: the one, or that of their list; None if one is not known."""
    known = {file: digest for file, digest in sorted(digests.items()) if digest is not None}
    if not known or len(known) < len(digests):
        return None
    if len(known) == 1:
        return next(iter(known.values()))
    return hashlib.sha256("".join(f"{digest}  {file}\n" for file, digest in known.items()).encode()).hexdigest()


def file_digest(source: Source) -> str | None:
    """The sha256 of a file on this machine, else the one that is published of its revision, else None.

    Raises:
        WeightsError: If the file cannot be read.
    """
    local = find(source)
    if local is None:
        return published_digest(source.repository, source.file, source.revision)
    return None if is_pointer(local[0]) else sha256_of(local[0])


def sha256_of(path: Path) -> str:
    """The sha256 of a file, computed once as long as it looks the same.

    Raises:
        WeightsError: If it cannot be read.
    """
    try:
        about = path.stat()
        return _hashed(path.resolve(), (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); check its rights, or fetch it again") from error


@cache
def _hashed(path: Path, _looks: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
