"""What a run leaves beside its record where it was asked to: the forecasts of test, and the weights that were scored.

Forecasts are written while they are scored, so memory does not grow. Both files appear only when the run ends well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.catalog.dataset import times_of
from bench.context import RunContext, resolve_precision
from bench.errors import StoreError
from bench.files import atomic_write
from bench.forecast import forecasts, sampling_of
from bench.records.planned import PlannedRun
from bench.records.saved import Saving, saved_path
from bench.records.saved_forecasts import About, forecasts_file
from bench.runs.audit import TOLERANCE, difference
from bench.runs.evaluator import Keep, RunOutcome
from bench.scoring import Seen
from bench.settings import FROM_FILE
from bench.task import Task
from bench.train import make_model, tensors_sha256
from bench.types import DataIdentity, ModelPlugin, TaskShape
from bench.windows import WindowSet

TRIED: Final = 3  # windows of validation that a model made of saved weights forecasts


class Saver:
    """Writes what is to be saved of one run; made by ``saver_of``."""

    def __init__(self, saving: Saving, run: PlannedRun, results: Path, files: ExitStack) -> None:
        self._saving, self._run, self._results, self._files = saving, run, results, files

    @property
    def keep(self) -> Keep | None:
        """Who keeps the forecasts of test; None where nobody asked for them."""
        return self._forecasts if self._saving.forecasts else None

    def save_weights(self, plugin: ModelPlugin, outcome: RunOutcome, context: RunContext) -> None:
        """Write the weights that were scored, if they are asked for and make the same model again.

        Raises:
            StoreError: If they cannot be written.
        """
        if not self._saving.weights:
            return
        tensors = {name: _plain(value) for name, value in outcome.model.state_dict().items()}
        beside = {name: _plain(value) for name, value in outcome.model.named_buffers() if name not in tensors}
        with context.own_random_numbers():
            alike = _loads_back(tensors, beside, plugin, self._run, outcome, context)
        if alike:
            path = saved_path(self._results, self._run, "weights")
            about = {
                **about_model(self._run, outcome.task),
                "beside": json.dumps(sorted(beside)),
                "beside_sha256": tensors_sha256(beside),
            }
            _write_weights(path, {**tensors, **beside}, about)

    def _forecasts(self, task: Task, windows: WindowSet) -> Seen:
        about = about_windows(task, windows.clock.cpu().numpy(), self._run.spec.data)
        run = self._run
        about = replace(about, model=run.model, seed=run.spec.seed, spec_id=run.spec_id, run_id=run.run_id)
        add = self._files.enter_context(forecasts_file(saved_path(self._results, run, "forecasts"), about))
        return lambda _, forecast: add(forecast.cpu().numpy())


@contextmanager
def saver_of(saving: Saving, run: PlannedRun, results: Path) -> Iterator[Saver]:
    """What saves of a run; whatever is written takes its place at the end, and goes if anything fails.

    Raises:
        StoreError: If a file cannot be written.
    """
    with ExitStack() as files:
        yield Saver(saving, run, results, files)


def about_windows(task: Task, clock: NDArray[np.int64], data: DataIdentity) -> About:
    """Which test windows of a task are scored, in their order, and what a forecast of all of them looks like.

    Args:
        task: The task.
        clock: Of all slots of the data, ``[T, 2]``.
        data: The data.
    """
    origins, shape, card = task.test_origins, task.shape, task.card
    return About(
        origins=origins,
        times=times_of(card, clock[origins], origins),
        shape=np.array([len(origins), shape.horizon, shape.channels, *shape.grid], dtype=np.int64),
        channels=np.array(card.channels),
        units=np.array(card.units),
        dataset=data.name,
        data_sha256=data.sha256,
        task=msgspec.json.encode(task.settings, order="sorted").decode(),
    )


def about_model(run: PlannedRun, task: Task) -> dict[str, str]:
    """What a file of weights says of the model beside its tensors, as texts.

    That is its shape, how values are scaled, and which of the days before are blank.
    """
    return {
        "format": "pt",
        "model": run.model,
        "spec_id": run.spec_id,
        "run_id": run.run_id,
        "config": json.dumps(run.spec.config, sort_keys=True),
        "shape": json.dumps(asdict(task.shape)),
        "scaler": scale_of(task),
        "days_hidden": json.dumps(task.days_hidden),
    }


def scale_of(task: Task) -> str:
    """How a task's values are scaled, as text."""
    return json.dumps({name: getattr(task.scaler, name).flatten().tolist() for name in ("center", "scale")})


def shape_from(text: str) -> TaskShape:
    """The shape that ``about_model`` wrote."""
    shape: TaskShape = msgspec.json.decode(text, type=TaskShape)
    return shape


def built(plugin: ModelPlugin, config: Mapping[str, Any], shape: TaskShape, device: torch.device) -> nn.Module:
    """A model that weights are to be put into, so that none is read for it."""
    blank = {"weights": "random"} if config.get("weights") in FROM_FILE else {}
    return make_model(plugin, {**config, **blank}, shape, device)


def put_into(
    model: nn.Module, tensors: Mapping[str, Tensor], beside: Mapping[str, Tensor], device: torch.device
) -> None:
    """Give a model its weights, and ``beside`` them buffers that its ``state_dict`` leaves out.

    Those are told by a file of weights or by the seed, of which ``built`` has neither: positions, or a random order.

    Raises:
        RuntimeError, KeyError, AttributeError: If they are not those of this model.
    """
    model.load_state_dict(tensors)
    for name, tensor in beside.items():
        path, _, leaf = name.rpartition(".")
        module = model.get_submodule(path)
        module.register_buffer(leaf, tensor.to(device), persistent=False)


def _loads_back(
    tensors: Mapping[str, Tensor],
    beside: Mapping[str, Tensor],
    plugin: ModelPlugin,
    run: PlannedRun,
    outcome: RunOutcome,
    context: RunContext,
) -> bool:
    """Whether a model made of these tensors forecasts as the one that was scored.

    What a fit finds may be no weight or buffer, and what is missing then may raise anything.
    """
    windows, precision = outcome.task.val, run.spec.train.precision
    chosen = torch.arange(min(TRIED, len(windows)), device=context.device)
    try:
        again = built(plugin, run.spec.config, outcome.task.shape, context.device).eval()
        put_into(again, tensors, beside, context.device)
        with torch.inference_mode():
            first, second = (
                forecasts(model, windows, chosen, precision, sampling_of(plugin, context.seed))
                for model in (outcome.model, again)
            )
    except Exception:  # noqa: BLE001 - by the model's own code
        return False
    return difference(first, second) <= TOLERANCE[resolve_precision(precision, context.device)]


def _plain(value: Tensor) -> Tensor:
    """A copy that shares its memory with no other, on the CPU."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def _write_weights(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    from safetensors.torch import save_file

    try:
        with atomic_write(path) as part:
            rights = part.stat().st_mode
            save_file(dict(tensors), part, metadata=dict(about))
            part.chmod(rights)  # safetensors writes a file of its owner alone
    except Exception as error:  # safetensors' own, of the disk
        raise StoreError(f"{path} cannot be written ({error}); check the folder's space and rights") from error
