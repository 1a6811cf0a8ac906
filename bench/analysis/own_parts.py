"""What of a supplement is the user's own: code of models and data sets, and cards, as copies beside the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import tomli_w

from bench.catalog import registry
from bench.catalog.own_files import is_path
from bench.catalog.plugins import Group
from bench.catalog.raw_files import USER_CARD
from bench.plain_files import parse_toml
from bench.records.record import Record
from bench.runs.own_code import PLUGINS, KeptCode, asked_at, asked_name, card_of, copies, kept_code

CODE, DATA = "plugins", "data"
UP = "../"  # from the folder of suites
COPIES = f"results/{PLUGINS}"  # of the code of every run; those in CODE are today's, for who makes the runs again


@dataclass(frozen=True, kw_only=True)
class OwnParts:
    """The user's own parts of a supplement.

    Attributes:
        files: By their names in it.
        sources: By the name of a model or data set, the file that declares it.
        cards: Data sets whose cards are there.
        missing: Models and data sets whose code or card is neither in the project nor among the copies.
    """

    files: Mapping[str, bytes]
    sources: Mapping[str, str]
    cards: Sequence[str]
    missing: Sequence[str]

    @property
    def variable(self) -> str:
        """What the variable of plug-ins must list, where the supplement is unpacked."""
        entries = {name: path if PurePosixPath(path).stem == name else f"{name}={path}" for name, path in self.listed}
        return ":".join(entries.values())

    @property
    def listed(self) -> list[tuple[str, str]]:
        return sorted(self.sources.items())

    def found_by(self, suite: bytes) -> bytes:
        """The text of a suite's file with the paths of these copies in place of those of the user's own files."""
        values = parse_toml(suite.decode("utf-8-sig"))
        if not any(map(is_path, _named_in(values))):
            return suite
        for key in ("models", "datasets", "references"):
            if isinstance(values.get(key), list):
                values[key] = [self._path_for(text) for text in values[key]]
        for variant in values.get("variants", []):
            variant["model"] = self._path_for(variant["model"])
        return tomli_w.dumps(values).encode()

    def _path_for(self, text: str) -> str:
        name, _, path = text.rpartition("=")
        name = name or PurePosixPath(path).stem
        known = is_path(text) and name in self.sources
        return f"{name}={UP}{self.sources[name]}" if known else text

    @property
    def contents(self) -> str:
        """The lines of a table of contents."""
        lines = [f"{CODE}/            models and data sets of the authors' own"] if self.sources else []
        if any(name.startswith(f"{COPIES}/") for name in self.files):
            lines.append(f"{COPIES}/    these as they were for each run, by its code")
        cards = f"{DATA}/               cards of data sets of the authors' own; the array belongs beside as data.npy"
        lines += [cards] if self.cards else []
        return "".join(f"{line}\n" for line in lines)

    @property
    def missing_text(self) -> str:
        if not self.missing:
            return ""
        return f"Not in here, since no copy was kept: the code or card of {', '.join(self.missing)}.\n"


def _named_in(suite: Mapping[str, Any]) -> list[str]:
    """What a suite's file names by name or path."""
    lists = [suite.get(key) for key in ("models", "datasets", "references")]
    names = [text for names in lists if isinstance(names, list) for text in names]
    return [*names, *(variant["model"] for variant in suite.get("variants", []))]


def personal(files: Mapping[str, object], home: Path) -> list[str]:
    """The files of a supplement, by name, with code or cards of the user's own that name a folder in a home."""
    folder = f"{home}/".encode()
    own = {name: content for name, content in files.items() if name.startswith((f"{CODE}/", f"{COPIES}/", f"{DATA}/"))}
    return sorted(name for name, content in own.items() if isinstance(content, bytes) and folder in content)


def own_parts(results: Path, records: Sequence[Record]) -> OwnParts:
    """The copies, in a results folder, of what is the user's own behind these records.

    Of code that was edited between runs the version that was asked for last is what the suites make again, or that of
    most runs where this was not noted.
    """
    codes, asked = sorted({record.code for record in records}), asked_at(results)
    by_code = {code: kept_code(results, code) for code in codes}
    votes, last = Counter[tuple[str, KeptCode]](), dict[tuple[str, KeptCode], int]()
    names: dict[str, set[str]] = {}
    for record in records:
        at = asked.get((record.model, record.code), 0)
        names.setdefault(record.code, set()).update(record.spec.behind)
        for name in {*record.spec.behind} & by_code[record.code].keys():
            version = name, by_code[record.code][name]
            votes[version] += 1
            last[version] = max(last.get(version, 0), at)
    chosen: dict[str, KeptCode] = {}
    for name, kept in sorted(votes, key=lambda one: (-last[one], -votes[one], one[0], one[1].files)):
        chosen.setdefault(name, kept)
    files = {f"{CODE}/{name}/{path}": content for name, kept in chosen.items() for path, content in kept.files}
    for code in codes:
        files |= {f"results/{name}": content for name, content in copies(results, code, names[code]).items()}
    in_order = [(model, code) for model, code in reversed(asked) if by_code.get(code) and model in names[code]]
    files |= {f"{COPIES}/{code}/{asked_name(model, at)}": b"" for at, (model, code) in enumerate(in_order, start=1)}
    cards = _cards(results, records)
    files |= {f"{DATA}/{name}/{USER_CARD}": content for name, content in cards.items()}
    return OwnParts(
        files=files,
        sources={name: f"{CODE}/{name}/{kept.source}" for name, kept in chosen.items()},
        cards=sorted(cards),
        missing=_missing(records, {*chosen, *cards}),
    )


def _cards(results: Path, records: Sequence[Record]) -> dict[str, bytes]:
    """By data set the card of the version of most runs."""
    votes = Counter((data.name, data.sha256) for record in records for data in record.spec.datasets)
    cards: dict[str, bytes] = {}
    for (name, sha256), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        card = card_of(results, name, sha256)
        if name not in cards and card.is_file():
            cards[name] = card.read_bytes()
    return cards


def _missing(records: Sequence[Record], there: set[str]) -> list[str]:
    asked: set[tuple[Group, str]] = {("model", record.model) for record in records}
    asked |= {("dataset", data.name) for record in records for data in record.spec.datasets}
    return sorted({name for group, name in asked if not registry.comes_with_the_project(group, name)} - there)
