"""Kills workers and drivers of a plan now and then, until all is done: ``python tests/support/kills.py --kills 100``.

The plan is small and made of the user's own data. Whatever was killed, a finished record is never touched again, the
tables at the end are those of an undisturbed plan, and no process, lock, part of a file or checkpoint is left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from commands import ROOT, environment
from tiny import make_tiny

MODELS = ("last_value", "historical_average", "ridge", "dlinear", "stid")
BUDGET = ("train.epochs=25", "train.patience=25", "train.steps_per_epoch=8", "train.batch_size=8")
LIMIT_S = 900.0  # for one command
FORK_SERVER = "multiprocessing.forkserver"
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent", "default_worker.py")  # of Ray's own, the last not at work yet
AGENTS_S = 120.0  # they end about a minute after their driver


def plan(data: Path, results: Path, *more: str, models: Sequence[str] = MODELS, seeds: int = 2) -> list[str]:
    """A command that runs models on two data sets."""
    names = [word for model in models for word in ("--model", model)]
    names += [word for seed in range(seeds) for word in ("--seed", str(seed))]
    budget = [word for setting in BUDGET for word in ("--set", setting)]
    chosen = ["--dataset", "tiny", "--dataset", "tiny2", "--no-track"]
    words = ["run", *chosen, *names, *budget, "--data-dir", str(data), "--results", str(results), *more]
    return [sys.executable, "-m", "bench", *words]


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def below(process: int) -> list[int]:
    """The living processes that a process started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:  # gone meanwhile
            continue
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(stat.parent.name))
    found: list[int] = []
    new = [process]
    while new:
        new = [child for parent in new for child in parents.get(parent, [])]
        found += new
    return found


def jobs_of(results: Path) -> list[int]:
    """The processes of jobs that share a results folder, and those below them; they may outlive their driver."""
    roots = [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if f"{results}/slurm" in words_of(p)]
    return sorted({process for root in roots for process in (root, *below(root))})


def workers_of(driver: int, results: Path) -> list[int]:
    """The processes in which runs are made, children of a fork server, and those that look after them elsewhere."""
    found = []
    for process in (*below(driver), *jobs_of(results)):
        mine, parents = (words_of(Path(f"/proc/{each}/cmdline")) for each in (process, parent_of(process)))
        if (FORK_SERVER in mine and FORK_SERVER in parents) or mine.startswith("ray::made") or "submitit" in mine:
            found.append(process)
    return found


def words_of(cmdline: Path) -> str:
    try:
        return cmdline.read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def parent_of(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def gone(processes: Sequence[int], within_s: float = 20.0) -> list[int]:
    """Those of these processes that are still there after a while."""
    end = time.monotonic() + within_s
    left = list(processes)
    while left and time.monotonic() < end:
        time.sleep(0.05)
        left = [process for process in left if alive(process)]
    return left


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_behind(results: Path) -> list[Path]:
    """What a finished plan has no need of."""
    kinds = ("*.lock", "*.pt", ".*.tmp", "*.failed.json", "superseded", "slurm*")
    return [path for kind in kinds for path in results.rglob(kind) if path.name != ".tables.lock"]


def tables(results: Path) -> dict[str, bytes]:
    """The tables but for that of seconds, which are never the same."""
    return {p.name: p.read_bytes() for p in (results / "tables").iterdir() if not p.name.startswith("efficiency")}


@dataclass
class Campaign:
    """Kills until enough were killed, then lets the plan come to its end.

    Attributes:
        kills: How many, by what was killed and how.
        agents: Processes of Ray's own that outlived a command.
        broken: What must not happen and did.
    """

    command: Sequence[str]
    results: Path
    seed: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    agents: set[int] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def run(self, wanted: int) -> None:
        chance = random.Random(self.seed)
        finished: dict[Path, bytes] = {}
        code: int | None = None
        while self.kills.total() < wanted or code != 0:
            code = self._one_command(wanted, chance)
            now = {path: path.read_bytes() for path in self.results.glob("runs/*/*/*[0-9a-f].json")}
            now = {path: text for path, text in now.items() if not path.name.endswith(".failed.json")}
            if not finished.items() <= now.items():
                self.broken.append("a finished record was lost or repeated")
            finished = now
            if code == 0 and self.kills.total() < wanted:  # all is done: begin anew, with what was learnt
                self.check()
                for path in finished:
                    path.unlink()
                finished = {}

    def _one_command(self, wanted: int, chance: random.Random) -> int:
        """Start the plan and kill what belongs to it now and then; the exit code."""
        self.commands += 1
        process, seen, end = start(self.command), set[int](), time.monotonic() + LIMIT_S
        pause = chance.uniform(0.5, 6)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
            seen |= set(below(process.pid)) - set(jobs_of(self.results))
            pause -= 0.05
            if pause > 0 or self.kills.total() >= wanted:
                continue
            pause = chance.uniform(0.1, 2.5)
            workers = workers_of(process.pid, self.results)
            what = chance.choices(("worker", "driver", "interrupt", "terminate"), (6, 2, 1, 1))[0]
            if what == "worker" and workers:
                self._kill(chance.choice(workers), signal.SIGKILL, what)
            elif what != "worker" and workers:
                sign = {"driver": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}[what]
                self._kill(process.pid, sign, what)
                break
        try:
            code = process.wait(120 if self.kills.total() < wanted else LIMIT_S)
        except subprocess.TimeoutExpired:
            self.broken.append("a command did not end")
            process.kill()
            code = process.wait()
        if code not in (0, 1, 130, 128 + signal.SIGTERM, -signal.SIGKILL):
            self.broken.append(f"a command ended with exit code {code}")
        left = {process: words_of(Path(f"/proc/{process}/cmdline")) for process in gone(sorted(seen))}
        self.agents |= {process for process, words in left.items() if any(agent in words for agent in AGENTS)}
        if others := sorted(words[:200] for process, words in left.items() if process not in self.agents):
            self.broken.append(f"{len(others)} processes outlived their command: {others}")
        print(f"command {self.commands} ended with {code}; killed so far: {dict(self.kills)}", flush=True)
        return code

    def _kill(self, process: int, sign: signal.Signals, what: str) -> None:
        try:
            os.kill(process, sign)
        except ProcessLookupError:
            return
        self.kills[what] += 1

    def check(self) -> None:
        """After the end of the plan."""
        if left := left_behind(self.results):
            self.broken.append(f"left behind: {sorted({path.name for path in left})}")
        if left := gone(jobs_of(self.results)):
            self.broken.append(f"{len(left)} processes outlived the plan")
        if left := gone(sorted(self.agents), AGENTS_S):
            self.broken.append(f"{len(left)} agents of Ray outlived the plan")
        self.agents.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("more", nargs="*", help="further options of 'stbench run', behind --")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background processes ignore it
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = make_tiny(folder)
        subprocess.run(plan(data, folder / "alone", "--jobs", "1"), cwd=ROOT, env=environment(), check=True)
        campaign = Campaign(
            plan(data, folder / "killed", *(asked.more or ["--jobs", "2"])), folder / "killed", asked.seed
        )
        campaign.run(asked.kills)
        campaign.check()
        if tables(folder / "killed") != tables(folder / "alone"):
            campaign.broken.append("the tables are others")
        print(dict(campaign.kills), f"{campaign.commands} commands", campaign.broken or "nothing broken")
        sys.exit(bool(campaign.broken))


if __name__ == "__main__":
    main()
