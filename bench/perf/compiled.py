"""What ``torch.compile`` is worth in training: ``python -m bench.perf.compiled stvfm --batch 64``.

Times training steps of one model as it is and compiled, in turn, on random windows of a 10 x 20 grid, and prints the
seconds that compiling took and the ratio of the times of a step.
"""

from __future__ import annotations

import statistics
from typing import Annotated

import typer

from bench.context import resolve_device
from bench.perf._measure import run
from bench.perf._steps import days_of, model_of, seconds_of, window_of


def main(
    model: Annotated[str, typer.Argument(help="A registered model, with its defaults.")] = "stvfm",
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each kind.")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "auto",
) -> None:
    """Print the seconds of compiling, and the median seconds of a step of both kinds and their ratio."""
    chosen = resolve_device(device)
    plain, compiled = (model_of(model, chosen) for _ in range(2))
    compiled.compile()
    window = window_of(batch, chosen, len(days_of(model)))
    first = seconds_of(compiled, window)
    seconds_of(plain, window)
    times = [(seconds_of(plain, window), seconds_of(compiled, window)) for _ in range(rounds)]
    eager, fast = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    typer.echo(f"{model} on {chosen}, batch {batch}: compiling {first - fast:.0f} s")
    typer.echo(f"a step: {eager:.3f} s as it is, {fast:.3f} s compiled, ratio {ratio:.2f}")
    if eager > fast:
        typer.echo(f"it pays after {(first - fast) / (eager - fast):.0f} steps")


if __name__ == "__main__":
    run(main)
