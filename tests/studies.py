"""Synthetic studies for tests of their files, figures and tracking."""

from __future__ import annotations

from typing import Any

from bench.analysis.study import Scale, State, Study, TrialFacts

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
    found = [trial(number, 5.0 - number / 100) for number in range(count)]
    found[count - 4] = trial(count - 4, 4.0)
    found.append(trial(count, None, state="pruned", epochs=((1, 6.0), (2, 5.5))))
    found.append(trial(count + 1, None, state="failed", reason="RuntimeError: no memory"))
    found.append(trial(count + 2, None, state="killed", params={}, epochs=()))
    known = {
        "study": "bikenyc/stid/short/strict/paper/0123456789ab",
        "dataset": "bikenyc",
        "model": "stid",
        "task": "short",
        "protocol": "strict",
        "profile": "paper",
        "weights": "none",
        "stand_in": False,
        "space": SPACE,
        "trials": tuple(found),
    }
    return Study(**{**known, **facts})
