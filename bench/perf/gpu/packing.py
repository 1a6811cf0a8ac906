"""Several small runs on one card: processes side by side, and seeds stacked in one model."""

from __future__ import annotations

import contextlib
import copy
import io
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from bench.context import RunContext
from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import city, median_seconds, plugin_of, prepared, recipe
from bench.runs.evaluator import run_model
from bench.settings import TaskSettings
from bench.task import task_for
from bench.types import Window

STARTING: Final = 60.0  # seconds that a process may take to be ready


def packing(bench: Bench) -> None:
    """STID's runs an hour alone and with others on the card, and the time of a step of stacked seeds."""
    counts = (1, 4, 8) if bench.on_gpu else (1, 2)
    rates: dict[int, float] = {}
    longest = 0.0
    for number, count in enumerate(counts):
        if bench.left < longest:
            bench.skipped("STID", f"no time was left for {count} runs at once")
            continue
        before, budget = bench.left, bench.share(len(counts) + 1 - number)
        rates[count] = together(count, bench, budget)
        longest = max(longest, before - bench.left)
        note = "" if count == 1 else f"{rates[count] / rates[1]:.2f} times alone"
        bench.row("STID", f"runs an hour, {count} at once", rates[count], "1/h", note)
    stacked(bench, 8 if bench.on_gpu else 2)


def together(count: int, bench: Bench, budget: float) -> float:
    """Runs an hour of so many processes at once; what they take to start is not counted.

    Raises:
        RuntimeError: If one of them fails.
    """
    spawn = multiprocessing.get_context("spawn")
    answers, ready = spawn.Queue(), spawn.Barrier(count)
    seconds = max(1.0 if bench.on_gpu else 0.1, budget - (12 if bench.on_gpu else 1))
    arguments = (bench.device, bench.file, seconds, ready, answers)
    workers = [spawn.Process(target=_runs, args=arguments, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        found = [answers.get(timeout=2 * STARTING + budget) for _ in workers]
    finally:
        for worker in workers:
            worker.join(5)
            worker.kill()
    if failed := [answer for answer in found if isinstance(answer, str)]:
        raise RuntimeError(f"a run of {count} at once failed: {failed[0]}")
    return float(sum(found))


def _runs(device: str, file: Path, seconds: float, ready: Barrier, answers: Queue[float | str]) -> None:
    """Run after run for so many seconds; answers how many that are in an hour, or why there is none."""
    try:
        bench = Bench(device=device, seconds=seconds, file=file)
        run = _one_run(bench)
        run()
        ready.wait(STARTING)
        started, done = time.monotonic(), 0
        while not done or time.monotonic() - started < seconds:
            run()
            done += 1
        answers.put(3600 * done / (time.monotonic() - started))
    except Exception as error:  # noqa: BLE001 - whatever it is, the process that waits must know
        ready.abort()
        answers.put(f"{type(error).__name__}: {error}")


def _one_run(bench: Bench) -> Callable[[], object]:
    """Two epochs of STID, scored and audited, on data that are there."""
    data = city(bench)
    plugin, config = plugin_of("stid", bench)
    device = torch.device(bench.device)
    context, settings = RunContext(seed=0, device=device), recipe(bench, epochs=2, steps=50 if bench.on_gpu else 1)

    def run() -> object:
        with contextlib.redirect_stderr(io.StringIO()):  # the counter of operations warns of what it does not know
            return run_model(
                plugin, config, settings, lambda: task_for(plugin, data, TaskSettings(name="short"), device), context
            )

    return run


def stacked(bench: Bench, seeds: int) -> None:
    """The time of a gradient of so many STIDs in one, each on windows of its own, over that of one alone."""
    _, task, model = prepared("stid", city(bench), bench)
    models = [copy.deepcopy(model).train() for _ in range(seeds)]
    parameters, buffers = stack_module_state(models)
    size = recipe(bench).batch_size
    chosen = torch.arange(size, device=bench.device)
    window, (target, _) = task.train.window(chosen), task.train.target(chosen)
    several = [
        values.expand(seeds, *values.shape).contiguous()
        for values in (window.history, window.history_valid, window.history_clock, window.horizon_clock, target)
    ]

    def loss(weights: dict[str, Tensor], held: dict[str, Tensor], *values: Tensor) -> Tensor:
        return _loss(lambda given: functional_call(models[0], (weights, held), (given,)), *values)

    gradients = torch.func.vmap(torch.func.grad(loss), randomness="different")
    single = [values[0] for values in several]
    one = median_seconds(lambda: _gradients(models[0], single), bench, bench.share(2))
    many = median_seconds(lambda: gradients(parameters, buffers, *several), bench, bench.share(1))
    bench.row("STID", f"a gradient of {seeds} stacked seeds over one", many / one, "times", f"one: {1e3 * one:.2f} ms")


def _loss(model: Callable[[Window], Any], *values: Tensor) -> Tensor:
    history, valid, clock, horizon, target = values
    window = Window(history=history, history_valid=valid, history_clock=clock, horizon_clock=horizon)
    error: Tensor = (model(window) - target).abs().mean()
    return error


def _gradients(model: nn.Module, values: list[Tensor]) -> None:
    model.zero_grad(set_to_none=True)
    _loss(model, *values).backward()  # type: ignore[no-untyped-call]
