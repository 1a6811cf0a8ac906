"""What readers see in place of a registered name, declared once by each plug-in.

A model's title is what stands before the colon in the first line of its file's docstring ("STID: an MLP per cell …"); a
data set's is the ``title`` of its card. Machine names stay in commands, files and CSV.
"""

from __future__ import annotations

import re

from msgspec import structs

from bench.catalog import registry
from bench.errors import BenchError
from bench.records.spec import Label
from bench.types import DatasetCard

LONGEST = 30  # letters before the colon that are still a name and no sentence


def model_title(name: str, recorded: str = "") -> str:
    """Of a model of ours by its file, of any other as its record has it, or by its file; else its name."""
    if registry.comes_with_the_project("model", name):
        return _of_file(name) or _in_line(recorded) or name
    return _in_line(recorded) or _of_file(name) or name


def dataset_title(name: str, recorded: str = "") -> str:
    """Of a data set of ours by its card, of any other as its record has it, or by its card; else its name."""
    if registry.comes_with_the_project("dataset", name):
        return _of_card(name) or _in_line(recorded) or name
    return _in_line(recorded) or _of_card(name) or name


def files_known(card: DatasetCard) -> str:
    """The files whose sha256 a card knows, with it; that of the array, by which a run knows its data, is another."""
    return "\n".join(f"{file.name}: {file.sha256}" for file in card.files if file.sha256)


def files_of(dataset: str) -> str:
    """``files_known`` of a data set of ours, in one line; empty for any other."""
    try:
        ours = registry.comes_with_the_project("dataset", dataset)
        return files_known(registry.load("dataset", dataset).CARD).replace("\n", "; ") if ours else ""
    except BenchError:
        return ""


def step_of(dataset: str) -> int:
    """Minutes of a slot as the card of a data set of ours has it; 0 for any other."""
    try:
        return int(registry.load("dataset", dataset).CARD.interval) if dataset in registry.dataset_names() else 0
    except BenchError:
        return 0


def with_titles(label: Label, card: DatasetCard, model: str) -> Label:
    """A label with what readers call a data set and a model, and what else they want to know of the data."""
    return structs.replace(
        label,
        city=card.city,
        source=card.source,
        dataset_title=card.title,
        model_title=model_title(model),
        interval=card.interval,
    )


def _of_file(model: str) -> str:
    """Empty where there is no such file, or no name before a colon in it."""
    try:
        if model not in registry.model_names():
            return ""
        plugin, first = registry.find("model", model), registry.describe(model)
    except BenchError:
        return ""
    title, colon, _ = first.partition(":")
    if not colon or not 0 < len(title) <= LONGEST:
        return ""
    family = f"{plugin.source.stem}_"
    if plugin.preset and not model.startswith(family):
        return ""
    return f"{title} ({model.removeprefix(family).replace('_', ' ')})" if plugin.preset else title


def _of_card(dataset: str) -> str:
    try:
        known = dataset in registry.dataset_names()
        return _in_line(registry.load("dataset", dataset).CARD.title) if known else ""
    except BenchError:
        return ""


def _in_line(text: str) -> str:
    """Without line breaks, and without anything that no reader would see."""
    return "".join(letter for letter in re.sub(r"\s+", " ", text).strip() if letter.isprintable())
