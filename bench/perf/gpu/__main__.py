"""Measure a GPU: ``python -m bench.perf.gpu [--out FOLDER] [--device cuda|cpu] [--seconds N] [PART ...]``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.perf.gpu.part import PARTS
from bench.perf.gpu.report import Part, table, write
from bench.perf.gpu.rows import read_rows

NEEDED: Final = ("torch", "numpy", "msgspec", "annotated_types", "filelock")
LEAST: Final = 5.0  # seconds that a part is begun with
GRACE: Final = 40.0  # seconds after which a part that does not end is ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 if every part was measured, 1 if one failed, 2 if nothing can be."""
    asked = _parser().parse_args(arguments)
    if reason := _why_not(asked.device):
        print(f"error: {reason}", file=sys.stderr)
        return 2
    device = "cuda:0" if asked.device == "cuda" else asked.device
    parts: list[Part] = []
    for part in measured(asked.parts or list(PARTS), device, asked.seconds):
        parts.append(part)
        written = write(parts, device, asked.out)  # anew after each, so that nothing is lost where it is stopped
    print(table(parts), *written, sep="\n")
    return 1 if any(part.status == "failed" for part in parts) else 0


def measured(names: Sequence[str], device: str, seconds: float) -> Iterator[Part]:
    """Every part in a process of its own, each with its share of what time is left."""
    ends = time.time() + seconds
    for number, name in enumerate(names):
        left = ends - time.time()
        shares = [PARTS[later][2] for later in names[number:]]
        print(f"{PARTS[name][1]} ...", flush=True)
        if left < LEAST:
            part = Part(name=name, status="skipped", seconds=0, error="no time was left; raise --seconds")
        else:
            part = _measured(name, device, left * shares[0] / sum(shares), left + GRACE)
        print(f"  {part.status} after {part.seconds:.0f} s {part.error}", flush=True)
        yield part


def _measured(name: str, device: str, seconds: float, most: float) -> Part:
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        command = [sys.executable, "-m", "bench.perf.gpu.part", name, device, str(started + seconds), str(rows)]
        error = _error_of(command, min(seconds + GRACE, most))
        return Part(
            name=name,
            status="failed" if error else "done",
            seconds=time.time() - started,
            rows=tuple(read_rows(rows)),
            error=error,
        )


def _error_of(command: Sequence[str], seconds: float) -> str:
    """Why a command failed, or did not end in time; it is ended with all processes that it started."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:  # noqa: S603 - ours
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return "it did not end in time"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return "" if process.returncode == 0 else _last_line(errors) or f"it ended with {process.returncode}"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _why_not(device: str) -> str:
    """Why nothing can be measured, in one sentence; empty if it can."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return f"{' and '.join(absent)} must be installed to measure; beside torch and numpy nothing else is needed"
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no GPU here; --device cpu tries the commands on a CPU, where the numbers mean nothing"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.perf.gpu", description="Measure what a GPU does with this.")
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=f"Of {', '.join(PARTS)}; by default all.")
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), help="Folder of gpu.json and gpu.md.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="What is measured.")
    parser.add_argument("--seconds", type=float, default=420, help="For all parts together, about.")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part '{name}'; parts are {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
