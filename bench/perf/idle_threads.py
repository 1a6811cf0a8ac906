"""What sleeping threads are worth when several runs share the cores: ``python -m bench.perf.idle_threads``.

Runs the same convolutions in several processes at once, first with torch's threads spinning while they wait
(``OMP_WAIT_POLICY=ACTIVE``), then sleeping (``PASSIVE``, as ``stbench`` sets it), in turn, and prints the ratio of the
times. The processes of one round start together and the slowest one counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import Annotated

import typer

WORK = """
import time, torch
convolution = torch.nn.Conv2d(32, 128, 3, padding=1)
frames = torch.randn(16, 32, 16, 20)
convolution(frames)
started = time.perf_counter()
for _ in range(60):
    convolution(frames).sum().backward()
print(time.perf_counter() - started)
"""


def main(
    processes: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of both policies.")] = 3,
) -> None:
    """Print the seconds of every round and the median ratio, spinning over sleeping."""
    ratios = []
    for number in range(rounds):
        spinning, sleeping = (_slowest(policy, processes) for policy in ("ACTIVE", "PASSIVE"))
        ratios.append(spinning / sleeping)
        typer.echo(f"round {number + 1}: spinning {spinning:.2f} s, sleeping {sleeping:.2f} s, ratio {ratios[-1]:.2f}")
    typer.echo(f"{processes} processes on {os.cpu_count()} cores: median ratio {statistics.median(ratios):.2f}")


def _slowest(policy: str, processes: int) -> float:
    environment = {**os.environ, "OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-c", WORK]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(processes)
    ]
    return max(float(process.communicate()[0]) for process in started)


if __name__ == "__main__":
    typer.run(main)
