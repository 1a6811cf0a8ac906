"""Which runs make a cell of a table: numbers of different data, budgets, settings or code never share a mean."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from bench.analysis.groups import DataKey, Group, GroupKey, MethodKey, Run, Summary, text
from bench.analysis.table import Flag
from bench.catalog.pretrained import blocks_used, known_as
from bench.catalog.titles import model_title
from bench.errors import TransferError
from bench.metrics import METRICS
from bench.records.record import DoneRun, FailedRun, Record
from bench.runs.suite import Method, Suite, load_suite, suite_names
from bench.runs.tuned import BY_HAND

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A run with its group and its method in the table of a suite."""

    run: Run
    group: GroupKey
    method: MethodKey

    @property
    def record(self) -> Record:
        return self.run.record

    @property
    def done(self) -> bool:
        return isinstance(self.record, DoneRun)

    @property
    def untrained(self) -> bool:
        """Whether no recipe of ours has anything to do with it: naive baselines, and forecasts made elsewhere."""
        return self.record.naive or self.record.external

    @property
    def done_untrained(self) -> bool:
        return self.untrained and self.done

    @property
    def task(self) -> tuple[GroupKey, DataKey]:
        return self.group.task_alone, self.run.data

    @property
    def cell(self) -> tuple[DataKey, MethodKey]:
        return self.run.data, self.method


def run_ids(runs: Iterable[Run], suite: Suite, groups: Mapping[GroupKey, Group]) -> set[str]:
    """The runs that belong to a suite's table, which has these groups; failed ones, too."""
    shown = {run.run_id for group in groups.values() for cell in group.cells.values() for run in cell.runs}
    return shown | {entry.record.run_id for entry in _entries(runs, suite) if entry.group in groups}


def grouped(runs: Iterable[Run], suite: Suite) -> dict[GroupKey, Group]:
    """The cells of every group of a suite; sorted by ``Group.place``, whatever the order of the runs.

    Naive baselines are not trained, so those of one group serve all others of its task; those that others show make no
    group, and stand on no data set that only others have models on. In a suite of tuned runs they never make one. The
    same holds for forecasts made elsewhere.
    """
    entries = list(_entries(runs, suite))
    trained = {entry.task for entry in entries if not entry.untrained}
    groups = {key: _with_models(group, trained) for key, group in by(entries, lambda entry: entry.group).items()}
    with_models = [group for group in groups.values() if not all(entry.untrained for entry in group)]
    served = {entry.task for group in with_models for entry in group}
    untrained = [entry for entry in entries if entry.done_untrained]
    untrained.sort(key=lambda entry: (entry.run.stale, entry.group.profile, entry.record.run_id))
    shown = {
        key: group
        for key, group in groups.items()
        if not all(entry.untrained if suite.tuned else entry.done_untrained and entry.task in served for entry in group)
    }
    made = [Group(key=key, cells=_cells([*own, *_borrowed(untrained, own)])) for key, own in shown.items()]
    return {group.key: group for group in sorted(made, key=lambda group: group.place)}


def by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by their keys; sorted by them."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return dict(sorted(groups.items()))


def _entries(runs: Iterable[Run], suite: Suite) -> Iterator[_Entry]:
    """The runs that belong to a suite; one may belong to several groups.

    A run that was made as a variant stands in the tables of variants alone. Forecasts made elsewhere are no method of
    any suite, and stand where all models do.
    """
    known = list(runs)
    asked = {run.record.dataset for run in known if run.record.label.suite == suite.name}  # by whatever was typed
    chosen = _of_setting([run for run in known if _taken(run, suite, {*suite.datasets, *asked})], suite)
    methods = _methods(suite, chosen)
    bases: dict[str, set[frozenset[str]]] = {}
    for run in chosen:
        bases.setdefault(run.record.spec.task.name, set()).add(_of_model(run.base))
    for run in chosen:
        record = run.record
        if methods:
            if record.external:
                continue
            yield from _as_method(run, methods, sorted(bases[record.spec.task.name], key=text))
        elif record.label.overrides == record.label.base:
            changed = text(_of_model(run.changed))
            yield _entry(run, _key(0, record.model, record, changed), "")


def _taken(run: Run, suite: Suite, datasets: Container[str]) -> bool:
    """Whether a run is of the suite's tasks, and of its data sets or of a task that it shows whatever the model."""
    joins = suite.extras and run.record.dataset not in _planted_data()
    known = joins or run.record.dataset in datasets or _to_be_shown(run.record, suite)
    return known and suite.takes(run.record.spec.task)


@cache
def _planted_data() -> frozenset[str]:
    """The data sets of our suites in which something was planted to be found; of their own they join no other suite."""
    return frozenset(name for suite in map(load_suite, suite_names()) if suite.planted for name in suite.datasets)


def _to_be_shown(record: Record, suite: Suite) -> bool:
    return suite.shows(record.spec.task.name, record.label.suite)


def _methods(suite: Suite, runs: Iterable[Run]) -> Sequence[Method]:
    """Of a suite that names its rows, these, and behind them other models whose runs it shows."""
    named = {method.model for method in suite.methods}
    shown = {run.record.model for run in runs if not run.record.external and _to_be_shown(run.record, suite)}
    others = shown - named
    return (*suite.methods, *(Method(name=model, model=model) for model in sorted(others))) if named else ()


def _as_method(run: Run, methods: Sequence[Method], bases: Iterable[frozenset[str]]) -> Iterator[_Entry]:
    """At most once per base: the first method whose runs would be just this one."""
    spec, changed = run.record.spec, _of_model(run.changed)
    for base in bases:
        for order, method in enumerate(methods):
            fits = method.model == spec.model and method.weights in (None, spec.weights)
            if fits and method.made(changed, base, run.record.label.profile, spec.config):
                yield _entry(run, _key(order, method.name, run.record, text(changed - base)), text(base))
                break


def _key(order: int, name: str, record: Record, changed: str) -> MethodKey:
    spec = record.spec
    return MethodKey(
        order=order,
        name=name,
        model=spec.model,
        changes=changed,
        weights=spec.weights,
        weights_sha256=spec.weights_sha256 or "",
        weights_are=known_as(spec),
        title=model_title(spec.model, record.label.model_title) if name == spec.model else "",
        blocks=blocks_used(spec.model, spec.config),
        external=spec.external,
    )


def _entry(run: Run, method: MethodKey, base: str) -> _Entry:
    spec = run.record.spec
    task, recipe = spec.task, {change for change in run.changed if change.startswith("train.")}
    recipe |= {f"tuned settings{f' ({spec.tuned_with})' if spec.tuned_with else ''}"} if spec.tuned else set()
    if spec.train.precision == "bf16" and "train.precision=bf16" not in recipe:
        recipe.add("bf16")
    group = GroupKey(
        task=task.name,
        protocol=task.protocol,
        history=task.history,
        horizon=task.horizon,
        fraction=task.fraction,
        windows=task.windows,
        equal_steps=task.equal_steps,
        days_back=task.days_back,
        calendar=task.calendar,
        leaky_scaler=task.leaky_scaler,
        clamp=task.clamp,
        scored=task.scored,
        sources=run.record.label.sources or task.sources,
        scaler=task.scaler,
        profile=run.record.label.profile,
        recipe=text(recipe),
        base=base,
    )
    return _Entry(run=run, group=group, method=method)


def _of_setting(runs: list[Run], suite: Suite) -> list[Run]:
    """Without the runs of the other fair setting; naive baselines, never tuned, stay where a tuned run is.

    Settings that were written by hand are as those of ``--set``, a group of their own beside the usual: no search found
    them.
    """
    if suite.tuned is None:
        return runs
    if suite.tuned:
        beside = [run for run in runs if run.record.naive or run.record.external]
        return beside + [run for run in runs if run.record.spec.tuned and run.record.spec.tuned_with != BY_HAND]
    return [run for run in runs if not run.record.spec.tuned or run.record.spec.tuned_with == BY_HAND]


def _with_models(group: Sequence[_Entry], trained: set[tuple[GroupKey, DataKey]]) -> list[_Entry]:
    """Without finished naive baselines and their like on data that have models, but none in this group."""
    modelled = {entry.run.data for entry in group if not entry.untrained}
    return [
        entry for entry in group if not entry.done_untrained or entry.run.data in modelled or entry.task not in trained
    ]


def _borrowed(untrained: Iterable[_Entry], group: Sequence[_Entry]) -> list[_Entry]:
    """Of these naive baselines and their like, in their order of preference, those that stand beside this group."""
    tasks, keys = {entry.task for entry in group}, {entry.group for entry in group}
    taken = {(entry.cell, entry.record.seed) for entry in group if entry.done and not entry.run.stale}
    borrowed = []
    for entry in untrained:
        key = (entry.cell, entry.record.seed)
        if entry.task in tasks and entry.group not in keys and key not in taken:
            taken.add(key)
            borrowed.append(entry)
    return borrowed


def _cells(entries: Iterable[_Entry]) -> dict[tuple[DataKey, MethodKey], Summary]:
    chosen = [_chosen(cell) for cell in by(entries, lambda entry: entry.cell).values()]
    mixed = {cell[0].method for cell in chosen if _settings_differ(cell)}
    told_apart = [
        replace(entry, method=replace(entry.method, settings=entry.record.spec.settings_id))
        if entry.method in mixed
        else entry
        for cell in chosen
        for entry in cell
    ]
    return beside_naive({key: _summary(cell) for key, cell in by(told_apart, lambda entry: entry.cell).items()})


def beside_naive(cells: Mapping[tuple[DataKey, MethodKey], Summary]) -> dict[tuple[DataKey, MethodKey], Summary]:
    """The cells, each with what the best naive baseline on its data says of it."""
    naive = by(((data, cell) for (data, _), cell in cells.items() if cell.naive), lambda pair: pair[0])
    return {key: _compared(cell, [baseline for _, baseline in naive.get(key[0], ())]) for key, cell in cells.items()}


def _chosen(cell: Sequence[_Entry]) -> list[_Entry]:
    """Done runs of one code, today's if there are any, and today's failures of the seeds that are not among them.

    Of several codes that are not today's it is the one that was asked for last, or that of most runs.
    """
    done = [entry for entry in cell if entry.done]
    pool = [entry for entry in done if not entry.run.stale] or done
    votes = Counter(entry.record.code for entry in pool)
    asked = {entry.record.code: entry.run.asked for entry in pool}
    code = max(votes, key=lambda code: (asked[code], votes[code], code), default="")
    shown = [entry for entry in pool if entry.record.code == code]
    seeds = {entry.record.seed for entry in shown if not entry.run.stale}
    failed = [entry for entry in cell if not entry.done and entry.record.seed not in seeds]
    current = [entry for entry in failed if not entry.run.stale]
    return shown + (current if shown or current else failed)


def _settings_differ(cell: Sequence[_Entry]) -> bool:
    """Whether runs of one name were made with different settings; a naive baseline's recipe does nothing."""
    return not cell[0].record.naive and len({entry.record.spec.settings_id for entry in cell}) > 1


def _summary(cell: Sequence[_Entry]) -> Summary:
    done = tuple(entry.record for entry in cell if isinstance(entry.record, DoneRun))
    flags: list[Flag] = ["stale"] if any(entry.run.stale for entry in cell if entry.done) else []
    flags += ["failed"] if not all(entry.done for entry in cell) else []
    audits = (run.audit.forecasts for run in done if run.audit)
    flags += ["random"] if any(audit and audit.draws for audit in audits) else []
    flags += ["mixed"] if len({run.environment.numerical for run in done}) > 1 else []
    errors = (entry.record.error for entry in cell if isinstance(entry.record, FailedRun))
    reason = next((error.message for error in errors if error.type == TransferError.__name__), "")
    return Summary(runs=done, flags=tuple(flags), naive=cell[0].record.naive, untransferable=reason)


def _compared(cell: Summary, naive: Sequence[Summary]) -> Summary:
    """With the MAE of the best naive baseline, and the metrics in which a model is worse than the best in each."""
    below = []
    for name, metric in METRICS.items() if not cell.naive else ():
        losses = (metric.loss(baseline.mean(name)) for baseline in naive)
        best = min((loss for loss in losses if math.isfinite(loss)), default=math.inf)
        below += [name] if metric.loss(cell.mean(name)) > best else []
    errors = (baseline.mean("mae") for baseline in naive)
    least = min((error for error in errors if math.isfinite(error)), default=math.nan)
    return replace(cell, below=tuple(below), naive_mae=least)


def _of_model(changed: frozenset[str]) -> frozenset[str]:
    return frozenset(change for change in changed if not change.startswith("train."))
