"""What bfloat16 is worth in training on this machine: ``python -m bench.perf.bf16``.

Times training steps of each model in float32 and in bfloat16, in turn, with the settings that a profile gives it and
random weights. Where a processor has no products of bfloat16, as its flags tell, steps in it may be slower.
"""

from __future__ import annotations

import statistics
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import torch
import typer

from bench.catalog import registry
from bench.context import device_name, flags_kept, resolve_device
from bench.errors import UnknownNameError
from bench.perf._measure import Cell, Measurement, Out, in_turn, ratio_of, report, run
from bench.perf._steps import SHAPE, days_of, model_of, seconds_of, window_of
from bench.plain_text import counted
from bench.runs.profiles import PROFILES

CPU: Final = Path("/proc/cpuinfo")
FLAGS: Final = ("avx512_bf16", "amx_bf16", "bf16")  # the last is ARM's
MODELS: Final = ("stvfm", "stid", "convlstm", "simvp", "patchtst")


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Registered models; a few if none is named.")] = None,
    profile: Annotated[str, typer.Option(help="Whose settings and batches.")] = "reference",
    rounds: Annotated[int, typer.Option(min=1, help="Steps of both kinds, each first in every other.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<number>.")] = "cpu",
    out: Out = None,
) -> None:
    """Print what a step takes in both, and how many times as fast bfloat16 is."""
    if profile not in PROFILES:
        raise UnknownNameError("profile", profile, PROFILES)
    chosen, batch = resolve_device(device), PROFILES[profile].train.batch_size
    with flags_kept():
        torch.set_num_threads(threads)
        rows = [_row(model, profile, chosen, batch, rounds) for model in models or MODELS]
    place = device_name(chosen) if chosen.type == "cuda" else _processor()
    title = (
        f"Milliseconds of a training step without its optimizer, in float32 and in bfloat16: {place}, "
        f"{counted(threads, 'thread')}, batches of {batch}, the settings of the profile {profile}, random "
        f"weights, a grid of {SHAPE.grid[0]} x {SHAPE.grid[1]} cells."
    )
    facts = {"profile": profile, "batch": batch, "rounds": rounds, "threads": threads, "place": place}
    report(Measurement(name="bf16", title=title, rows=rows, facts=facts), out)


def _processor() -> str:
    """With those of its flags that tell of bfloat16, as far as the system says."""
    try:
        words = CPU.read_text().split()
    except OSError:
        return "a processor of unknown flags"
    return f"a processor with {' and '.join(flag for flag in FLAGS if flag in words) or 'no flag for bfloat16'}"


def _row(name: str, profile: str, device: torch.device, batch: int, rounds: int) -> dict[str, Cell]:
    known = [field.name for field in fields(registry.config_class(name))]
    settings = {**PROFILES[profile].settings_of(name, known), **({"weights": "random"} if "weights" in known else {})}
    model, window = model_of(name, device, settings), window_of(batch, device, len(days_of(name)))

    exact, rounded = partial(seconds_of, model, window, "fp32"), partial(seconds_of, model, window, "bf16")
    in_turn(2, exact, rounded)  # the first steps are slower
    slow, fast = in_turn(rounds, exact, rounded)
    return {
        "model": name,
        "float32, ms": 1000 * statistics.median(slow),
        "bfloat16, ms": 1000 * statistics.median(fast),
        "times as fast": ratio_of(slow, fast),
    }


if __name__ == "__main__":
    run(main)
