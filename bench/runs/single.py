"""One model on one data set, for notebooks: a registered one, or a class or a map of one's own."""

from __future__ import annotations

import hashlib
import inspect
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.catalog.data import Catalog, resolve_data_dir
from bench.catalog.pretrained import fetch_unknown
from bench.errors import ConfigError
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun
from bench.records.saved import NOTHING, Saving
from bench.records.store import ResultStore
from bench.runs.execution import done_record, environment
from bench.runs.isolation import call
from bench.runs.own_code import keep, note_asked
from bench.runs.own_model import AS_TRAINED, OwnModel, own_model
from bench.runs.plan import Selection, plan, plan_own
from bench.runs.preloading import OPTIMIZERS
from bench.runs.progress import MinuteLines
from bench.runs.session import unsaved
from bench.runs.suite import load_suite
from bench.runs.whole_imports import import_whole
from bench.runs.worker import open_task

if TYPE_CHECKING:
    from bench.task import Task
    from bench.types import ModelPlugin

CORE_ALONE = "last_value"  # a model whose code is little more than what every run has


def evaluate_model(
    model: str | Path | type[Any] | Callable[[Any], Any],
    selection: Selection,
    data_dir: Path | None,
    results: Path | None,
    device: str,
    saving: Saving = NOTHING,
    *,
    name: str | None = None,
    on_line: Callable[[str], Any] | None = None,
) -> DoneRun:
    """As ``bench.evaluate`` describes it; the selection names one data set and one seed."""
    if saving.kinds and results is None:
        raise ConfigError(f"{' and '.join(saving.kinds)} are saved in a results folder; add results='results'")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if results is None else results / "cache"
        catalog = Catalog(data_dir=resolve_data_dir(data_dir), cache=cache)
        run, plugin = _planned(model, selection, catalog, device, name)
        store = None if results is None else ResultStore(results)
        if results is not None and isinstance(model, str):  # the code of a class or a map is that of its weights, too
            note_asked([run], results)
        if store and isinstance(model, str) and store.has(run.dataset, run.model, run.run_id):
            for sentence in unsaved([run], cast("Path", results), saving, before=True):
                warnings.warn(sentence, stacklevel=3)
            return cast("DoneRun", store.read(run.dataset, run.model, run.run_id))
        _import_for(model)
        record = _scored(run, plugin, catalog, device, saving, results or Path(scratch), on_line)
        if results is not None:
            keep([run], catalog, results)
    if store and not isinstance(model, str):  # an older one is put aside: its source may not be all that a model is
        store.retire_spec(run.dataset, run.model, run.spec_id)
    if store:
        store.write(record)
        for sentence in unsaved([run], cast("Path", results), saving, before=False):
            warnings.warn(sentence, stacklevel=3)
    return record


def evaluate_forecasts(
    forecasts: object,
    selection: Selection,
    data_dir: Path | None,
    results: Path | None,
    device: str,
    *,
    name: str | None,
    as_is: bool,
    saving: Saving,
) -> DoneRun:
    """As ``bench.evaluate`` describes it."""
    from bench.runs.external import score_forecasts

    if saving.kinds:
        raise ConfigError("forecasts that are there already are not saved again; leave save_ out")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if results is None else results / "cache"
        catalog = Catalog(data_dir=resolve_data_dir(data_dir), cache=cache)
        return score_forecasts(forecasts, selection, catalog, results, name=name, device=device, as_is=as_is).record


def _planned(
    model: Any, selection: Selection, catalog: Catalog, device: str, name: str | None
) -> tuple[PlannedRun, ModelPlugin]:
    if isinstance(model, str):
        suite, one = load_suite("short_term"), replace(selection, models=(model,))
        (run,) = plan(suite, one, catalog, device=device)
        if fetch_unknown([(run.model, run.spec.config)]):
            (run,) = plan(suite, one, catalog, device=device)
        import_whole("torch")
        return run, registry.load("model", model)
    plugin = own_model(model, name)

    def code(sources: Sequence[str]) -> str:
        core = code_of(selection.datasets[0], CORE_ALONE, *sources)
        return hashlib.sha256((core + plugin.source).encode()).hexdigest()[:12]

    return plan_own(plugin.name, plugin.Config, selection, catalog, code, device), plugin


def _import_for(model: Any) -> None:
    """Import what a run needs, of which training would import the largest part at its first step."""
    given = isinstance(model, str)
    trains = not (registry.is_naive(model) or registry.is_fitted(model)) if given else inspect.isclass(model)
    import_whole("bench.runs.evaluator", "bench.runs.saving", *([OPTIMIZERS] if trains else []))


def _as_trained(task: Task, plugin: ModelPlugin) -> Task:
    """The task for a model that was loaded: it finds what it was trained on; a warning says where it does not."""
    from bench.runs.saving import scale_of

    trained_on = plugin.trained_on if isinstance(plugin, OwnModel) else None
    if trained_on is None:
        return task
    task.hide(trained_on.days_hidden)
    if trained_on.scale not in ("", scale_of(task)):
        warnings.warn(
            f"'{trained_on.model}' was trained on values that were scaled otherwise than those of '{task.card.name}' "
            f"here, so it scores otherwise than its record says; {AS_TRAINED}",
            stacklevel=7,  # of whoever calls bench.evaluate
        )
    return task


def _scored(
    run: PlannedRun,
    plugin: ModelPlugin,
    catalog: Catalog,
    device: str,
    saving: Saving,
    results: Path,
    on_line: Callable[[str], Any] | None,
) -> DoneRun:
    from bench.context import RunContext, resolve_device
    from bench.runs.evaluator import run_model
    from bench.runs.saving import saver_of

    lines = MinuteLines(on_line, {run.run_id: 1.0}) if on_line else None
    context = RunContext(seed=run.spec.seed, device=resolve_device(device))
    with saver_of(saving, run, results) as saver:
        outcome = run_model(
            plugin,
            run.spec.config,
            run.spec.train,
            lambda: _as_trained(open_task(run, catalog, context.device, plugin), plugin),
            context,
            on_epoch=partial(lines.epoch, run) if lines else None,
            elsewhere=call,
            keep=saver.keep,
        )
        saver.save_weights(plugin, outcome, context)
        return done_record(run, outcome, environment(context, run))
