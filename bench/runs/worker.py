"""What a worker does: one planned run to the text of its record. Several may be at work side by side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.catalog.data import Catalog
from bench.catalog.pretrained import check_weights
from bench.errors import ConfigError, DataError
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun, dump
from bench.records.saved import NOTHING, Saving
from bench.runs.execution import done_record, environment, failed_record, failure_of
from bench.runs.isolation import Caller

if TYPE_CHECKING:
    import torch

    from bench.task import Task
    from bench.types import DataIdentity, ModelPlugin, SpatioTemporalData


@dataclass(frozen=True, kw_only=True)
class Work:
    """A run to be made.

    Attributes:
        results: The results folder.
        checkpoint: Where training that was stopped goes on from; None keeps none.
        device: "cpu" or "cuda:<number>".
        compiled: Whether to use torch.compile.
        saving: What is saved beside the record, in the results folder.
        time_limit: Seconds after which the run's process is ended, and the run has failed; None for no limit.
    """

    run: PlannedRun
    catalog: Catalog
    results: Path
    checkpoint: Path | None
    device: str = "cpu"
    compiled: bool = False
    saving: Saving = NOTHING
    time_limit: float | None = None

    def placed(self, device: str) -> Work:
        """The work for a process that may have another current folder, on a device."""
        folder, cache = self.catalog.data_dir, self.catalog.cache
        return replace(
            self,
            catalog=Catalog(data_dir=folder and folder.absolute(), cache=cache.absolute()),
            results=self.results.absolute(),
            checkpoint=self.checkpoint and self.checkpoint.absolute(),
            device=device,
        )

    def forget_progress(self) -> None:
        """Drop the checkpoints of training that was stopped: on the data set, and before it on its sources."""
        if self.checkpoint is not None:
            for path in self.checkpoint.parent.glob(f"{self.checkpoint.stem}*{self.checkpoint.suffix}"):
                path.unlink(missing_ok=True)


def record_text(work: Work, caller: Caller) -> bytes:
    """The record of a run, as ``bench.records.record.dump`` writes it; of one that raises a failed one."""
    try:
        return dump(_scored(work, caller))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model does, the suite goes on and the reason is kept
        return dump(failed_record(work.run, failure_of(error)))


def check_code(run: PlannedRun) -> None:
    """Refuse a run whose model cannot be used, or whose code is no longer that of its plan.

    Raises:
        ConfigError: With the reason.
    """
    if problem := registry.problem_of("model", run.model):
        raise ConfigError(problem)
    if run.code != code_of(*run.spec.behind):
        raise ConfigError(f"the code behind '{run.model}' has changed since this command began; run it again")


def open_task(
    run: PlannedRun,
    catalog: Catalog,
    device: torch.device,
    plugin: ModelPlugin | None = None,
    *,
    test_allowed: bool = True,
) -> Task:
    """The windows of a planned run, of the registered model or of one of one's own.

    Raises:
        DataError, WeightsError: If its data or its weights are no longer those of the plan.
    """
    from bench.task import task_for
    from bench.transfer import transfer_task

    data, *sources = (_unchanged(catalog, planned) for planned in run.spec.datasets)
    check_weights(run.model, run.spec.config, run.spec.weights_sha256)
    plugin = plugin or registry.load("model", run.model)
    if sources:
        return transfer_task(plugin, data, sources, run.spec.task, device, test_allowed=test_allowed)
    return task_for(plugin, data, run.spec.task, device, test_allowed=test_allowed)


def _unchanged(catalog: Catalog, planned: DataIdentity) -> SpatioTemporalData:
    """A data set as a plan has it.

    Raises:
        DataError: If it is no longer that.
    """
    data = catalog.load(planned.name)
    if data.identity != planned:
        raise DataError(f"the files of '{planned.name}' have changed since this command began; run it again")
    return data


def _scored(work: Work, caller: Caller) -> DoneRun:
    from bench.context import RunContext, held_megabytes, resolve_device
    from bench.runs.evaluator import run_model
    from bench.runs.saving import saver_of

    run, held, device = work.run, held_megabytes(), resolve_device(work.device)
    context = RunContext(seed=run.spec.seed, device=device, held=held)
    plugin = registry.load("model", run.model)
    with saver_of(work.saving, run, work.results) as saver:
        outcome = run_model(
            plugin,
            run.spec.config,
            run.spec.train,
            lambda: open_task(run, work.catalog, device),
            context,
            checkpoint=work.checkpoint,
            on_epoch=caller.row,
            compiled=work.compiled,
            elsewhere=caller.call,
            flops_file=_flops_file(work),
            keep=saver.keep,
        )
        saver.save_weights(plugin, outcome, context)
        return done_record(run, outcome, environment(context, run, compiled=work.compiled))


def _flops_file(work: Work) -> Path:
    """Where the operations of a model with these settings are kept, for runs on the same data by the same code."""
    spec = work.run.spec
    shapes = (spec.task.history, spec.task.horizon, spec.task.days_back, spec.data.sha256)
    key = msgspec.json.encode((work.run.code, spec.model, spec.config, shapes), order="sorted")
    return work.catalog.cache / "flops" / hashlib.sha256(key).hexdigest()[:24]
