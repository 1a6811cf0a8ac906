"""Whether the numbers are right: bf16 against float32, equal seeds twice, and the audit."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Final

import torch
from torch import Tensor

from bench.context import RunContext
from bench.errors import BenchError
from bench.forecast import forecasts
from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import city, known, plugin_of, recipe, trainer_of
from bench.runs.audit import difference
from bench.runs.evaluator import run_model
from bench.settings import Precision, TaskSettings
from bench.task import task_for
from bench.train import Trainer

MODELS: Final = ("stid", "convlstm", "stvfm", "unet", "vit", "itransformer", "patchtst", "simvp", "predrnn", "dlinear")
AUDITED: Final = (*MODELS[:3], "last_value", "ridge", *MODELS[3:])


def precision(bench: Bench) -> None:
    """Forecasts in bf16 against those in float32, of the same weights after few steps."""
    data = city(bench)
    for model in known(bench, *MODELS):
        if bench.left < 0:
            bench.skipped(model, "no time was left")
            continue
        trainer = trainer_of(model, data, bench, steps=20 if bench.on_gpu else 1, precision="fp32")
        trainer._train_epoch()
        exact, rounded = (_forecasts(trainer, kind) for kind in ("fp32", "bf16"))
        mean = float((exact - rounded).abs().mean() / exact.abs().mean())
        bench.row(model, "bf16 from fp32, largest", difference(exact, rounded), "", "of a scaled forecast, as audited")
        bench.row(model, "bf16 from fp32, mean", 100 * mean, "%", "of the mean size of a scaled forecast")


def _forecasts(trainer: Trainer, kind: Precision) -> Tensor:
    windows = trainer.task.val
    chosen = torch.arange(min(64, len(windows)), device=windows.origins.device)
    with torch.inference_mode():
        return forecasts(trainer.model.eval(), windows, chosen, kind)


def seeds(bench: Bench) -> None:
    """Two trainings from one seed: whether weights and forecasts are equal to the last bit."""
    data = city(bench)
    for model in known(bench, *MODELS):
        if bench.left < 0:
            bench.skipped(model, "no time was left")
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (first, weights), (second, others) = (_trained(model, bench, data) for _ in range(2))
        equal = torch.equal(first, second) and all(torch.equal(value, others[name]) for name, value in weights.items())
        bench.row(model, "equal seeds give equal bits", equal, "", _undetermined(caught))
        if not equal:
            bench.row(model, "difference of equal seeds", difference(first, second))


def _trained(model: str, bench: Bench, data: object) -> tuple[Tensor, dict[str, Tensor]]:
    trainer = trainer_of(model, data, bench, steps=20 if bench.on_gpu else 1)  # type: ignore[arg-type]
    trainer._train_epoch()
    return _forecasts(trainer, trainer.settings.precision), dict(trainer.model.state_dict())


def _undetermined(caught: list[warnings.WarningMessage]) -> str:
    """The operations without a deterministic kernel, of which torch warns."""
    texts = [str(warning.message).partition(" does not have a deterministic") for warning in caught]
    found = sorted({before.split()[-1] for before, mark, _ in texts if mark})
    return f"torch warns of {', '.join(found)}" if found else ""


def audit(bench: Bench) -> None:
    """Short runs of several models: whether they pass their audit here, and by how much."""
    data, device = city(bench), torch.device(bench.device)
    elsewhere = None
    if importlib.util.find_spec("threadpoolctl"):
        from bench.runs.isolation import call as elsewhere  # type: ignore[assignment]
    for model in known(bench, *AUDITED):
        if bench.left < 0:
            bench.skipped(model, "no time was left")
            continue
        plugin, config = plugin_of(model, bench)
        settings = recipe(bench, epochs=1, steps=20 if bench.on_gpu else 1)
        try:
            outcome = run_model(
                plugin,
                config,
                settings,
                lambda: task_for(plugin, data, TaskSettings(name="short"), device),  # noqa: B023 - called at once
                RunContext(seed=0, device=device),
                elsewhere=elsewhere,
            )
        except BenchError as error:
            bench.row(model, "passes its audit", False, "", str(error))
            continue
        found = outcome.evaluation.audit
        bench.row(model, "passes its audit", True, "", f"fresh copy in a {found.fresh_in}")
        bench.row(model, "largest difference", found.largest, "", f"tolerance {found.tolerance}")
