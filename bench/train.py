"""One training loop and one default recipe for every neural model.

L1 on standardised values, AdamW, one-cycle or cosine learning rate with warm-up, gradient clipping, early stopping on
validation MAE, best weights restored. The loop never waits for the device inside an epoch, and a run that was killed
goes on from its last epoch.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from bench.context import RunContext
from bench.errors import TrainingError
from bench.metrics import WindowSums, window_sums
from bench.settings import TrainSettings
from bench.task import Task
from bench.types import Window
from bench.windows import Scaler, WindowSet

EVALUATION_BATCH = 64


class Forecaster(Protocol):
    """What a trained model looks like to the evaluator."""

    def __call__(self, window: Window) -> Tensor: ...


@dataclass
class Progress:
    """What a checkpoint holds besides tensors."""

    epoch: int = 0
    best_epoch: int = 0
    best_mae: float = math.inf
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The outcome of ``train``: the model itself is left with its best weights.

    Attributes:
        seconds: Training and validation time, summed over all sittings.
        best_epoch: Counted from 1; 0 for a model without training.
    """

    curve: tuple[dict[str, float], ...]
    best_epoch: int
    seconds: float


class Trainer:
    """Trains one model on one task."""

    def __init__(self, model: nn.Module, task: Task, settings: TrainSettings, context: RunContext) -> None:
        self.model, self.task, self.settings, self.context = model, task, settings, context
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.frozen = tensors_sha256({name: p for name, p in model.named_parameters() if not p.requires_grad})
        self.optimizer = _optimizer(self.parameters, settings)
        passes = math.ceil(len(task.train) / settings.batch_size)
        self.steps = min(settings.steps_per_epoch or passes, passes)
        self.scheduler = _scheduler(self.optimizer, settings, self.steps * settings.epochs)
        self.order = torch.Generator().manual_seed(context.seed)
        self.progress = Progress()
        self.best = self._trained_part()

    def run(
        self, checkpoint: Path | None = None, on_epoch: Callable[[dict[str, float]], None] | None = None
    ) -> Training:
        """Train to the end, going on from ``checkpoint`` if it exists, and restore the best weights.

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
        return Training(curve=tuple(progress.curve), best_epoch=progress.best_epoch, seconds=progress.seconds)

    def _epoch(self) -> dict[str, float]:
        rate = float(self.scheduler.get_last_lr()[0])
        loss = self._train_epoch()
        mae = self._validate()
        progress = self.progress
        progress.epoch += 1
        if not (math.isfinite(loss) and math.isfinite(mae)):
            raise TrainingError(
                f"epoch {progress.epoch} ended with training loss {loss} and validation MAE {mae}; "
                "lower train.lr or look at the data"
            )
        if mae < progress.best_mae:
            progress.best_mae, progress.best_epoch = mae, progress.epoch
            self.best = self._trained_part()
        row = {"epoch": progress.epoch, "train_loss": loss, "val_mae": mae, "lr": rate}
        progress.curve.append(row)
        return row

    def _train_epoch(self) -> float:
        """One pass; returns the mean loss. The device is asked for a number once, at the end."""
        self.model.train()
        windows, settings = self.task.train, self.settings
        total = torch.zeros((), device=self.context.device)
        for chosen in windows.shuffled(settings.batch_size, self.order)[: self.steps]:
            self.optimizer.zero_grad(set_to_none=True)
            loss = _loss(self.model, windows, chosen, settings)
            loss.backward()  # type: ignore[no-untyped-call]
            if settings.clip:
                nn.utils.clip_grad_norm_(self.parameters.values(), settings.clip)
            self.optimizer.step()
            self.scheduler.step()
            total += loss.detach()
        return float(total) / self.steps

    def _validate(self) -> float:
        """MAE over all validation windows, in physical units."""
        self.model.eval()
        task = self.task
        sums = forecast_sums(
            self.model,
            task.val,
            mape_threshold=task.mape_threshold,
            clamp=task.settings.clamp,
            precision=self.settings.precision,
        )
        mae = sums.scores()["mae"]["overall"]
        return math.nan if mae is None else mae

    def _trained_part(self) -> dict[str, Tensor]:
        """A copy of what training changes: trainable parameters, and buffers such as running statistics."""
        frozen = {name for name, p in self.model.named_parameters() if not p.requires_grad}
        state = self.model.state_dict()
        return {name: value.detach().clone() for name, value in state.items() if name not in frozen}

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self._trained_part(),
            "frozen": self.frozen,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "order": self.order.get_state(),
            "random": self.context.random_states(),
            "progress": vars(self.progress),
        }
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

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
        self.best = state["best"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.order.set_state(state["order"])
        self.context.restore_random_states(state["random"])
        self.progress = Progress(**state["progress"])


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Digest of the names and values of tensors, in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def forecast_sums(
    model: Forecaster,
    windows: WindowSet,
    *,
    mape_threshold: float,
    clamp: bool = False,
    precision: str = "auto",
    batch_size: int = EVALUATION_BATCH,
) -> WindowSums:
    """Forecast every window and reduce the errors to exact sums, in physical units."""
    with torch.inference_mode():
        rows = []
        for chosen in windows.positions(batch_size):
            with _autocast(windows.values.device, precision):
                scaled = model(windows.window(chosen))
            forecast = physical_forecast(scaled.float(), windows.scaler, clamp=clamp)
            target = windows.target(chosen)
            rows.append(window_sums(forecast, target.values, target.valid, mape_threshold))
        return WindowSums(torch.cat(rows).cpu().numpy())


def physical_forecast(scaled: Tensor, scaler: Scaler, *, clamp: bool) -> Tensor:
    """Undo the scaling; with ``clamp``, clip to the range the scaler was fitted on."""
    forecast = scaler.physical(scaled)
    return forecast.clamp(scaler.low, scaler.high) if clamp else forecast


def _loss(model: nn.Module, windows: WindowSet, chosen: Tensor, settings: TrainSettings) -> Tensor:
    """Mean loss over the valid target values of one batch, on scaled values."""
    target = windows.target(chosen)
    with _autocast(windows.values.device, settings.precision):
        forecast = model(windows.window(chosen))
    error = forecast.float() - windows.scaler.scaled(target.values)
    if settings.loss == "l1":
        each = error.abs()
    elif settings.loss == "mse":
        each = error.square()
    else:
        each = nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none")
    loss: Tensor = (each * target.valid).sum() / target.valid.sum().clamp_min(1)
    return loss


def _autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    wanted = precision == "bf16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.autocast(device.type, torch.bfloat16) if wanted else contextlib.nullcontext()


def _optimizer(parameters: dict[str, nn.Parameter], settings: TrainSettings) -> Optimizer:
    decayed = [p for p in parameters.values() if p.ndim > 1]
    plain = [p for p in parameters.values() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    return AdamW([g for g in groups if g["params"]], lr=settings.lr, weight_decay=settings.weight_decay)


def _scheduler(optimizer: Optimizer, settings: TrainSettings, steps: int) -> LRScheduler:
    if settings.schedule == "onecycle":
        return OneCycleLR(optimizer, settings.lr, total_steps=steps + 1, pct_start=settings.warmup)
    warmup = max(1, int(steps * settings.warmup))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return LambdaLR(optimizer, factor)
