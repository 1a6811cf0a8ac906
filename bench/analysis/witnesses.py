"""Which data sets are related: results that share a city, a source or training data are no independent witnesses.

In transfer across cities a result depends on its data set and on those that were trained on before. Two results are
related if any of these is behind both, as target or as source, or if two of them are of one city or of one source. They
are related to all others, too, if nothing is known of where a source comes from.

Only records and the project's own cards are asked, so that equal records give equal texts on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bench.analysis.headers import told_apart
from bench.catalog import registry
from bench.catalog.titles import dataset_title
from bench.errors import BenchError
from bench.records.record import Record

Tie: TypeAlias = tuple[str, str]  # "city", "source" or "data", and its name
TRAINING: Final = "data of their training"
UNKNOWN: Final[Tie] = ("data", "training data of unknown origin")


@dataclass(frozen=True)
class Origin:
    """Where the measurements of a data set come from, as its card says; empty where it does not."""

    city: str = ""
    source: str = ""

    @property
    def ties(self) -> set[Tie]:
        return {tie for tie in (("city", self.city), ("source", self.source)) if tie[1]}


@dataclass(frozen=True)
class Witnesses:
    """Data sets in families, whose members are related, by name; sorted.

    Attributes:
        families: By its members what these share.
        titles: What readers see in place of the names.
    """

    families: Mapping[tuple[str, ...], tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """How many data sets, and how many families of them, such as "3 data sets in 2 unrelated groups"."""
        number = sum(map(len, self.families))
        count = f"{number} data set{'' if number == 1 else 's'}"
        if len(self.families) == number:
            return count
        groups = len(self.families)
        return f"{number} related data sets" if groups == 1 else f"{count} in {groups} unrelated groups"

    @property
    def related(self) -> str:
        """Who is related to whom, in a sentence; empty if nobody is."""
        named = {names: _listed([self.titles.get(name, name) for name in names]) for names in self.families}
        shared = [f"{named[names]} ({', '.join(by)})" for names, by in self.families.items() if len(names) > 1]
        text = f"Related, and so no independent witnesses: {'; '.join(shared)}."
        return text if shared else ""


def witnesses(records: Iterable[Record], *, trained: bool = True) -> Witnesses:
    """The families of the data sets of these records.

    Args:
        records: Of the runs that a claim is about.
        trained: Whether it counts what runs were trained on before, or what the data sets are alone.
    """
    known: dict[str, Record] = {}
    behind: dict[str, set[str]] = {}  # the data sets that the results on each depend on
    for record in records:
        known[record.dataset] = record
        behind.setdefault(record.dataset, {record.dataset}).update(one.name for one in record.spec.sources if trained)
    origins = {name: origin(record) for name, record in known.items()}
    others = {name for names in behind.values() for name in names} - origins.keys()
    cards = {name: _of_card(name) for name in others}
    origins |= {name: card or Origin() for name, card in cards.items()}
    of_all = {UNKNOWN} if None in cards.values() else set()
    ties = {name: _ties(names, origins) | of_all for name, names in behind.items()}
    titles = told_apart({name: dataset_title(name, record.label.dataset_title) for name, record in known.items()})
    families: list[list[str]] = []
    for name in sorted(ties):
        kin = [family for family in families if any(ties[name] & ties[other] for other in family)]
        families = [family for family in families if family not in kin]
        families.append([name, *(other for family in kin for other in family)])
    return Witnesses(
        {tuple(sorted(family)): _shared(family, origins, ties) for family in sorted(map(sorted, families))}, titles
    )


def origin(record: Record) -> Origin:
    """By the card of a data set of ours, or as the record of any other has it."""
    return _of_card(record.dataset) or Origin(record.label.city, record.label.source)


def _of_card(name: str) -> Origin | None:
    """None of a data set that does not come with the project, or whose card cannot be read."""
    if not registry.comes_with_the_project("dataset", name):
        return None
    try:
        card = registry.load("dataset", name).CARD
    except BenchError:
        return None
    return Origin(card.city, card.source)


def _ties(names: Iterable[str], origins: Mapping[str, Origin]) -> set[Tie]:
    """What relates a result that depends on these data sets to others."""
    return {tie for name in names for tie in (("data", name), *origins[name].ties)}


def _shared(names: Sequence[str], origins: Mapping[str, Origin], ties: Mapping[str, Iterable[Tie]]) -> tuple[str, ...]:
    """What all of them have in common, then what some have; of what was trained on, that there is something."""
    own = Counter(tie for name in names for tie in origins[name].ties)
    by_all = {name for (_, name), number in own.items() if len(names) == number > 1}
    by_some = {name for (_, name), number in own.items() if len(names) > number > 1} - by_all
    behind = Counter(tie for name in names for tie in ties[name])
    unknown = behind.pop(UNKNOWN, 0) > 0
    trained = any(number > max(1, own[tie]) for tie, number in behind.items())
    some = (f"in part {name}" for name in sorted(by_some))
    return (*sorted(by_all), *some, *([TRAINING] if trained else []), *([UNKNOWN[1]] if unknown else []))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
