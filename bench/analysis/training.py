"""How training went, where a reader of scores must know it: it may have been too short, or too fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from bench.analysis.groups import Group
from bench.analysis.headers import dataset_headers, method_headers
from bench.plain_text import counted, first_few
from bench.records.record import DoneRun

MOST_RISE: Final = 1.5  # of the loss in training, over that of the first epoch; above it a run may have lost its way


def training_notes(group: Group) -> Iterator[str]:
    """What is known of it, as sentences; nothing of the quick profile, whose training is short on purpose."""
    trained = [] if group.key.quick else _trained(group)
    of_all = f"of {counted(len(trained), 'trained run')}"
    late = sum(_is_scored_after_its_last_epoch(run) for _, run in trained)
    if late:
        yield (
            f"In {late} {of_all} the validation error is lowest after the last epoch; whether more epochs would lower "
            "it is not known."
        )
    rose = [name for name, run in trained if _rise(run) > MOST_RISE]
    if rose:
        yield (
            f"In {len(rose)} {of_all} the loss in training rose to more than {MOST_RISE:g} times that of the first "
            f"epoch, so the learning rate may be too high: {first_few(rose)}."
        )


def _trained(group: Group) -> list[tuple[str, DoneRun]]:
    """Runs of more than one epoch, with what they are called; each once, although it may stand there by channel."""
    methods = method_headers(group.methods)
    whole = {data: replace(data, channel="") for data in group.datasets}
    datasets = dataset_headers({*whole.values()})
    runs = {
        run.run_id: (f"“{methods[method].name}” on {datasets[whole[data]].name} (seed {run.spec.seed})", run)
        for (data, method), cell in group.cells.items()
        for run in cell.runs
        if not cell.naive and len(run.curve) > 1
    }
    return [*runs.values()]


def _is_scored_after_its_last_epoch(run: DoneRun) -> bool:
    """The last of all; with sources, of its adaptation to the target."""
    return run.audit is not None and run.audit.best_epoch == run.curve[-1].epoch


def _rise(run: DoneRun) -> float:
    """The largest loss over that of the first epoch; 0 where it went on with other data, or had none to begin with."""
    losses = [epoch.train_loss for epoch in run.curve]
    return 0.0 if run.spec.sources or not losses[0] else max(losses) / losses[0]
