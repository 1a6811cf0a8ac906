"""What launches cost: a captured step of training against an eager one, and larger batches in scoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW

from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import city, known, median_seconds, prepared, recipe, seconds_of
from bench.scoring import forecast_sums
from bench.task import Task

CAPTURED: Final = ("stid", "vit", "convlstm", "stvfm")
SCORED: Final = ("stid", "convlstm", "vit", "stvfm")
BATCHES: Final = (64, 256, 1024)


def graphs(bench: Bench) -> None:
    """The time of an eager step over that of its replay, on a window that stays where it is."""
    if not bench.on_gpu:
        bench.skipped("all", "only a GPU has graphs")
        return
    data = city(bench)
    models = known(bench, *CAPTURED)
    for number, model in enumerate(models):
        _, task, module = prepared(model, data, bench)
        budget = bench.share(2 * (len(models) - number))
        step = _step(module, task, bench)
        eager = median_seconds(step, bench, budget)
        try:
            replay = captured(step)
        except RuntimeError as error:
            bench.row(model, "a step can be captured", False, "", str(error).split("\n")[0])
            torch.cuda.synchronize()
            continue
        fast = median_seconds(replay, bench, budget)
        bench.row(model, "eager step over captured", eager / fast, "times", f"eager {1e3 * eager:.2f} ms")


def captured(step: Callable[[], object]) -> Callable[[], None]:
    """The step as a graph, after three on a stream of their own that warm up."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _step(model: nn.Module, task: Task, bench: Bench) -> Callable[[], object]:
    """A step of training on one batch, as the trainer takes it but for the rate, which stays."""
    settings = recipe(bench)
    chosen = torch.arange(settings.batch_size, device=bench.device)
    window, (target, _) = task.train.window(chosen), task.train.target(chosen)
    wanted = task.scaler.scaled(target)
    trained = [weight for weight in model.train().parameters() if weight.requires_grad]
    optimizer = AdamW(trained, lr=settings.lr, fused=bench.on_gpu or None, capturable=bench.on_gpu)
    kind: dict[str, Any] = {"dtype": torch.bfloat16, "cache_enabled": False}  # a cache would outlive the capture

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(window.history.device.type, **kind):
            forecast = model(window)
        (forecast.float() - wanted).abs().mean().backward()
        clip_grad_norm_(trained, settings.clip)
        optimizer.step()

    return step


def scoring(bench: Bench) -> None:
    """Windows scored a second by size of the batch, and whether scores stay the same."""
    data = city(bench)
    models = known(bench, *SCORED)
    for number, model in enumerate(models):
        _, task, module = prepared(model, data, bench)
        module.eval()
        maes: list[float | None] = []
        for size in BATCHES:
            sums = [forecast_sums(module, task.val, mape_threshold=1.0, batch_size=size)]
            budget = bench.share(len(BATCHES) * (len(models) - number))

            def work(size: int = size, module: nn.Module = module, task: Task = task) -> object:
                return forecast_sums(module, task.val, mape_threshold=1.0, batch_size=size)

            seconds = median_seconds(work, bench, budget) if bench.on_gpu else seconds_of(work, bench)
            maes.append(sums[0].scores()["mae"].overall)
            bench.row(model, f"windows scored, batch {size}", len(task.val) / seconds, "1/s", f"MAE {maes[-1]:.9g}")
        bench.row(model, "scores are equal whatever the batch", len(set(maes)) == 1)
