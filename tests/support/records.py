"""Synthetic result records for tests of the store, the tables and the tracking."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bench.analysis.results import Runs
from bench.records.frame import frame_from_records, mark_stale
from bench.records.window_errors import WindowErrors, pack

CODE = "0123456789ab"
WINDOWS, VALUES = 240, 2400  # test windows, and values in each
QUALITY = {"good": 1.0, "even": 1.2, "level": 1.2, "poor": 1.5}
FLOORS = ("last_value", "window_mean", "historical_average")


def runs_of(records: Iterable[Mapping[str, Any]], stale: Mapping[tuple[str, str], str] | None = None) -> Runs:
    """The runs of these records; ``stale`` is today's code of (data set, model), none of another code being stale."""
    return Runs(mark_stale(frame_from_records(records), stale or {}))


def record(
    dataset: str = "bikenyc",
    model: str = "stid",
    *,
    seed: int = 0,
    mae: float = 1.25,
    rmse: float | None = None,
    task: str = "short",
    protocol: str = "strict",
    profile: str = "paper",
    code: str = CODE,
    weights: str = "none",
    stand_in: bool = False,
    sha256: str = "d" * 64,
    overrides: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
    failed: bool = False,
    epochs: int = 2,
    **switches: Any,
) -> dict[str, Any]:
    """A record as the runner leaves it; MAE decides the other scores, ``switches`` are further settings of the task."""
    data = {"name": dataset, "version": "stand-in-1" if stand_in else "npz-1", "sha256": sha256, "stand_in": stand_in}
    overrides = dict(overrides or {})
    spec = {
        "data": data,
        "task": {
            "name": task,
            "protocol": protocol,
            "history": 64 if task == "long" else 6,
            "horizon": 64 if task == "long" else 6,
            "fraction": {"few1": 0.01, "few5": 0.05}.get(task, 1.0),
            "leaky_scaler": False,
            "clamp": False,
            **switches,
        },
        "model": model,
        "config": {"width": 32, **overrides},
        "train": {"epochs": epochs, "lr": 0.002},
        "seed": seed,
        "weights": weights,
    }
    spec_id = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    made = {
        "schema": 2,
        "run_id": f"{spec_id}.{code}",
        "code": code,
        "status": "failed" if failed else "done",
        "role": "floor" if model in FLOORS else "model",
        "spec": spec,
        "label": {"profile": profile, "overrides": overrides, "base": overrides if base is None else dict(base)},
        "data": {key: data[key] for key in ("version", "sha256", "stand_in")},
        "weights": weights,
        "environment": {"device": "cpu", "libraries": {"torch": "2"}, "commit": None},
    }
    if failed:
        return {**made, **_failure()}
    rmse = 3 * mae if rmse is None else rmse
    return {
        **made,
        **_outcome(mae, rmse, epochs),
        "windows": _windows(mae if np.isfinite(mae) else 1.0, rmse if np.isfinite(rmse) else 1.0),
    }


def _failure() -> dict[str, Any]:
    empty = dict.fromkeys(("scores", "counts", "cost", "certificate", "windows"))
    return {
        **empty,
        "curve": [],
        "error": {"type": "TrainingError", "message": "the loss is NaN", "where": "train.py:1"},
    }


def _outcome(mae: float, rmse: float, epochs: int) -> dict[str, Any]:
    values = {"mae": mae, "rmse": rmse, "mape": 10 * mae, "wape": 20 * mae, "r2": 1 - mae / 100}
    scores = {
        name: {
            "overall": value,
            "per_step": [value * (0.9 + step / 25) for step in range(6)],
            "per_channel": [value * 0.9, value * 1.1],
        }
        for name, value in values.items()
    }
    scores["mape"]["per_step"][0] = None  # no target above the threshold at this step
    return {
        "scores": {"test": scores, "val": scores},
        "counts": {"train": 2000, "val": 430, "test": WINDOWS, "test_values": WINDOWS * VALUES},
        "cost": {
            "parameters": 100,
            "trainable_parameters": 90,
            "flops": 12345,
            "train_s": 1.5,
            "wall_s": 2.0,
            "work": 4000,
            "ms_per_window": 0.25,
            "peak_mb": None,
            "epochs": epochs,
        },
        "certificate": {"test_reads": 1},
        "curve": [
            {"epoch": epoch, "train_loss": 1 / epoch, "val_mae": mae + 1 / epoch, "lr": 0.002}
            for epoch in range(1, epochs + 1)
        ],
        "error": None,
    }


def _windows(mae: float, rmse: float) -> dict[str, Any]:
    """Every window is as hard for all models, by a rhythm of its own."""
    hard = 1 + np.sin(np.arange(WINDOWS)) / 3
    hard *= VALUES / hard.mean()
    count = np.full(WINDOWS, float(VALUES))
    return pack(
        WindowErrors(
            per_day=24,
            origins=np.arange(500, 500 + WINDOWS),
            count=count,
            absolute=mae * hard,
            square=rmse**2 * hard,
        )
    )


def suite(profile: str = "paper", seeds: int = 3, models: int = 3) -> list[dict[str, Any]]:
    """Every kind of cell: floors, several models and seeds, a stand-in, random weights, a failure and a gap."""
    made = []
    for row, dataset in enumerate(("bikenyc", "taxibj", "taxinyc")):
        base = {"dataset": dataset, "profile": profile, "stand_in": dataset == "taxibj"}
        made += [record(model="last_value", mae=4.0 + row, **base), record(model="window_mean", mae=5.0 + row, **base)]
        for seed in range(seeds):
            for number in range(models):
                mae = 1.5 + row + number + seed / 70
                made.append(record(model=f"model_{number:02d}", seed=seed, mae=mae, **base))
    made.append(record(model="stvfm", weights="random", mae=9.0, profile=profile))
    made.append(record(model="convlstm", dataset="taxinyc", failed=True, profile=profile))
    return made


def in_cities(
    number: int = 10, quality: Mapping[str, float] = QUALITY, floor: float = 2.0, **kind: Any
) -> list[dict[str, Any]]:
    """Models of these errors; ``even`` and ``level`` err alike, and every city has its own scale."""
    found = []
    for city in range(number):
        scale = 1.3**city
        found.append(record(f"city{city}", "historical_average", mae=floor * scale, **kind))
        found += [record(f"city{city}", name, mae=factor * scale, **kind) for name, factor in quality.items()]
    return found
