"""How often an array stands in memory: ``python -m bench.perf.memory --gigabytes 1.15``.

Makes a large data set and one of the same grid with few slots, and gives both to the same commands: an import of each
kind of file, a dry run, a run of each model. ``--gigabytes 4 --kind npy --kind h5 last_value stid`` measures imports
and runs of 4 GB; the disk must hold five times as much.

What the large one takes more, over what its array is larger, is how many times the array was in memory at once, which
must be at most as often as ``MOST`` says. The peaks are those of the process that held most (RSS, mapped files
included), of all processes together, where what they share counts once (PSS), and of what lies in no file (anonymous).
Linux alone tells them.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from bench.catalog import registry
from bench.catalog.npy import npy_file
from bench.mapped import pieces
from bench.perf._large_files import KINDS, written_as
from bench.perf._measure import Cell, Measurement, Out, report

MODELS: Final = ("last_value", "window_mean", "historical_average", "dlinear", "stid")
MOST: Final = {"import": 1.3, "naive": 1.3, "trained": 1.6}  # times the array
SMALL: Final = 1500  # slots
GIGABYTES: Final = 1.15  # unless told otherwise
EVERY_S: Final = 0.1  # a look at all processes
CARD: Final = 'name = "{name}"\ninterval = 30\ngrid = [{cells}, {cells}]\nchannels = ["in", "out"]\n'


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """The most that was seen of a command, in MiB.

    Attributes:
        rss: Of one of its processes.
        pss, anonymous: Of all of them together.
        seconds: Until it ended.
    """

    rss: float = 0.0
    pss: float = 0.0
    anonymous: float = 0.0
    seconds: float = 0.0


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Registered models.")] = None,
    gigabytes: Annotated[float, typer.Option(help="Size of the array.")] = GIGABYTES,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help=f"Kinds of files to import: {', '.join(KINDS)}; npy unless said.")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="Rows and columns of its grid.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 100,
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    scored: Annotated[int, typer.Option(min=1, help="Windows of validation and of test that are scored.")] = 600,
    folder: Annotated[Path | None, typer.Option(help="Where the arrays may lie meanwhile.")] = None,
    out: Out = None,
) -> None:
    """Print for each command how many times the array was in memory."""
    slots = max(2 * SMALL, round(gigabytes * 1e9 / (2 * cells * cells * 4)))
    budget = (f"train.batch_size={batch}", f"task.scored={scored}", "train.epochs=1")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        bed = Bed(Path(scratch), cells, {"small": SMALL, "large": slots}, budget, steps)
        imports = [bed.row(f"import {kind}") for kind in kinds or ["npy"]]
        rows = [*imports, bed.row("dry run"), *(bed.row(model) for model in models or MODELS)]
    title = (
        f"Peak memory over an array of {gigabytes:g} GB ({slots} slots of 2 x {cells} x {cells}), beyond a small one's."
    )
    facts = {"slots": slots, "small_slots": SMALL, "steps": steps, "batch": batch, "scored": scored}
    name = "memory" if gigabytes == GIGABYTES else f"memory_{gigabytes:g}_gb"
    report(Measurement(name=name, title=title, rows=rows, facts=facts), out)


class Bed:
    """A folder with two arrays, and the commands that are given them."""

    def __init__(self, folder: Path, cells: int, slots: dict[str, int], budget: Sequence[str], steps: int) -> None:
        self.folder, self.slots, self.budget, self.steps = folder, slots, budget, steps
        self.row_shape = (2, cells, cells)
        for name, count in slots.items():
            write_counts(folder / f"{name}.npy", (count, *self.row_shape))
            (folder / f"{name}.toml").write_text(CARD.format(name=name, cells=cells), encoding="utf-8")

    def row(self, step: str) -> dict[str, Cell]:
        """Peaks of the large array, and how many times it was in memory."""
        small, large = (self.peaks(step, name) for name in ("small", "large"))
        more = 4 * math.prod(self.row_shape) * (self.slots["large"] - self.slots["small"]) / 2**20
        most = most_of(step)
        times = ((large.rss - small.rss) / more, (large.pss - small.pss) / more)
        return {
            "command": step,
            "s": large.seconds,
            "RSS, MiB": round(large.rss),
            "with the small one": round(small.rss),
            "times the array": times[0],
            "all processes": times[1],
            "anonymous": (large.anonymous - small.anonymous) / more,
            "wanted": None if most is None else f"at most {most}",
            "holds": None if most is None else max(times) <= most,
        }

    def peaks(self, step: str, name: str) -> Peaks:
        """Peaks of a command, whose own file of the array, if it wants one, is removed again."""
        kind = step.removeprefix("import ")
        file = written_as(kind, self.folder / f"{name}.npy") if kind in KINDS else None
        try:
            return watched(self.command(step, name))
        finally:
            if file and kind != "npy":
                shutil.rmtree(file) if file.is_dir() else file.unlink()

    def command(self, step: str, name: str) -> list[str]:
        data = self.folder / "data"
        stbench = [sys.executable, "-m", "bench"]
        if step.startswith("import "):
            file, card = (str(self.folder / f"{name}.{end}") for end in (step.removeprefix("import "), "toml"))
            return [*stbench, "data", "import", file, "--card", card, "--data-dir", str(data), "--force"]
        model = MODELS[0] if step == "dry run" else step
        steps = self.steps if name == "large" else min(4, self.steps)  # the small one tells what a step takes
        settings = (*self.budget, f"train.steps_per_epoch={steps}")
        command = [*stbench, "run", "--dataset", name, "--model", model, "--seed", "0", "--no-track"]
        command += [word for setting in settings for word in ("--set", setting)]
        command += ["--data-dir", str(data), "--results", str(self.folder / f"results-{name}")]
        return [*command, "--dry-run"] if step == "dry run" else command


def most_of(step: str) -> float | None:
    """How many times the array may be in memory in a command; nothing is asked of a dry run, which reads none."""
    if step == "dry run":
        return None
    if step.startswith("import "):
        return MOST["import"]
    return MOST["naive" if registry.role(step) == "naive" else "trained"]


def write_counts(path: Path, shape: tuple[int, ...]) -> None:
    """Counts with a daily rhythm, ``[T, C, H, W]`` float32, written in pieces."""
    draw = np.random.default_rng(0)
    level = draw.gamma(2.0, 10.0, shape[1:])
    with npy_file(path, shape[1:], np.float32) as array:
        for piece in pieces(shape):
            hours = np.arange(piece.start, piece.stop)[:, None, None, None] * np.pi / 24
            array.add(np.round(level * (1.2 + np.sin(hours)) * draw.uniform(0.8, 1.2, (len(hours), 1, 1, 1))))
        array.finish()


def watched(command: Sequence[str]) -> Peaks:
    """Run a command and look at its processes until it ends.

    Raises:
        CalledProcessError: If it fails.
    """
    started, peaks = time.monotonic(), Peaks()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        while process.poll() is None:
            peaks = higher(peaks, look(process.pid))
            time.sleep(EVERY_S)
        if process.returncode:
            output.seek(0)
            typer.echo(output.read().decode(errors="replace"), err=True)
            raise subprocess.CalledProcessError(process.returncode, command)
    return replace(peaks, seconds=time.monotonic() - started)


def look(pid: int) -> Peaks:
    """What a process and all that it started hold now; of the largest the most that it ever held."""
    seen = [_memory(process) for process in tree(pid)]
    totals = {key: sum(memory.get(key, 0) for memory in seen) / 2**10 for key in ("Pss", "Anonymous")}
    rss = max((memory.get("VmHWM", 0) for memory in seen), default=0) / 2**10
    return Peaks(rss=rss, pss=totals["Pss"], anonymous=totals["Anonymous"])


def higher(one: Peaks, other: Peaks) -> Peaks:
    """The higher of each."""
    return Peaks(
        rss=max(one.rss, other.rss), pss=max(one.pss, other.pss), anonymous=max(one.anonymous, other.anonymous)
    )


def tree(pid: int) -> Iterator[int]:
    """A process and all that it started, and so on."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:  # it has ended
            continue
        for child in children:
            yield from tree(int(child))


def _memory(pid: int) -> dict[str, int]:
    """What the system tells of a process, in KiB; nothing of one that has ended."""
    memory: dict[str, int] = {}
    for name in ("smaps_rollup", "status"):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text(errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.split() for line in lines)
        memory |= {pair[0].rstrip(":"): int(pair[1]) for pair in pairs if pair[2:] == ["kB"]}
    return memory


if __name__ == "__main__":
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("only Linux tells what a process holds of mapped files")
    typer.run(main)
