"""The one input of tables, figures and the report: records, studies and suites, from a folder or from MLflow."""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench.analysis.channels import pooled
from bench.analysis.choice import Choice
from bench.analysis.differences import Differences, differences
from bench.analysis.failures import failures
from bench.analysis.grouping import grouped
from bench.analysis.groups import Group, GroupKey, Run
from bench.analysis.known_code import answered_by, todays_code, undecided
from bench.analysis.suite_groups import kept
from bench.analysis.sums import alterations
from bench.errors import UnknownNameError
from bench.plain_text import counted
from bench.records.frame import scores_by, to_frame
from bench.records.record import Record
from bench.records.store import ResultStore
from bench.runs.own_code import asked_at, outdated
from bench.runs.suite import BY_ITS_PATH, Suite, load_suites
from bench.runs.tuned import TunedFile, TunedFolder
from bench.tuning.study import Study
from bench.tuning.trial_frame import trial_frame
from bench.tuning.trials import studies

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis.figures._shown import Figures
    from bench.analysis.table import TableFile


class Results:
    """Everything that was run and tuned.

    Attributes:
        runs: Sorted, whatever the order of the records.
        studies: Of tuning.
        suites: Whose tables are made.
        tuned: The files of tuned settings.
        unread: A sentence for each file that is no record which can be read, and so is left out.
        altered: A sentence for each record that is not as its folder's ``SHA256SUMS`` notes it.
        outdated: Of runs whose own files are not here, ``Spec.behind`` and code of those that were edited since.
        asked: When runs of a model of the user's own were last asked for, by the model and its code.
    """

    def __init__(
        self,
        records: Iterable[Record],
        studies: Sequence[Study] = (),
        suites: Sequence[Suite] = (),
        tuned: Sequence[TunedFile] = (),
        *,
        code: Mapping[tuple[str, ...], str] | None = None,
        unread: Sequence[str] = (),
        altered: Sequence[str] = (),
        outdated: Set[tuple[tuple[str, ...], str]] = frozenset(),
        asked: Mapping[tuple[str, str], int] = MappingProxyType({}),
    ) -> None:
        """Mark runs as stale that today's code would not have made.

        Args:
            records: In any order.
            studies: Of tuning.
            suites: Whose tables are made.
            tuned: The files of tuned settings.
            code: Today's digest by ``Spec.behind``; those of the registered models if it is None. A run of a pair that
                is not known, such as of a plug-in that is not installed here, is stale if it is among ``outdated``.
            unread: A sentence for each file that is no record.
            altered: A sentence for each record that is not as it was noted.
            outdated: As ``bench.runs.own_code.outdated`` has it.
            asked: As ``bench.runs.own_code.asked_at`` has it.
        """
        ordered = sorted(records, key=_order)
        known = todays_code(ordered) if code is None else code
        self.unread, self.altered, self.outdated, self.asked = tuple(unread), tuple(altered), outdated, asked
        self.runs = tuple(
            Run(record=one, stale=self._is_stale(one, known), asked=asked.get((one.model, one.code), 0))
            for one in ordered
        )
        self.studies, self.suites, self.tuned = tuple(studies), tuple(suites), tuple(tuned)
        self._groups: dict[str, Mapping[GroupKey, Group]] = {}
        self._differences: dict[str, Mapping[GroupKey, Differences]] = {}

    def _is_stale(self, record: Record, known: Mapping[tuple[str, ...], str]) -> bool:
        behind = answered_by(record)
        return known[behind] != record.code if behind in known else (behind, record.code) in self.outdated

    def __repr__(self) -> str:
        done = [run for run in self.runs if run.record.status == "done"]
        stale, failed = sum(run.stale for run in done), len(failures(self.runs))
        mended = len(self.runs) - len(done) - failed
        texts = [f"{len(done)} done"]
        texts += [f"{stale} of them stale"] * bool(stale) + [f"{failed} failed"] * bool(failed)
        texts += [f"{mended} failed and mended since"] * bool(mended)
        unread = f"; {len(self.unread)} left out that cannot be read" if self.unread else ""
        studies = counted(len(self.studies), "study", "studies")
        return f"Results({counted(len(self.runs), 'run')}: {', '.join(texts)}; {studies}{unread})"

    @classmethod
    def load(cls, results: Path, suites: Sequence[Suite] | None = None) -> Results:
        """From a results folder; without ``suites``, for those that come with the project.

        Raises:
            ConfigError: If a study or a file of tuned settings is broken; the message names it.
            StoreError: If there is a file of the records' digests that cannot be read.
        """
        unread: list[str] = []
        with _collector_paused():
            records = list(ResultStore(results).records(lambda error: unread.append(str(error))))
        return cls(
            records,
            list(studies(results)),
            load_suites() if suites is None else suites,
            list(TunedFolder(results).files()),
            unread=unread,
            altered=alterations(results),
            outdated=outdated(results, ((record.spec.behind, record.code) for record in records)),
            asked=asked_at(results),
        )

    @classmethod
    def from_mlflow(
        cls,
        uri: str,
        suites: Sequence[Suite] | None = None,
        *,
        watch: Callable[[Iterable[Record], int], Iterable[Record]] = lambda records, _: records,
    ) -> Results:
        """From MLflow alone; ``watch`` is given the records as they come and their number, and hands them on.

        Raises:
            TrackingError: If MLflow cannot be read.
        """
        from bench.records.tracking import records_from
        from bench.tuning.tracking import fetch_studies

        records = records_from(uri, watch=watch)
        with tempfile.TemporaryDirectory() as folder:
            fetch_studies(uri, Path(folder))
            tuning, tuned = list(studies(Path(folder))), list(TunedFolder(Path(folder)).files())
        return cls(records, tuning, load_suites() if suites is None else suites, tuned)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per run, as ``bench.records.frame`` describes it."""
        return to_frame((run.record for run in self.runs), (run.stale for run in self.runs))

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial of tuning, as ``bench.tuning.trial_frame`` describes it."""
        return trial_frame(self.studies)

    @property
    def undecided(self) -> list[str]:
        """A sentence for each model of the user's own with runs of several codes, if nothing says which is today's."""
        return undecided(run.record for run in self.runs if not run.stale)

    def scores_by(self, by: str, split: str = "test") -> pd.DataFrame:
        """One row per run and "step" or "channel", or for both, as ``bench.records.frame.scores_by`` describes it."""
        return scores_by(self.records, by, split)

    @property
    def records(self) -> list[Record]:
        return [run.record for run in self.runs]

    def table(
        self,
        name: str,
        *,
        metrics: Sequence[str] = (),
        beside: bool = False,
        columns: Sequence[str] = (),
        rows: Sequence[str] = (),
    ) -> TableFile:
        """A table by its name: a suite's, or one of ``artefacts("tables")``.

        Args:
            name: Of a suite or a table, or the path of a suite's TOML file.
            metrics: Of ``bench.analysis.measures.MEASURES``, such as "rmse" or "scaled_mae"; the usual ones if none.
            beside: Whether they stand side by side in one grid, methods down the page.
            columns: By name, in the order wanted; all if there are none.
            rows: Likewise.

        Raises:
            UnknownNameError: If there is no table, metric, column or row of a name.
            ConfigError: If metrics are chosen of a table that has none to choose from.
            StoreError: If window errors that are to be compared are not of the same windows.
        """
        return self.chosen_table(
            name, Choice(metrics=tuple(metrics), beside=beside, columns=tuple(columns), rows=tuple(rows))
        )

    def chosen_table(self, name: str, choice: Choice) -> TableFile:
        """As ``table``."""
        module, arguments = self.maker("tables", name)
        takes_metrics = "choice" in inspect.signature(module.make).parameters
        choice.check(name, takes_metrics=takes_metrics)
        table: TableFile = module.make(*arguments, choice) if takes_metrics else module.make(*arguments)
        return choice.of(name, table)

    def plot(self, name: str, *, width: str = "page", titles: bool = False) -> Figures:
        """The figures of a name, which a notebook shows: a suite's that compares, or of ``artefacts("figures")``.

        A figure with a label is called ``<name>-<label>``, any other by its number. A warning says if there is none.

        Args:
            name: Of a suite or a figure, or the path of a suite's TOML file.
            width: "page", 6.8 inches, or "column", 3.3 inches.
            titles: Whether title and caption are drawn; else ``get_suptitle`` and ``get_supxlabel`` have them alone.

        Raises:
            UnknownNameError: If there is none, or no such width.
            StoreError: If window errors that are to be compared are not of the same windows.
        """
        from bench.analysis.figures._files import Look, figures_of
        from bench.analysis.figures._shown import Figures

        figures = Figures(figures_of(self, name, Look(width=width, titles=titles)))
        if not figures:
            warnings.warn(f"no figure '{name}': it needs {figure_needs(name)}, which {self} lacks", stacklevel=2)
        return figures

    def groups(self, suite: Suite) -> Mapping[GroupKey, Group]:
        """The groups of a suite.

        A suite that compares has a group only for two variants, one of them a reference or with settings of its own,
        for a run that was made for it, or for one whose settings were changed to a variant's: else a plain run would be
        a table of one row in every such suite. And it has none whose runs all stand in another group. A suite with
        published numbers has only groups these can stand beside; one about shares all windows beside a share alone.
        """
        known = suite.model_dump_json()  # a file of the user's own may have been edited
        if known not in self._groups:
            with _collector_paused():
                self._groups[known] = kept(grouped(self.runs, suite), suite)
        return self._groups[known]

    def plain_groups(self) -> Mapping[GroupKey, Group]:
        """The groups of every plain suite, which neither compares variants nor lays published numbers beside.

        A group of several suites is that of the one with the most cells, the first one's of several.
        """
        groups: dict[GroupKey, Group] = {}
        for suite in (suite for suite in self.suites if suite.plain):
            for key, group in self.groups(suite).items():
                groups[key] = max(groups.get(key, group), group, key=lambda one: len(one.cells))
        return {group.key: group for group in sorted(groups.values(), key=lambda group: group.place)}

    def done_groups(self) -> list[Group]:
        """The plain groups without the cells that have no finished run."""
        groups = [
            replace(group, cells={key: cell for key, cell in group.cells.items() if cell.runs})
            for group in self.plain_groups().values()
        ]
        return [group for group in groups if group.cells]

    def pooled_groups(self) -> list[Group]:
        """The done groups without data sets whose channels differ in unit: these have no error over all channels."""
        groups = [pooled(group) for group in self.done_groups()]
        return [group for group in groups if group.cells]

    def groups_by_device(self) -> dict[tuple[GroupKey, str], Group]:
        """The done groups, device by device: costs on different devices never stand together.

        Forecasts made elsewhere have no cost.
        """
        return {
            (group.key, device): _on_device(group, device)
            for group in self.done_groups()
            for device in sorted(
                {run.environment.device for cell in group.cells.values() for run in cell.runs if not run.external}
            )
        }

    def differences(self, suite: Suite) -> Mapping[GroupKey, Differences]:
        """What the rows of each group differ in from the suite's reference; groups without any are left out."""
        known = suite.model_dump_json()
        if known not in self._differences:
            compared = {key: differences(group, suite) for key, group in self.groups(suite).items()}
            self._differences[known] = {key: value for key, value in compared.items() if value is not None}
        return self._differences[known]

    def maker(self, folder: str, name: str) -> tuple[Any, tuple[Any, ...]]:
        """The module that makes tables or figures of a name, and what it makes them of."""
        named = load_suites([name]) if name.endswith(".toml") else [one for one in self.suites if one.name == name]
        if suite := next(iter(named), None):
            return importlib.import_module(f"bench.analysis.{folder}.suite"), (self, suite)
        if name not in artefacts(folder):
            known = [*(suite.name for suite in self.suites), *artefacts(folder)]
            raise UnknownNameError(folder.removesuffix("s"), name, known, BY_ITS_PATH)
        return importlib.import_module(f"bench.analysis.{folder}.{name}"), (self,)


def artefacts(folder: str) -> list[str]:
    """The names of the tables or figures that no suite has alone: a file each, without those that begin with "_"."""
    package = importlib.import_module(f"bench.analysis.{folder}")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in names if not name.startswith("_") and name != "suite"]


def figure_needs(name: str) -> str:
    """What a figure is made of, as its module says; where no module has the name, it is a suite's."""
    module = name if name in artefacts("figures") else "suite"
    return str(getattr(importlib.import_module(f"bench.analysis.figures.{module}"), "NEEDS", "a finished run"))


def _order(record: Record) -> tuple[str | int, ...]:
    spec = record.spec
    task = (spec.task.name, spec.task.protocol, record.label.profile)
    return (record.dataset, record.model, *task, spec.weights, record.seed, record.run_id, record.status)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cycles meanwhile: among millions of values that stay it finds none and takes most of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _on_device(group: Group, device: str) -> Group:
    runs = {
        at: tuple(run for run in cell.runs if run.environment.device == device and not run.external)
        for at, cell in group.cells.items()
    }
    return replace(group, cells={at: replace(cell, runs=runs[at]) for at, cell in group.cells.items() if runs[at]})
