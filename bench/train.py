"""One training loop and one default recipe for every neural model.

L1 on standardised values, AdamW, one-cycle or cosine learning rate with warm-up, gradient clipping, early stopping on
validation MAE, best weights restored. The loop never waits for the device while an epoch trains, and a run
that was killed goes on from its last epoch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from bench.cities import City, batches, shares
from bench.context import RunContext
from bench.days import given_days
from bench.errors import TrainingError, unwritten
from bench.files import atomic_write
from bench.forecast import Sampling, check_model, forecasts
from bench.frozen import cast_once
from bench.metrics import WindowSums
from bench.scoring import Scored, score
from bench.settings import TrainSettings
from bench.task import Task
from bench.types import ModelPlugin, TaskShape
from bench.windows import WindowSet


@dataclass(kw_only=True)
class Training:
    """How far training has come; a checkpoint holds it beside the tensors.

    Attributes:
        epoch: Epochs that are done.
        best_epoch: Counted from 1; 0 for a model without training by epochs.
        best_mae: Validation MAE after it, as ``Trainer`` has it.
        seconds: Training and validation time, summed over all sittings.
        curve: A row for each epoch.
        val: Validation as it was scored after the best epoch; None without training by epochs on the task's windows.
        on_sources: Epochs of them on the windows of other data sets.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_mae: float = math.inf
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    val: Scored | None = None
    on_sources: int = 0


def make_model(plugin: ModelPlugin, config: Mapping[str, Any], shape: TaskShape, device: torch.device) -> nn.Module:
    """The model of a plug-in with these settings, on a device; ``bench.days`` says how it is given days before."""
    settings = plugin.Config(**config)
    own: tuple[int, ...] = getattr(plugin, "DAYS_BACK", ())
    if own or not shape.days_back:
        return plugin.Model(shape, settings).to(device)
    return given_days(lambda known: plugin.Model(known, settings), shape, lambda m: learning(m) == "steps").to(device)


def learning(model: nn.Module) -> Literal["fit", "steps", "nothing"]:
    """How a model learns: all at once if it has a ``fit``, by steps of training if it has anything to train."""
    if callable(getattr(model, "fit", None)):
        return "fit"
    return "steps" if any(p.requires_grad for p in model.parameters()) else "nothing"


def train_model(
    model: nn.Module,
    task: Task,
    settings: TrainSettings,
    context: RunContext,
    *,
    sampling: Sampling | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Training:
    """Fit a model that has a ``fit``, train one that has something to train, and leave any other as it is.

    Args:
        model: Is left with its best weights.
        task: Windows and series to train on.
        settings: The recipe.
        context: Seed and device.
        sampling: How a model is validated that is random on purpose; None for any other.
        checkpoint: Where training that is stopped goes on from.
        on_epoch: Called with the row of the learning curve after each epoch.

    Raises:
        ForecastError: If the model's forecasts are of the wrong kind, before it is trained or right after ``fit``.
        TrainingError: If the loss or the validation error is not finite.
    """
    started = context.seconds()
    how = learning(model)
    if how != "fit":
        check_model(model, task.val, settings.precision, context)
    if how == "steps":
        task.hide_days_unknown_in_training()
        return Trainer(model, task, settings, context, sampling).run(checkpoint, on_epoch)
    if how == "fit":
        model.fit(task.series)  # type: ignore[operator]  # a method, not a tensor
        check_model(model, task.val, settings.precision, context)
    return Training(seconds=context.seconds() - started)


class Trainer:
    """Trains one model on one task; or its weights on other cities, whose models share them.

    With several cities each batch is of one, drawn by the number of their training windows, and validation is the mean
    over them by the same weights. What has to do with several is in units of the scaler, since physical ones differ.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: TrainSettings,
        context: RunContext,
        sampling: Sampling | None = None,
        *,
        cities: Sequence[City] = (),
    ) -> None:
        self.cities, self.scaled = tuple(cities) or (City(model, task),), bool(cities or task.sources)
        self.model, self.task, self.settings, self.context, self.sampling = model, task, settings, context, sampling
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.frozen = tensors_sha256({name: p for name, p in model.named_parameters() if not p.requires_grad})
        self.optimizer = _optimizer(self.parameters, settings)
        steps = math.ceil(sum(city.task.epoch_windows for city in self.cities) / settings.batch_size)
        self.steps = min(settings.steps_per_epoch or steps, steps)
        self.scheduler = _scheduler(self.optimizer, settings, self.steps * settings.epochs)
        self.order = torch.Generator().manual_seed(context.seed)
        self.progress = Training()
        self.best = self._trained_part()
        self.best_val: Scored | None = None

    def run(
        self, checkpoint: Path | None = None, on_epoch: Callable[[dict[str, float]], None] | None = None
    ) -> Training:
        """Train to the end, going on from ``checkpoint`` if it exists, and restore the best weights.

        What comes back has validation as these weights forecast it, so that nobody need forecast it again.

        Raises:
            TrainingError: If the loss or the validation error is not finite.
        """
        if checkpoint is not None and checkpoint.exists():
            self._load(checkpoint)
        progress, settings = self.progress, self.settings
        while progress.epoch < settings.epochs and progress.epoch - progress.best_epoch < settings.patience:
            started = self.context.seconds()
            row = self._epoch()
            progress.seconds += self.context.seconds() - started
            if checkpoint is not None:
                self._save(checkpoint)
            if on_epoch is not None:
                on_epoch(row)
        self.model.load_state_dict(self.best, strict=False)
        self.model.eval()
        return replace(progress, val=self.best_val)

    def _epoch(self) -> dict[str, float]:
        rate = float(self.scheduler.get_last_lr()[0])
        loss = self._train_epoch()
        mae, val = self._validate()
        progress = self.progress
        progress.epoch += 1
        if not (math.isfinite(loss) and math.isfinite(mae)):
            raise TrainingError(
                f"epoch {progress.epoch} ended with training loss {loss} and validation MAE {mae}; "
                "lower train.lr or look at the data"
            )
        if mae < progress.best_mae:
            progress.best_mae, progress.best_epoch = mae, progress.epoch
            self.best, self.best_val = self._trained_part(), val
        row = {"epoch": progress.epoch, "train_loss": loss, "val_mae": mae, "lr": rate}
        progress.curve.append(row)
        return row

    def _train_epoch(self) -> float:
        """One epoch; returns the mean loss. The device is asked for a number once, at the end."""
        device, precision = self.context.device, self.settings.precision
        total = torch.zeros((), device=device)
        with ExitStack() as stack:
            for city in self.cities:
                city.model.train()
                stack.enter_context(cast_once(city.model, device, precision))
            for city, chosen in batches(self.cities, self.steps, self.settings.batch_size, self.order):
                total += self._step(city, chosen)
        return float(total) / self.steps

    def _step(self, city: City, chosen: Tensor) -> Tensor:
        """One step of training on the windows of a city at positions ``chosen [B]``; their loss, ``[]``."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = _loss(city.model, city.task.train, chosen, self.settings)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip)
        self.optimizer.step()
        self.scheduler.step()
        return loss.detach()

    def _validate(self) -> tuple[float, Scored | None]:
        """MAE over all validation windows, and what it comes from where these are the task's own.

        It is in physical units, or as ``comparable`` says; with sources in units of the scaler.
        """
        errors, scored = [], None
        for city in self.cities:
            city.model.eval()
            scored = score(
                city.model, city.task.val, city.task, precision=self.settings.precision, sampling=self.sampling
            )
            sums = in_scaler_units(scored.sums, city.task) if self.scaled else comparable(scored.sums, city.task)
            mae = sums.scores()["mae"].overall
            errors.append(math.nan if mae is None else mae)
        if self.cities[0].task is self.task:
            return errors[0], scored
        return sum(share * error for share, error in zip(shares(self.cities), errors, strict=True)), None

    def _trained_part(self) -> dict[str, Tensor]:
        """A copy of what training changes: trainable parameters, and buffers such as running statistics."""
        frozen = {name for name, p in self.model.named_parameters() if not p.requires_grad}
        state = self.model.state_dict()
        return {name: value.detach().clone() for name, value in state.items() if name not in frozen}

    def _save(self, path: Path) -> None:
        state = {
            "model": self._trained_part(),
            "frozen": self.frozen,
            "best": self.best,
            "best_val": self.best_val.tensors() if self.best_val else None,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "order": self.order.get_state(),
            "random": self.context.random_states(),
            "progress": vars(self.progress),
        }
        try:
            with atomic_write(path) as part:
                torch.save(state, part)
        except (OSError, RuntimeError) as error:  # torch says "unexpected pos" where the disk is full
            raise unwritten(f"the checkpoint {path}", error) from error

    def _load(self, path: Path) -> None:
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for what is no checkpoint
            raise TrainingError(f"the checkpoint {path} cannot be read; delete it and run again") from error
        if state["frozen"] != self.frozen:
            raise TrainingError(
                f"the checkpoint {path} was trained around other frozen weights than those of today; delete it and "
                "run again"
            )
        self.model.load_state_dict(state["model"], strict=False)
        self.best, best_val = state["best"], state["best_val"]
        self.best_val = Scored.of_tensors(self.task.val, best_val, self.context.device) if best_val else None
        for group in state["optimizer"]["param_groups"]:
            group["fused"] = _fused(self.parameters.values())  # the checkpoint may be another device's
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.order.set_state(state["order"])
        self.context.restore_random_states(state["random"])
        self.progress = Training(**state["progress"])


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Digest of the names and values of tensors, in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def comparable(sums: WindowSums, task: Task) -> WindowSums:
    """Sums that may be added over channels: in physical units, or in units of the scaler where units differ.

    So a model is chosen by all of its channels, and compared by all, as it is trained by all.
    """
    return in_scaler_units(sums, task) if task.card.units_differ else sums


def in_scaler_units(sums: WindowSums, task: Task) -> WindowSums:
    """Sums of errors in units of the task's scaler."""
    return sums.scaled(task.scaler.scale.flatten().double().cpu().numpy())


def _loss(model: nn.Module, windows: WindowSet, chosen: Tensor, settings: TrainSettings) -> Tensor:
    """Mean loss over the valid target values of one batch, on scaled values."""
    target, valid = windows.target(chosen)
    forecast = forecasts(model, windows, chosen, settings.precision)
    error = forecast - windows.scaler.scaled(target)
    if settings.loss == "l1":
        losses = error.abs()
    elif settings.loss == "mse":
        losses = error.square()
    else:
        losses = nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none")
    loss: Tensor = (losses * valid).sum() / valid.sum().clamp_min(1)
    return loss


def _optimizer(parameters: dict[str, nn.Parameter], settings: TrainSettings) -> Optimizer:
    decayed = [p for p in parameters.values() if p.ndim > 1]
    plain = [p for p in parameters.values() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    return AdamW(
        [g for g in groups if g["params"]],
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        fused=_fused(parameters.values()),
    )


def _fused(parameters: Iterable[Tensor]) -> bool | None:
    """Whether AdamW is one kernel: on a GPU. Elsewhere torch chooses."""
    return True if all(p.is_cuda for p in parameters) else None


def _scheduler(optimizer: Optimizer, settings: TrainSettings, steps: int) -> LRScheduler:
    if settings.schedule == "onecycle":
        return OneCycleLR(optimizer, settings.lr, total_steps=steps + 1, pct_start=settings.warmup)
    warmup = max(1, int(steps * settings.warmup))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return LambdaLR(optimizer, factor)
