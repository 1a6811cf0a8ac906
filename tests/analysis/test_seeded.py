"""Which methods depend on the seed, so that one run of them is not all that there is to know."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from records import record, results_of

from bench.analysis.table import MINUS, Table
from bench.runs.suite import Suite

SIMPLE = Suite.model_validate(
    {
        "name": "simple",
        "title": "Simple",
        "tasks": ["short"],
        "protocol": "strict",
        "datasets": ["bikenyc"],
        "models": [],
        "references": ["last"],
        "variants": [
            {"name": "last", "model": "last_value"},
            {"name": "closed", "model": "ridge"},
            {"name": "trained", "model": "stid"},
        ],
    }
)
LAST = record(model="last_value", mae=2.0)


def differences(*runs: Any) -> Table:
    """From the last value."""
    tables = results_of([LAST, *runs], suites=[SIMPLE]).table("simple").tables
    return next(table for table in tables if table.key == "difference")


def found(*runs: Any) -> dict[str, str]:
    """What the table says of each method on the only data set."""
    table = differences(*runs)
    return {row.text: cells[0].text for row, cells in zip(table.rows, table.cells, strict=True)}


def closed(**facts: Any) -> Any:
    """A fit without epochs."""
    return record(model="ridge", epochs=0, **{"mae": 1.5, **facts})


def sampled(run: Any) -> Any:
    """The same run of a model that is random on purpose."""
    forecasts = replace(run.audit.forecasts, draws=8)
    return replace(run, audit=replace(run.audit, forecasts=forecasts))


def test_a_naive_baseline_or_a_fit_in_closed_form_needs_one_run_and_a_trained_model_does_not_get_by_with_it() -> None:
    texts = found(closed(), record(mae=1.0))
    assert texts == {"closed": f"{MINUS}25.0 [{MINUS}25.0, {MINUS}25.0]", "trained": f"{MINUS}50.0 (n=1)"}
    assert differences(closed()).cells[0][0].rank == "best"


@pytest.mark.parametrize(
    "run",
    [*(closed(weights=weights) for weights in ("random", "matched", "permuted")), sampled(closed())],
    ids=["random", "matched", "permuted", "drawn"],
)
def test_without_training_random_weights_and_drawn_forecasts_follow_from_the_seed_all_the_same(run: Any) -> None:
    (text,) = found(run).values()
    assert text.startswith(f"{MINUS}25.0 (n=1)")


def test_pre_trained_weights_without_training_need_one_run() -> None:
    assert list(found(closed(weights="pretrained")).values()) == [f"{MINUS}25.0 [{MINUS}25.0, {MINUS}25.0]"]


def test_a_fit_whose_runs_differ_depends_on_the_seed_and_one_whose_runs_differ_by_rounding_does_not() -> None:
    drawn, rounded = (found(closed(), closed(seed=1, mae=1.5 * factor)) for factor in (1.01, 1.000001))
    assert drawn["closed"].startswith(f"{MINUS}24.6 (n=")
    assert rounded == {"closed": f"{MINUS}25.0 [{MINUS}25.0, {MINUS}25.0]"}
