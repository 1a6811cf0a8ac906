"""Data, tasks and models to measure with: made here, so that no file is needed."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from bench.catalog import registry
from bench.context import RunContext
from bench.perf.gpu.rows import Bench
from bench.settings import Precision, TaskSettings, TrainSettings
from bench.task import Task, task_for
from bench.train import Trainer, make_model
from bench.types import DataIdentity, DatasetCard, ModelPlugin, SpatioTemporalData

NEEDS: Final = {"stvfm": "timm", "st_llm": "transformers", "time_llm": "transformers", "visionts": "transformers"}
LARGE: Final[dict[str, dict[str, Any]]] = {"stvfm": {"backbone": "vit_small", "weights": "random"}}
SMALL: Final[dict[str, dict[str, Any]]] = {"stvfm": {"backbone": "vit_tiny", "weights": "random", "depth": 1}}
DAY: Final = 48


def city(bench: Bench) -> SpatioTemporalData:
    """A daily wave of counts with Poisson noise: three months on 32 x 32 cells, or a week of few cells on a CPU."""
    slots, grid = (91 * DAY, (32, 32)) if bench.on_gpu else (7 * DAY, (4, 4))
    time_, generator = np.arange(slots), np.random.default_rng(0)
    height = generator.uniform(5, 40, size=(2, *grid))
    wave = 1.2 + np.sin(2 * np.pi * time_ / DAY)[:, None, None, None]
    return SpatioTemporalData(
        card=_card(grid, slots),
        identity=DataIdentity(name="waves", version="waves-1", sha256="0" * 64, synthetic=True),
        values=generator.poisson(wave * height).astype(np.float32),
        mask=None,
        cell_mask=np.ones(grid, dtype=bool),
        clock=np.stack([time_ % DAY, time_ // DAY % 7], axis=1),
        segments=((0, slots),),
    )


def _card(grid: tuple[int, int], slots: int) -> DatasetCard:
    return DatasetCard(
        name="waves",
        title="Waves",
        city="",
        domain="counts",
        grid=grid,
        interval=24 * 60 // DAY,
        start="2020-01-06T00:00",
        slots=slots,
        channels=("in", "out"),
        unit="trips",
        licence="none",
        citation="none",
        homepage="",
        how_to_get="it is made",
        formats=("none",),
    )


def known(bench: Bench, *models: str) -> list[str]:
    """Those of the models whose library is here; of the others the table says so."""
    absent = [model for model in models if model in NEEDS and importlib.util.find_spec(NEEDS[model]) is None]
    for model in absent:
        bench.skipped(model, f"{NEEDS[model]} is not installed")
    return [model for model in models if model not in absent]


def plugin_of(model: str, bench: Bench) -> tuple[ModelPlugin, dict[str, Any]]:
    """A model's module and its settings: its defaults, and for ST-VFM a random ViT-S."""
    own = (LARGE if bench.on_gpu else SMALL).get(model, {})
    return registry.load("model", model), asdict(registry.config_class(model)(**own))


def prepared(model: str, data: SpatioTemporalData, bench: Bench, seed: int = 0) -> tuple[RunContext, Task, nn.Module]:
    """A seeded context with its flags set, a task and a model on the device."""
    device = torch.device(bench.device)
    context = RunContext(seed=seed, device=device)
    context.begin()
    plugin, config = plugin_of(model, bench)
    task = task_for(plugin, data, TaskSettings(name="short"), device)
    return context, task, make_model(plugin, config, task.shape, device)


def recipe(bench: Bench, *, steps: int = 0, epochs: int = 1000, precision: Precision = "auto") -> TrainSettings:
    """The recipe of all models; few windows a step on a CPU."""
    size = 64 if bench.on_gpu else 4
    return TrainSettings(epochs=epochs, steps_per_epoch=steps, batch_size=size, precision=precision)


def trainer_of(
    model: str, data: SpatioTemporalData, bench: Bench, *, steps: int, precision: Precision = "auto", seed: int = 0
) -> Trainer:
    """A trainer at its start."""
    context, task, module = prepared(model, data, bench, seed)
    return Trainer(module, task, recipe(bench, steps=steps, precision=precision), context)


def wait(device: str) -> None:
    """Until the device has done all it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], bench: Bench) -> float:
    """Of one call, all that the device does included."""
    wait(bench.device)
    started = time.perf_counter()
    work()
    wait(bench.device)
    return time.perf_counter() - started


def median_seconds(work: Callable[[], object], bench: Bench, budget: float, *, most: int = 50) -> float:
    """The median of calls for so many seconds, at least three, after two that warm up."""
    ends = time.monotonic() + budget
    times = [seconds_of(work, bench) for _ in range(5)]
    while time.monotonic() < ends and len(times) < most:
        times.append(seconds_of(work, bench))
    return statistics.median(times[2:])
