"""Records as they stand among reference results: a leaderboard, the controls, and errors by the share of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from records import record
from variants import variant

DATASETS = ("bikenyc", "bikenyc2", "taxinyc")
MODELS = ("last_value", "historical_average", "stid", "convlstm")  # each better than the one before
CONTROLS: Mapping[str, tuple[float, ...]] = {  # MAE by data set; with pre-trained weights it is 1
    "random": (1.004, 1.05, 0.99),
    "identity": (1.003, 1.04, 0.97),
    "attention": (1.1, 1.02, 0.9),
}
SEEDS = range(3)


def reference_runs(
    controls: Mapping[str, tuple[float | None, ...]] = CONTROLS, *, spread: float = 0.001, profile: str = "reference"
) -> list[Any]:
    """All of them; errors of the controls rise by ``spread`` with the seed, and None is no run."""
    shared = {"profile": profile}
    return [*_leaders(shared), *_controls(controls, spread, shared), *_shares(shared)]


def _leaders(shared: Mapping[str, Any]) -> Iterator[Any]:
    for scale, dataset in enumerate(DATASETS, start=2):
        for rank, model in enumerate(MODELS):
            yield from (record(dataset, model, seed=s, mae=scale - rank / 10 + s / 1000, **shared) for s in SEEDS)


def _controls(
    controls: Mapping[str, tuple[float | None, ...]], spread: float, shared: Mapping[str, Any]
) -> Iterator[Any]:
    for number, dataset in enumerate(DATASETS):
        for seed in SEEDS:
            common = {"seed": seed, "dataset": dataset, **shared}
            yield variant(1 + seed * spread, weights="pretrained", **common)
            for name, maes in controls.items():
                if maes[number] is None:
                    continue
                mae = maes[number] + seed * spread
                if name == "random":
                    yield variant(mae, weights="random", **common)
                else:
                    yield variant(mae, name, **common)


def _shares(shared: Mapping[str, Any]) -> Iterator[Any]:
    for dataset in ("bikenyc", "taxinyc"):
        for task, mae in (("few1", 4.0), ("few10", 3.0)):
            common = {"dataset": dataset, "task": task, "windows": "last", **shared}
            for seed in SEEDS:
                yield record(model="stid", seed=seed, mae=mae, **common)
                yield variant(mae + seed / 100, weights="pretrained", seed=seed, **common)
                yield variant(mae + seed / 80, weights="random", seed=seed, **common)
                yield variant(mae + seed / 50, "identity", seed=seed, **common)
