"""The data sets of a plan, and their sources: one that cannot be read costs its own runs, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from bench.catalog import registry
from bench.catalog.cache import CacheError
from bench.catalog.data import Catalog
from bench.errors import BenchError, ConfigError, DataError
from bench.runs.sources import Sources, UnreadableSourceError, sources_of
from bench.runs.suite import Suite
from bench.settings import TaskSettings
from bench.types import DataIdentity, DatasetCard

OnUnreadable = Callable[[str, BenchError], Any]
"""Is told what is left out of a plan, a data set or one with a task, and why."""


def refuse(what: str, why: BenchError) -> None:  # noqa: ARG001 - an OnUnreadable
    """Leave nothing out."""
    raise why


def datasets_of(suite: Suite, selected: Sequence[str], catalog: Catalog) -> list[str]:
    """The names of those that were asked for; or else of the suite's own, and of what joins it.

    Raises:
        UnknownNameError: If there is none of a name.
    """
    joining = catalog.names() if suite.extras and not selected else []
    names = dict.fromkeys([*(selected or suite.datasets), *(name for name in joining if _may_be_real(catalog, name))])
    for name in names:
        if name not in registry.dataset_names() and name not in catalog.names():
            raise catalog.unknown(name)
    return list(names)


def readable(
    names: Iterable[str], catalog: Catalog, on_unreadable: OnUnreadable
) -> dict[str, tuple[DataIdentity, DatasetCard]]:
    """Identity and card of each data set that can be read.

    Raises:
        BenchError: If none can be.
        CacheError: If the cache cannot be written, which is no data set's fault.
    """
    data: dict[str, tuple[DataIdentity, DatasetCard]] = {}
    problems: dict[str, BenchError] = {}
    for name in names:
        try:
            data[name] = catalog.identity(name), catalog.card(name)
        except CacheError:
            raise
        except BenchError as error:
            problems[name] = error
    _leave_out(problems, on_unreadable, others=bool(data))
    return data


def with_sources(
    suite: Suite,
    names: Iterable[str],
    tasks: Sequence[TaskSettings],
    catalog: Catalog,
    on_unreadable: OnUnreadable,
    *,
    required: bool,
) -> dict[tuple[str, TaskSettings], Sources]:
    """What is trained on before, for each data set and task; data sets without a source are left out.

    Raises:
        ConfigError: If one has no source where the task needs one and all are ``required``, or none has.
        UnreadableSourceError: If sources of none can be read.
    """
    found: dict[tuple[str, TaskSettings], Sources] = {}
    others = datasets_of(suite, (), catalog) if any(task.sources for task in tasks) else []
    unfit: list[ConfigError] = []
    problems: dict[str, BenchError] = {}
    for name, task in product(names, tasks):
        try:
            found[name, task] = sources_of(task, name, others, catalog)
        except UnreadableSourceError as error:
            problems[f"{name} with the task {task.name}"] = error
        except ConfigError as error:
            if required:
                raise
            unfit.append(error)
    _leave_out(problems, on_unreadable, others=bool(found))
    if not found:
        raise unfit[0]
    return found


def _leave_out(problems: dict[str, BenchError], on_unreadable: OnUnreadable, *, others: bool) -> None:
    """Tell of each; if there are no others, the first one is an error."""
    for what, why in problems.items():
        (on_unreadable if others else refuse)(what, why)


def _may_be_real(catalog: Catalog, name: str) -> bool:
    """Whether files of a data set are there, even such as cannot be reached: reading it then says so."""
    try:
        return catalog.has_real(name)
    except DataError:
        return True
