"""Synthetic studies, and the files that tuning leaves, for tests of what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.runs.tuned import Found, Tuned, TunedFolder, digest
from bench.tuning.search import Tuner, Workplace
from bench.tuning.studies import Job, SharedStudy, Target
from bench.tuning.study import Scale, State, Study, TrialFacts
from bench.tuning.trials import write_trials

BUDGET = ("train.epochs=2", "train.steps_per_epoch=2", "train.batch_size=8")
MODEL, TRAIN = {"width": 64, "layers": 1, "dropout": 1e-05}, {"lr": 0.003}
SPACE = {
    "model.dropout": Scale(low=0.0, high=0.4),
    "model.width": Scale(choices=(16, 32, 64)),
    "train.lr": Scale(low=3e-4, high=1e-2, log=True),
}


def trial(number: int, value: float | None, *, state: State = "complete", **facts: Any) -> TrialFacts:
    """A trial whose parameters follow its number."""
    params = {"model.dropout": (number * 7 % 40) / 100, "model.width": (16, 32, 64)[number % 3]}
    params["train.lr"] = 3e-4 * (1 + number % 30)
    known = {"params": params, "epochs": ((1, 9.0), (2, 8.0)), "seconds": 1.5, "default": number == 0}
    return TrialFacts(number=number, state=state, value=value, **{**known, **facts})


def study(count: int = 12, **facts: Any) -> Study:
    """A study with trials of every state; the fourth from the end is the best."""
    trials = [trial(number, 5.0 - number / 100) for number in range(count)]
    trials[count - 4] = trial(count - 4, 4.0)
    trials.append(trial(count, None, state="pruned", epochs=((1, 6.0), (2, 5.5))))
    trials.append(trial(count + 1, None, state="failed", reason="RuntimeError: no memory"))
    trials.append(trial(count + 2, None, state="killed", params={}, epochs=()))
    known = {
        "study": "bikenyc/stid/short/strict/paper/0123456789ab",
        "dataset": "bikenyc",
        "model": "stid",
        "task": "short",
        "protocol": "strict",
        "profile": "paper",
        "weights": "none",
        "synthetic": False,
        "space": SPACE,
        "trials": tuple(trials),
    }
    return Study(**{**known, **facts})


def found(**facts: Any) -> Found:
    """What a file says of its study."""
    known = {
        "study": "tiny/stid/short/strict/quick/0123456789ab",
        "task": "short",
        "protocol": "strict",
        "profile": "quick",
        "fixed": ("train.epochs=2",),
        "weights": "none",
        "synthetic": False,
        "asked": "4 trials",
        "finished": 4,
        "pruned": 1,
        "failed": 0,
        "seconds": 12.5,
        "default_mae": 4.5,
        "best_mae": 4.25,
        "best_trial": 2,
        "values": digest(MODEL, TRAIN),
    }
    return Found(**known | facts)


def tuned(**facts: Any) -> Tuned:
    """A file of tuned settings of STID."""
    return Tuned(model=MODEL, train=TRAIN, found=found(**facts))


def leave(folder: Path, made: Study, width: int = 64) -> Study:
    """What ``tune`` leaves of a study."""
    write_trials(folder, made)
    settings = Tuned(
        model={"width": width}, train={"lr": 0.003}, found=found(study=made.study, task=made.task, values="x")
    )
    TunedFolder(folder).write(made.dataset, made.model, made.task, settings)
    return made


def tune(workplace: Workplace, job: Job, **target: Any) -> SharedStudy:
    """The study of a job, made in this process."""
    with Tuner(workplace, Target(**target), isolated=False) as tuner:
        return tuner.tune(job, wait=True)
