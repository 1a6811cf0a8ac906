"""Records of the suite of controls: ST-VFM and what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from records import record

LOSS = {"identity": 1.2, "attention": 0.9, "shuffled": 1.1}


def variant(mae: float, control: str = "none", **facts: Any) -> Any:
    overrides: Mapping[str, Any] = {} if control == "none" else {"model.control": control}
    base = facts.pop("overrides", {})
    shared = facts.pop("base", base)
    return record(model="stvfm", mae=mae, overrides={**overrides, **base}, base=shared, **facts)


def controls(weights: str = "random", **shared: Any) -> list[Any]:
    made = [record(model="last_value", mae=3.0, **shared)]
    for seed in range(3):
        made.append(variant(1 + seed / 100, seed=seed, weights=weights, **shared))
        for control, factor in LOSS.items():
            own = weights if control == "shuffled" else "none"
            made.append(variant(factor * (1 + seed / 100), control, seed=seed, weights=own, **shared))
    return made
