"""What the harness costs in training, over a loop written by hand for the one model.

The loop has the trainer's recipe, and casts frozen weights once an epoch too, so the ratio is of the harness alone.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from bench.context import resolve_precision
from bench.frozen import cast_once
from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import city, known, seconds_of, trainer_of
from bench.settings import TrainSettings
from bench.train import Trainer
from bench.types import Window

MODELS = ("stid", "convlstm", "stvfm")


def harness(bench: Bench) -> None:
    """The time of an epoch of the trainer over that of a bare loop: same model, weights, windows and precision."""
    data, steps = city(bench), 40 if bench.on_gpu else 2
    models = known(bench, *MODELS)
    for number, model in enumerate(models):
        trainer = trainer_of(model, data, bench, steps=steps)
        bare = bare_epoch(trainer)
        ours, other = in_turn(trainer._train_epoch, bare, bench, bench.share(len(models) - number))
        ratio = statistics.median(one / two for one, two in zip(ours, other, strict=True))
        windows = steps * trainer.settings.batch_size
        bench.row(model, "trainer over bare loop", ratio, "times", f"{len(ours)} pairs of {steps} steps")
        bench.row(model, "windows trained on", windows / statistics.median(ours), "1/s")


def in_turn(
    one: Callable[[], object], other: Callable[[], object], bench: Bench, budget: float
) -> tuple[list[float], list[float]]:
    """Times of both, A B A B, for so many seconds and three pairs at least, after one that warms up."""
    ends = bench.left - budget
    pairs: list[tuple[float, float]] = []
    while len(pairs) < 4 or (bench.left > ends and len(pairs) < 40):
        pairs.append((seconds_of(one, bench), seconds_of(other, bench)))
    first, second = zip(*pairs[1:], strict=True)
    return list(first), list(second)


def bare_epoch(trainer: Trainer) -> Callable[[], float]:
    """An epoch as a careful user writes it, of a copy of the trainer's model."""
    model, settings, windows = copy.deepcopy(trainer.model), trainer.settings, trainer.task.train
    device, scaler = windows.values.device, windows.scaler
    scaled, clock, origins, valid = scaler.scaled(windows.values), windows.clock, windows.origins, windows.valid
    before = torch.arange(-windows.history, 0, device=device)
    after = torch.arange(windows.horizon, device=device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = adamw(trained, settings, device)
    schedule = OneCycleLR(optimizer, settings.lr, total_steps=10**6)
    in_bf16 = resolve_precision(settings.precision, device) == "bf16"

    def step(chosen: Tensor) -> Tensor:
        past, future = origins[chosen, None] + before, origins[chosen, None] + after
        window = Window(
            history=scaled[past], history_valid=valid[past], history_clock=clock[past], horizon_clock=clock[future]
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            forecast = model(window)
        shown = valid[future]
        loss: Tensor = ((forecast.float() - scaled[future]).abs() * shown).sum() / shown.sum().clamp_min(1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(trained, settings.clip)
        optimizer.step()
        schedule.step()
        return loss.detach()

    def epoch() -> float:
        with cast_once(model, device, settings.precision):
            return _epoch(model, step, len(origins), settings.batch_size, trainer.steps, device)

    return epoch


def adamw(trained: list[nn.Parameter], settings: TrainSettings, device: torch.device) -> AdamW:
    """The optimizer of the bare loop, which lets no bias and no norm decay, as the trainer's lets none."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1]},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = device.type == "cuda" or None
    return AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=fused)


def _epoch(
    model: nn.Module, step: Callable[[Tensor], Tensor], windows: int, size: int, steps: int, device: torch.device
) -> float:
    model.train()
    torch.use_deterministic_algorithms(mode=False)  # as torch is, where nobody asks for more
    order = torch.randperm(windows, device=device)
    total = torch.zeros((), device=device)
    for chosen in torch.split(order, size)[:steps]:
        total += step(chosen)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    return float(total) / steps
