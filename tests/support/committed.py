"""The reference results that are committed, and the document about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.records.record import DoneRun

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results" / "reference"
MEASURES = [(part, metric) for part in ("test", "val") for metric in ("mae", "rmse")]


def said() -> str:
    """The document in one line."""
    return " ".join((ROOT / "docs" / "reference-results.md").read_text(encoding="utf-8").split())


def scored_after(run: DoneRun) -> int:
    """The epoch with the lowest validation error, whose weights are scored."""
    return min(run.curve, key=lambda epoch: epoch.val_mae).epoch


def errors_of(runs: Sequence[DoneRun], part: str, metric: str = "mae") -> list[float]:
    """Of each run, over all steps and channels."""
    found = [run.scores[part][metric].overall for run in runs]
    return [error for error in found if error is not None]


def all_below(runs: Sequence[DoneRun], others: Sequence[DoneRun], part: str, metric: str) -> bool:
    """Whether each of the runs has a lower error than each of the others."""
    return max(errors_of(runs, part, metric)) < min(errors_of(others, part, metric))


def enumerated(words: Sequence[str]) -> str:
    """As in a sentence: the last behind "and"."""
    *some, last = words
    return f"{', '.join(some)} and {last}" if some else last
