"""Columns of numbers that are compared with each other, and methods as a CSV has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import best_two, decimals, method_headers
from bench.analysis.table import MINUS, Cell


def column(
    summaries: Mapping[MethodKey, Summary],
    values: Mapping[MethodKey, float],
    *,
    unranked: bool,
    loss: Callable[[float], float] = float,
    least: int = 2,
    behind: Callable[[Summary, int], str] | None = None,
) -> dict[MethodKey, Cell]:
    """The cells of one data set: at the precision of the best value, which is marked, as is the second.

    Args:
        summaries: By method.
        values: What is shown of each; nothing but its marks where it is not finite.
        unranked: Whether neither is marked.
        loss: What is the lower the better a value is.
        least: Decimals at the least.
        behind: What stands behind a value, given its decimals.
    """
    finite = {method: value for method, value in values.items() if math.isfinite(value)}
    best: float = min(finite.values(), key=loss, default=1.0)
    digits = max(least, decimals(abs(best)))
    texts = {method: f"{value:.{digits}f}" for method, value in finite.items()}
    ranks = best_two({method: loss(float(text)) for method, text in texts.items() if summaries[method].ranked})
    return {
        method: Cell(
            value=texts.get(method, "").replace("-", MINUS)
            + (behind(summary, digits) if behind and method in texts else ""),
            rank="" if unranked else ranks.get(method, ""),
            flags=summary.flags,
        )
        for method, summary in summaries.items()
    }


def seeds_text(summary: Summary, digits: int, *, metric: str, seeds: int) -> str:
    """Deviation and number of seeds behind a mean; nothing for a naive baseline, which is not trained."""
    if summary.naive:
        return ""
    deviation = summary.std(metric)
    return (f" ± {deviation:.{digits}f}" if math.isfinite(deviation) else "") + (
        f" (n={summary.seeds})" if summary.seeds < seeds else ""
    )


def long_rows(group: Group, **more: str) -> Iterator[tuple[dict[str, Any], Summary]]:
    """What a CSV says first of each cell, ``more`` behind the group's own facts, and the cell."""
    headers = method_headers(group.methods)
    for (data, method), summary in group.cells.items():
        facts = {"dataset": data.dataset, "synthetic": data.synthetic, "method": headers[method].plain}
        yield {**asdict(group.key), **more, **facts, "naive": summary.naive, "external": method.external}, summary


def data_facts(data: DataKey) -> dict[str, Any]:
    """What tells a data set from others."""
    return {name: value for name, value in asdict(data).items() if name != "title"}


def method_facts(method: MethodKey) -> dict[str, str]:
    """What tells a method from others."""
    return {
        "method": method.name,
        "model": method.model,
        "changes": method.changes,
        "weights": method.weights,
        "settings": method.settings,
        "weights_sha256": method.weights_sha256,
    }
