"""Synthetic result records for tests of the store, the tables and the tracking."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import structs

from bench.analysis.results import Results
from bench.records.arrays import CellErrors, WindowErrors, values_of
from bench.records.environment import Environment
from bench.records.forecast_audit import ForecastAudit
from bench.records.record import (
    SCHEMA,
    Audit,
    Cost,
    Counts,
    DoneRun,
    Epoch,
    FailedRun,
    Failure,
    Record,
    Score,
    SplitRanges,
)
from bench.records.spec import Label, Spec
from bench.runs.suite import Suite, load_suites
from bench.settings import TASKS, TaskSettings, TrainSettings
from bench.types import DataIdentity

CODE = "0123456789ab"
WINDOWS, VALUES = 240, 2400  # test windows, and values in each
QUALITY = {"good": 1.0, "even": 1.2, "level": 1.2, "poor": 1.5}
LOSS_IS_NAN = Failure(type="TrainingError", message="the loss is NaN", where="train.py:1")
NAIVE = ("last_value", "window_mean", "historical_average")


def results_of(
    records: Iterable[Record],
    code: Mapping[tuple[str, str], str] | None = None,
    suites: Iterable[Suite] | None = None,
    **parts: Any,
) -> Results:
    """These records as tables see them; ``code`` is today's of (data set, model), none of another pair being stale."""
    return Results(records, suites=load_suites() if suites is None else list(suites), code=code or {}, **parts)


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
    weights_sha256: str | None = None,
    synthetic: bool = False,
    sha256: str = "d" * 64,
    overrides: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
    failed: bool = False,
    tuned: bool = False,
    epochs: int = 2,
    device: str = "cpu",
    external: bool = False,
    **switches: Any,
) -> Any:
    """A record as the runner leaves it; MAE decides the other scores, ``switches`` are further settings of the task.

    One that is ``external`` is of forecasts made elsewhere.
    """
    overrides = dict(overrides or {})
    spec = Spec(
        data=_data(dataset, sha256, synthetic=synthetic),
        task=_task(task, protocol=protocol, **switches),
        model=model,
        config={"width": 32, **overrides},
        train=TrainSettings(epochs=epochs, precision="fp32"),
        seed=seed,
        weights=weights,
        weights_sha256=weights_sha256,
        tuned=tuned,
        forecasts_sha256="f" * 64 if external else None,
    )
    label = Label(profile=profile, overrides=overrides, base=dict(overrides if base is None else base))
    common = _common(spec, label, code, device)
    outcome = _outcome(mae, 3 * mae if rmse is None else rmse, epochs)
    if external:
        outcome |= {"cost": None, "audit": None, "curve": [], "scores": {"test": outcome["scores"]["test"]}}
    return FailedRun(**common, error=LOSS_IS_NAN) if failed else DoneRun(**common, **outcome)


def trained_on(made: Any, *names: str) -> Any:
    """The record of a run like this one that was trained on other data sets before."""
    sources = tuple(replace(made.spec.data, name=name) for name in sorted(names))
    task = replace(made.spec.task, sources=",".join(names))
    spec = structs.replace(made.spec, sources=sources, task=task)
    return structs.replace(made, spec=spec, run_id=f"{spec.spec_id}.{made.code}")


def _common(spec: Spec, label: Label, code: str, device: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run_id": f"{spec.spec_id}.{code}",
        "code": code,
        "role": "naive" if spec.model in NAIVE else "model",
        "spec": spec,
        "label": label,
        "environment": Environment(device=device, libraries={"torch": "2"}),
    }


def _data(name: str, sha256: str, *, synthetic: bool) -> DataIdentity:
    version = "synthetic-1" if synthetic else "npz-1"
    return DataIdentity(name=name, version=version, sha256=sha256, synthetic=synthetic)


def _task(name: str, **switches: Any) -> TaskSettings:
    """A task of this name on all training windows, unless these settings say otherwise."""
    return replace(TASKS[name], **{"windows": "all", **switches})


def _outcome(mae: float, rmse: float, epochs: int) -> dict[str, Any]:
    values = {"mae": mae, "rmse": rmse, "mape": 10 * mae, "wape": 20 * mae, "r2": 1 - mae / 100}
    scores = {name: _score(name, value) for name, value in values.items()}
    known_mae, known_rmse = (value if math.isfinite(value) else 1.0 for value in (mae, rmse))
    return {
        "scores": {"test": scores, "val": scores},
        "counts": Counts(train=2000, per_epoch=2000, val=430, test=WINDOWS, test_values=WINDOWS * VALUES),
        "cost": _cost(epochs),
        "audit": _audit(epochs),
        "windows": window_errors(known_mae, known_rmse),
        "curve": [
            Epoch(epoch=epoch, train_loss=1 / epoch, val_mae=known_mae + 1 / epoch, lr=0.002)
            for epoch in range(1, epochs + 1)
        ],
    }


def _cost(epochs: int) -> Cost:
    return Cost(
        parameters=100,
        trainable_parameters=90,
        flops=12345,
        train_s=1.5,
        wall_s=2.0,
        work=4000.0,
        ms_per_window=0.25,
        windows_per_s=4000.0,
        peak_mb=321.0,
        epochs=epochs,
    )


def _audit(epochs: int) -> Audit:
    ranges = SplitRanges(train=(0, 2100), val=(2100, 2550), test=(2550, 3000))
    return Audit(
        forecasts=ForecastAudit(
            windows=8,
            tolerance=1e-3,
            draws=0,
            fresh_in="process",
            fresh=0.00025,
            alone=0.000125,
            repeated=0.0,
            reordered=0.0005,
            after_others=0.0,
        ),
        scaler="standard",
        scaler_fitted_on=(0, 2100),
        split=ranges,
        origins=ranges,
        test_reads=1,
        best_epoch=epochs,
        checkpoint_sha256="c" * 64,
    )


def _score(name: str, value: float) -> Score:
    """None for what is not finite; no MAPE target is above the threshold at the first step."""
    if not math.isfinite(value):
        return Score(overall=None, per_step=[None] * 6, per_channel=[None, None])
    steps: list[float | None] = [value * (0.9 + step / 25) for step in range(6)]
    steps[0] = None if name == "mape" else steps[0]
    return Score(overall=value, per_step=steps, per_channel=[value * 0.9, value * 1.1])


def window_errors(mae: float, rmse: float) -> WindowErrors:
    """Every window is as hard for all models, by a rhythm of its own."""
    hard = 1 + np.sin(np.arange(WINDOWS)) / 3
    hard *= VALUES / hard.mean()
    return WindowErrors.of(
        per_day=24,
        origins=np.arange(500, 500 + WINDOWS),
        count=np.full(WINDOWS, float(VALUES)),
        absolute=mae * hard,
        square=rmse**2 * hard,
    )


def with_idle_cells(made: Any, *, idle: int = 1, share: float = 0.0) -> Any:
    """The same record with errors by cell: so many of four are idle, and have this share of each window's errors."""
    windows = made.windows
    count, absolute, square = (values_of(sums) for sums in (windows.count, windows.absolute, windows.square))
    parts = np.array([share / idle] * idle + [(1 - share) / (4 - idle)] * (4 - idle)) if idle else np.full(4, 0.25)
    sums = {
        "count": np.full((2, 2), count.sum() / 4),
        "absolute": (absolute.sum() * parts).reshape(2, 2),
        "square": np.full((2, 2), square.sum() / 4),
        "idle": (np.arange(4.0) < idle).astype(float).reshape(2, 2),
        "idle_absolute": share * absolute,
    }
    return structs.replace(made, windows=structs.replace(windows, cells=CellErrors.of(sums)))


def suite(profile: str = "paper", seeds: int = 3, models: int = 3) -> list[Any]:
    """Every kind of cell: naive baselines, models, seeds, a synthetic data set, random weights, a failure and a gap."""
    made = []
    for row, dataset in enumerate(("bikenyc", "taxibj", "taxinyc")):
        base = {"dataset": dataset, "profile": profile, "synthetic": dataset == "taxibj"}
        made += [record(model="last_value", mae=4.0 + row, **base), record(model="window_mean", mae=5.0 + row, **base)]
        for seed in range(seeds):
            for number in range(models):
                mae = 1.5 + row + number + seed / 70
                made.append(record(model=f"model_{number:02d}", seed=seed, mae=mae, **base))
    made.append(record(model="stvfm", weights="random", mae=9.0, profile=profile))
    made.append(record(model="convlstm", dataset="taxinyc", failed=True, profile=profile))
    return made


def in_cities(number: int = 10, quality: Mapping[str, float] = QUALITY, naive: float = 2.0, **common: Any) -> list[Any]:
    """Models of these errors; ``even`` and ``level`` err alike, and every city has its own scale."""
    made = []
    for city in range(number):
        scale = 1.3**city
        made.append(record(f"city{city}", "historical_average", mae=naive * scale, **common))
        made += [record(f"city{city}", name, mae=factor * scale, **common) for name, factor in quality.items()]
    return made


def edited(values: dict[str, Any], path: str, value: Any = None, *, remove: bool = False) -> bytes:
    """The text of a record with another value at a dotted path, or without it."""
    *parents, last = path.split(".")
    inner = values
    for key in parents:
        inner = inner[key]
    if remove:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(values).encode()
