"""Which data sets are related: those of one city, or of one source, are no independent witnesses of a claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from bench.analysis.headers import told_apart
from bench.catalog import registry
from bench.catalog.titles import dataset_title
from bench.records.record import Record


@dataclass(frozen=True)
class Origin:
    """Where the measurements of a data set come from, as its card says; empty where it does not."""

    city: str = ""
    source: str = ""


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
        """How many data sets, and how many families of them, such as "3 data sets of 2 unrelated cities or sources"."""
        number = sum(map(len, self.families))
        count = f"{number} data set{'' if number == 1 else 's'}"
        if len(self.families) == number:
            return count
        one = len(self.families) == 1
        return f"{count} of {'one city or source' if one else f'{len(self.families)} unrelated cities or sources'}"

    @property
    def related(self) -> str:
        """Who is related to whom, in a sentence; empty if nobody is."""
        named = {names: _listed([self.titles.get(name, name) for name in names]) for names in self.families}
        shared = [f"{named[names]} ({', '.join(by)})" for names, by in self.families.items() if len(names) > 1]
        text = f"Related, and so no independent witnesses: {'; '.join(shared)}."
        return text if shared else ""


def witnesses(records: Iterable[Record]) -> Witnesses:
    """The families of the data sets of these records."""
    known = {record.dataset: record for record in records}
    origins = {name: origin(record) for name, record in known.items()}
    titles = told_apart({name: dataset_title(name, record.label.dataset_title) for name, record in known.items()})
    families: list[list[str]] = []
    for name in sorted(origins):
        kin = [family for family in families if any(_related(origins[name], origins[other]) for other in family)]
        families = [family for family in families if family not in kin]
        families.append([name, *(other for family in kin for other in family)])
    return Witnesses(
        {tuple(sorted(family)): _shared(family, origins) for family in sorted(map(sorted, families))}, titles
    )


def origin(record: Record) -> Origin:
    """By the card of a known data set, or as the record of a user's own has it."""
    if record.dataset in registry.dataset_names():
        return _of_card(record.dataset)
    return Origin(record.label.city, record.label.source)


@cache
def _of_card(name: str) -> Origin:
    card = registry.load("dataset", name).CARD
    return Origin(card.city, card.source)


def _related(first: Origin, second: Origin) -> bool:
    return "" != first.city == second.city or "" != first.source == second.source


def _shared(names: Iterable[str], origins: Mapping[str, Origin]) -> tuple[str, ...]:
    """What at least two of them have in common, sorted."""
    values = [value for name in names for value in {origins[name].city, origins[name].source} - {""}]
    return tuple(sorted({value for value in values if values.count(value) > 1}))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
