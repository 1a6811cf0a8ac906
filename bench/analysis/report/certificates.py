"""What the leak certificates of all finished runs prove, in one sentence each and run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.formats.html import Sheet, code, sheet
from bench.analysis.grouping import Row

SHORT = 12  # characters of a digest
COLUMNS = (
    "task",
    "seed",
    "largest change",
    "windows probed",
    "scaler",
    "fitted on",
    "train",
    "validation",
    "test",
    "test opened",
    "checkpoint",
)


def certificate_sheet(rows: Sequence[Row]) -> Sheet:
    """One row per finished run; ranges are steps from the start of the data, their ends left out."""
    return sheet(
        "facts-certificates",
        "Leak certificates",
        "data set / model",
        COLUMNS,
        [_row(row, dict(row["certificate"])) for row in rows if row["status"] == "done"],
    )


def proofs(rows: Sequence[Row]) -> list[str]:
    """What holds for the finished runs taken together, exceptions counted."""
    done = [dict(row["certificate"]) for row in rows if row["status"] == "done"]
    if not done:
        return ["No run is finished, so there is no certificate."]
    changes = [change for each in done if (change := _change(each)) is not None]
    clean = sum(change == 0 for change in changes)
    reads = sum(each.get("test_reads") == 1 for each in done)
    fitted = sum(_fitted_on_training(each) for each in done)
    largest = f" The largest change of a scaled forecast was {max(changes):g}." if changes else ""
    return [
        "When everything after a window's origin was replaced, no forecast changed at all in "
        f"{_of(clean, done)} finished runs.{largest}",
        f"The scaler was fitted on the training part alone in {_of(fitted, done)}.",
        f"The test targets were opened exactly once in {_of(reads, done)}.",
    ]


def _of(count: int, rows: Sequence[object]) -> str:
    return f"all {len(rows)}" if count == len(rows) else f"{count} of {len(rows)}"


def _row(row: Row, certificate: Mapping[str, Any]) -> tuple[Any, ...]:
    change, split = _change(certificate), _part(certificate, "split")
    name = ", ".join([row["model"], *row["changes"]])
    return (
        f"{row['dataset']} / {name}" + (" (tuned)" if row["tuned"] else ""),
        f"{row['task']}, {row['protocol']}, {row['profile']}",
        str(row["seed"]),
        "" if change is None else f"{change:g}",
        str(_part(certificate, "future_perturbation").get("windows", "")),
        str(certificate.get("scaler", "")),
        _range(certificate.get("scaler_fitted_on")),
        *(_range(split.get(part)) for part in ("train", "val", "test")),
        str(certificate.get("test_reads", "")),
        code(str(certificate.get("checkpoint_sha256", ""))[:SHORT]),
    )


def _change(certificate: Mapping[str, Any]) -> float | None:
    value = _part(certificate, "future_perturbation").get("largest_change")
    return float(value) if isinstance(value, int | float) else None


def _fitted_on_training(certificate: Mapping[str, Any]) -> bool:
    train = _part(certificate, "split").get("train")
    return train is not None and certificate.get("scaler_fitted_on") == train


def _part(certificate: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = certificate.get(name)
    return part if isinstance(part, Mapping) else {}


def _range(value: object) -> str:
    return " to ".join(map(str, value)) if isinstance(value, list) else ""
