"""Which data sets a task may be trained on before its own: the sources of transfer across cities.

A source has as many channels as the target, slots of the same length, the same kind of quantity (the last word of the
card's domain, such as flow or speed), and is real where the target is. Where channels differ in unit, the units are the
same in their order. Grids, names of channels and units of counts may differ. Two data sets of one city and one source
are the same measurements: one is a source of the other if no day is in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from bench.catalog.cache import CacheError
from bench.catalog.data import Catalog
from bench.clock import moment_of, step_in_words, times_from
from bench.errors import BenchError, ConfigError, DataError, UnknownNameError
from bench.records.spec import Label
from bench.settings import OTHERS, TaskSettings
from bench.types import DataIdentity, DatasetCard

if TYPE_CHECKING:
    from bench.types import SpatioTemporalData

SAME_CITY, OTHER_DAYS = "same city", "same measurements, other days"


class UnreadableSourceError(DataError):
    """A data set that may be a source and cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The sources of a run, sorted by name.

    Attributes:
        asked: What named them.
        related: By its name what a source shares with the target, where it shares something.
    """

    asked: str = ""
    identities: tuple[DataIdentity, ...] = ()
    related: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.identities)

    def written_into(self, task: TaskSettings) -> TaskSettings:
        """The task with their names."""
        return replace(task, sources=",".join(self.names))

    def labelled(self, label: Label) -> Label:
        """A run's label that tells of them."""
        return structs.replace(label, sources=self.asked, related=dict(self.related))


def sources_of(task: TaskSettings, target: str, others: Iterable[str], catalog: Catalog) -> Sources:
    """The sources of a task on a data set; none for a task without.

    Args:
        task: Names them, or says that all ``others`` are meant which fit.
        target: The data set.
        others: The data sets of the suite.
        catalog: All data sets.

    Raises:
        ConfigError: If one that is named does not fit, or none does.
        UnknownNameError: If there is no data set of a name.
        UnreadableSourceError: If one that is named, or might fit, cannot be read.
    """
    if not task.sources:
        return Sources()
    if task.sources == OTHERS:
        names = sorted(name for name in set(others) - {target} if not _unfit(catalog, target, name))
        if not names:
            raise ConfigError(
                f"'{target}' has no source: no other data set of the suite has as many channels, the same interval and "
                "the same kind of quantity, and is real or synthetic as it is; name one as --set "
                "task.sources=NAME, or settings={'task.sources': NAME}"
            )
    else:
        names = task.sources.split(",")
        for name in names:
            if problem := _unfit(catalog, target, name):
                raise ConfigError(f"'{name}' cannot be a source of '{target}': {problem}; name another in task.sources")
    related = {name: what for name in names if (what := _shared(catalog.card(target), catalog.card(name)))}
    identities = tuple(catalog.identity(name) for name in names)
    return Sources(asked=task.sources, identities=identities, related=related)


def _unfit(catalog: Catalog, target: str, source: str) -> str:
    """Why a data set is no source of another one, which can be read; empty if it is.

    Raises:
        UnknownNameError: If there is no such data set.
        UnreadableSourceError: If it cannot be read.
    """
    try:
        return _problem(catalog, target, source)
    except (UnknownNameError, CacheError):
        raise
    except BenchError as error:
        raise UnreadableSourceError(f"the source '{source}' of '{target}' cannot be read: {error}") from error


def _problem(catalog: Catalog, target: str, source: str) -> str:
    """Why one data set is no source of another; empty if it is."""
    if target == source:
        return "it is the target itself"
    one, other = catalog.card(target), catalog.card(source)
    if problem := _cards_differ(one, other):
        return problem
    if catalog.has_real(target) != catalog.has_real(source):
        return f"one is real and the other synthetic (real: {target if catalog.has_real(target) else source})"
    if catalog.identity(target).sha256 == catalog.identity(source).sha256:
        return "it holds the same numbers"
    if _shared(one, other) == OTHER_DAYS and not _apart(catalog.load(target), catalog.load(source)):
        alike = f"both are measurements of {one.source} in {one.city}"
        unknown = f"both are of {one.city} and one names no source"
        return f"{alike if one.source and other.source else unknown}, and days of one may be in the other"
    return ""


def _cards_differ(one: DatasetCard, other: DatasetCard) -> str:
    """In what a source's card does not agree with the target's; empty if it does."""
    if len(one.channels) != len(other.channels):
        return f"it has {len(other.channels)} channels, wanted {len(one.channels)}"
    if one.interval != other.interval:
        return f"its steps are of {step_in_words(other.interval)}, wanted {step_in_words(one.interval)}"
    if (one.units_differ or other.units_differ) and one.units != other.units:
        return f"its channels are in {', '.join(other.units)}, wanted {', '.join(one.units)}"
    kinds = [card.domain.split()[-1:] for card in (one, other)]
    if all(kinds) and kinds[0] != kinds[1]:
        return f"it is of {other.domain}, wanted some {kinds[0][0]}"
    return ""


def _shared(one: DatasetCard, other: DatasetCard) -> str:
    """What two data sets have in common, by their cards; empty if nothing.

    Those of one city may be the same measurements unless both cards name a source, and not the same one.
    """
    if not one.city or one.city != other.city:
        return ""
    return SAME_CITY if one.source and other.source and one.source != other.source else OTHER_DAYS


def _apart(one: SpatioTemporalData, other: SpatioTemporalData) -> bool:
    """Whether no day is in both, as far as that can be known: behind a gap in time no slot has a date."""
    spans = []
    for data in (one, other):
        if data.card.start is None or len(data.segments) > 1:
            return False
        ends = np.array([0, len(data.values)])
        spans.append(times_from(moment_of(data.card.start), data.card.interval, ends))
    (first, end), (second, stop) = spans
    return bool(end <= second or stop <= first)
