"""The reference results that are committed, and the document about them."""

from __future__ import annotations

from pathlib import Path

from bench.records.record import DoneRun

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results" / "reference"


def said() -> str:
    """The document in one line."""
    return " ".join((ROOT / "docs" / "reference-results.md").read_text(encoding="utf-8").split())


def scored_after(run: DoneRun) -> int:
    """The epoch with the lowest validation error, whose weights are scored."""
    return min(run.curve, key=lambda epoch: epoch.val_mae).epoch
