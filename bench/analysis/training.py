"""How training went, where a reader of scores must know it: it may have been too short, or lost its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.analysis.groups import Group, MethodKey
from bench.analysis.headers import method_headers
from bench.plain_text import counted, first_few
from bench.records.record import DoneRun

ROSE: Final = 2.0  # times the error of the first epoch, by which an error in training says that it lost its way


def training_notes(group: Group) -> Iterator[str]:
    """Sentences, those that say something; none in the quick profile, whose training is short on purpose."""
    trained = [] if group.key.quick else _trained(group)
    late = sum(_validates_best_last(run) for _, run in trained)
    if late:
        yield (
            f"In {late} of {counted(len(trained), 'trained run')} the validation error is lowest after the last epoch "
            "of the recipe, so longer training may lower it."
        )
    headers = method_headers(group.methods)
    rose = [
        f"“{headers[method].name}” on {run.label.dataset_title or run.dataset} (seed {run.spec.seed})"
        for method, run in trained
        if _rose(run)
    ]
    if rose:
        yield (
            f"In training the error rose to more than {ROSE:g} times that of the first epoch, so the learning rate may "
            f"be too high, in {first_few(rose)}."
        )


def _trained(group: Group) -> list[tuple[MethodKey, DoneRun]]:
    """Runs of more than one epoch, each once, although it may stand there channel by channel."""
    cells = [(method, cell) for (_, method), cell in group.cells.items() if not cell.naive]
    runs = {run.run_id: (method, run) for method, cell in cells for run in cell.runs if len(run.curve) > 1}
    return [*runs.values()]


def _validates_best_last(run: DoneRun) -> bool:
    """Where nothing stopped it; the first of equal errors counts, as it does for the weights that are scored."""
    least = min(run.curve, key=lambda epoch: epoch.val_mae)
    return least is run.curve[-1] and len(run.curve) >= run.spec.train.epochs


def _rose(run: DoneRun) -> bool:
    """Trained on sources it meets other data when it adapts, so its first epoch says nothing of later ones."""
    errors = [epoch.train_loss for epoch in run.curve]
    return not run.spec.sources and max(errors) > ROSE * errors[0]
