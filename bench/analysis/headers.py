"""The names of data sets and methods in tables and figures, told apart where they must be, and precision and ranks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Hashable, Mapping
from dataclasses import replace
from typing import Literal, TypeVar

from bench.analysis.groups import DataKey, Group, MethodKey
from bench.analysis.table import Flag, Header
from bench.catalog.pretrained import SHORT
from bench.catalog.titles import model_title
from bench.settings import FROM_FILE, RANDOM

K = TypeVar("K", bound=Hashable)


def dataset_headers(keys: Collection[DataKey]) -> dict[DataKey, Header]:
    """With version and digest where one name has several, and with the channel where one is meant alone."""
    count = Counter((key.dataset, key.synthetic, key.channel) for key in keys)
    titles = told_apart({key.dataset: key.title for key in keys})
    headers = {}
    for key in keys:
        several = count[key.dataset, key.synthetic, key.channel] > 1
        details = (f" ({key.version}, {key.sha256[:6]})" if several else "") + (
            f": {key.channel}" if key.channel else ""
        )
        headers[key] = Header(
            name=titles[key.dataset] + details,
            machine=key.dataset + details,
            flags=("synthetic",) if key.synthetic else (),
        )
    return headers


def told_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """What readers see by name: the title, with the name behind it where another has the same; the name without one."""
    count = Counter(title for title in titles.values() if title)
    return {
        name: (f"{title} ({name})" if count[title] > 1 else title) if title else name for name, title in titles.items()
    }


def method_headers(keys: Collection[MethodKey], naive: Container[MethodKey] = ()) -> dict[MethodKey, Header]:
    """With changes, weights and settings where one name has several."""
    weights: dict[MethodKey, set[str]] = {}
    files: dict[MethodKey, set[str]] = {}
    ours = {key.name for key in keys if not key.external}
    for key in keys:
        weights.setdefault(_without_weights(key), set()).add(key.weights)
        files.setdefault(replace(_without_weights(key), weights=key.weights), set()).add(key.weights_sha256)
    titles = told_apart({key.name: key.title for key in keys})
    headers = {}
    for key in keys:
        details = ["made elsewhere"] if key.external and key.name in ours else []
        details += [key.changes] if key.changes and key.name == key.model else []
        details += [key.weights] if len(weights[_without_weights(key)]) > 1 else []
        if len(files[replace(_without_weights(key), weights=key.weights)]) > 1:
            details += [f"weights {key.weights_sha256[:SHORT] or 'not recorded'}"]
        details += [f"settings {key.settings}"] if key.settings else []
        behind = f" ({', '.join(details)})" if details else ""
        headers[key] = Header(
            name=titles[key.name] + behind,
            machine=key.name + behind,
            flags=(*(("external",) if key.external else ()), *_weights_flags(key)),
            naive=key in naive,
        )
    return headers


def shown_part(group: Group, hidden: Collection[str]) -> Group:
    """A group without the data sets and methods that tables call by one of these names."""
    datasets, methods = not_hidden(group, hidden)
    return replace(
        group, cells={at: cell for at, cell in group.cells.items() if at[0] in datasets and at[1] in methods}
    )


def not_hidden(group: Group, hidden: Collection[str]) -> tuple[list[DataKey], list[MethodKey]]:
    """Its data sets and methods that tables call by none of these names, also those without a cell in common."""
    return (
        _without(dataset_headers(group.datasets), hidden),
        _without(method_headers(group.methods), hidden),
    )


def _without(headers: Mapping[K, Header], hidden: Collection[str]) -> list[K]:
    return [key for key, header in headers.items() if not {header.name, header.plain}.intersection(hidden)]


def weights_note(keys: Collection[MethodKey]) -> str:
    """Which pre-trained weights methods start from, in a sentence; empty if none does."""
    used = {
        (
            key.title or model_title(key.model),
            f"sha256 {key.weights_sha256[:SHORT]}" if key.weights_sha256 else "not recorded",
            "; ".join(filter(None, (key.weights_are or "unknown to us", key.blocks))),
        )
        for key in keys
        if key.weights in FROM_FILE
    }
    texts = (f"{model} {digest} ({known})" for model, digest, known in sorted(used))
    return f"Pre-trained weights: {'; '.join(texts)}." if used else ""


def _weights_flags(key: MethodKey) -> tuple[Flag, ...]:
    random: tuple[Flag, ...] = ("random_weights",) if key.weights in RANDOM else ()
    return (*random, "unknown_weights") if key.reads_unknown_weights else random


def _without_weights(key: MethodKey) -> MethodKey:
    return replace(key, weights="", settings="", weights_sha256="", weights_are="")


def decimals(best: float) -> int:
    """Decimals that show three digits of the best value, two at least."""
    return 2 if best >= 1 or best <= 0 else min(6, 2 - math.floor(math.log10(best)))


def best_two(values: Mapping[K, float]) -> dict[K, Literal["best", "second"]]:
    """Best and second of two or more; values that are equal get no rank, and two equal bests leave no second."""
    ordered = sorted(values, key=lambda key: values[key])
    unique = [key for key in ordered[:2] if list(values.values()).count(values[key]) == 1]
    if len(ordered) < 2 or unique[:1] != ordered[:1]:
        return {}
    return dict(zip(unique, ("best", "second"), strict=False))
