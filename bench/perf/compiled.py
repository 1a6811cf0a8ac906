"""What ``torch.compile`` is worth in training: ``python -m bench.perf.compiled stvfm --batch 64``.

Times training steps of one model as it is and compiled, in turn, on random windows of a 10 x 20 grid, and prints the
seconds that compiling took and the ratio of the times of a step.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from bench.catalog import registry
from bench.context import resolve_device
from bench.train import make_model
from bench.types import TaskShape, Window

SHAPE = TaskShape(history=6, horizon=6, channels=2, grid=(10, 20), slots_per_day=48)


def main(
    model: Annotated[str, typer.Argument(help="A registered model, with its defaults.")] = "stvfm",
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each kind.")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
) -> None:
    """Print the seconds of compiling, and the median seconds of a step of both kinds and their ratio."""
    chosen = resolve_device(device)
    module = registry.load("model", model)
    config = asdict(registry.config_class(model)())
    days = tuple(getattr(module, "DAYS_BACK", ()))
    plain, compiled = (make_model(module, config, replace(SHAPE, days_back=days), chosen) for _ in range(2))
    compiled.compile()
    window = _window(batch, chosen, len(days))
    first = _seconds(compiled, window)
    _seconds(plain, window)
    times = [(_seconds(plain, window), _seconds(compiled, window)) for _ in range(rounds)]
    eager, fast = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    typer.echo(f"{model} on {chosen}, batch {batch}: compiling {first - fast:.0f} s")
    typer.echo(f"a step: {eager:.3f} s as it is, {fast:.3f} s compiled, ratio {ratio:.2f}")
    if eager > fast:
        typer.echo(f"it pays after {(first - fast) / (eager - fast):.0f} steps")


def _seconds(model: nn.Module, window: Window) -> float:
    wait: Callable[[], None] = torch.cuda.synchronize if window.history.is_cuda else lambda: None
    wait()
    started = time.perf_counter()
    loss: Tensor = model(window).abs().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    wait()
    return time.perf_counter() - started


def _window(batch: int, device: torch.device, days: int) -> Window:
    clock = torch.zeros(batch, 6, 2, dtype=torch.long, device=device)
    history = torch.randn(batch, 6, 2, 10, 20, device=device)
    past = torch.randn(batch, days, 6, 2, 10, 20, device=device) if days else None
    return Window(
        history=history,
        history_valid=torch.ones_like(history, dtype=torch.bool),
        history_clock=clock,
        horizon_clock=clock,
        past=past,
        past_valid=None if past is None else torch.ones_like(past, dtype=torch.bool),
        past_clock=None if past is None else clock[:, None].expand(-1, days, -1, -1),
    )


if __name__ == "__main__":
    typer.run(main)
