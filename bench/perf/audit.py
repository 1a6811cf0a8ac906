"""What the audit of a model costs beside its run: ``python -m bench.perf.audit stid convlstm stvfm --data-dir DIR``.

Audits a model of the paper profile, untrained and with random weights, and lays the seconds beside those of a whole
run: training to the last epoch, and to the first at which it may stop early. A run's seconds are put together from some
of its steps, as the estimate of ``stbench run --dry-run`` is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import torch
import typer

from bench.catalog import registry
from bench.catalog.data import Catalog, resolve_data_dir
from bench.context import RunContext, resolve_device
from bench.forecast import check_model, copied
from bench.records.planned import PlannedRun
from bench.runs.audit import Auditor
from bench.runs.estimate import passes, planned_work
from bench.runs.isolation import call
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.trial import trial_pace
from bench.runs.worker import open_task
from bench.scoring import score
from bench.task import Task
from bench.train import make_model, tensors_sha256


def main(
    models: Annotated[list[str], typer.Argument(help="Registered models.")],
    dataset: Annotated[str, typer.Option(help="A data set.")] = "bikenyc",
    data_dir: Annotated[Path | None, typer.Option(help="Folder of raw data.")] = None,
    cache: Annotated[Path, typer.Option(help="Where data sets that were read are kept.")] = Path("results/cache"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
) -> None:
    """Print for each model the seconds of the audit and their share of a run, and of windows passed forward."""
    catalog, chosen = Catalog(data_dir=resolve_data_dir(data_dir), cache=cache), resolve_device(device)
    call(abs, 0)  # the fork server starts once a command
    for model in models:
        selection = Selection(models=(model,), datasets=(dataset,), seeds=(0,), profile="paper")
        selection = replace(selection, overrides=("model.weights=random",) if _has_weights(model) else ())
        (run,) = (run for run in plan(load_suite("short_term"), selection, catalog) if run.method == model)
        _report(run, catalog, chosen)


def _has_weights(model: str) -> bool:
    return "weights" in registry.config_class(model).__dataclass_fields__


def _report(run: PlannedRun, catalog: Catalog, device: torch.device) -> None:
    context, task = RunContext(seed=0, device=device), open_task(run, catalog, device)
    audited, windows = _audit(run, task, context)
    pace = trial_pace(run, catalog, device)
    shape = (sum(stop - start for start, stop in task.split.values()), task.shape.channels, *task.shape.grid)
    train = run.spec.train
    for epochs in (train.epochs, min(train.epochs, train.patience + 1)):
        spec = msgspec.structs.replace(run.spec, train=replace(train, epochs=epochs))
        shorter = replace(run, spec=spec)
        seconds = pace.on(shape[1] * task.shape.cells) * planned_work(
            shorter, {run.dataset: shape}, trained=pace.trained
        )
        trained, forecast = passes(dict(task.counts()), train, epochs if pace.trained else 0)
        typer.echo(
            f"{run.model} on {run.dataset}, {epochs} epochs: audit {audited:.2f} s of {seconds:.0f} s, "
            f"{audited / seconds:.2%}; {windows} windows passed forward beside {3 * trained + forecast:.0f}, "
            f"{windows / (3 * trained + forecast):.2%}"
        )


def _audit(run: PlannedRun, task: Task, context: RunContext) -> tuple[float, int]:
    """Seconds of all that the audit adds to a run, and the windows that it passes forward."""
    context.begin()
    model = make_model(registry.load("model", run.model), run.spec.config, task.shape, context.device)
    precision = run.spec.train.precision
    started = context.seconds()
    fresh = copied(model)
    check_model(model, task.val, precision, context)
    before = context.seconds() - started
    val, test = (
        score(model.eval(), windows, task, precision=precision, keep_batches=True)
        for windows in (task.val, task.open_test())
    )
    started = context.seconds()
    tensors_sha256(model.state_dict())
    auditor = Auditor(model=model, fresh=fresh, precision=precision, context=context, elsewhere=call)
    auditor.check(val, test, changed=False)
    batches = sum(len(positions) for positions, _ in test.batches)
    probed = 4 + len(val.positions) + 3 * len(test.positions) + 3 * batches
    return before + context.seconds() - started, probed


if __name__ == "__main__":
    typer.run(main)
