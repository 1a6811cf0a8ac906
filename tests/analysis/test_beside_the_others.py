"""Suites of models, whose rows are all compared with the one that the suite names."""

from __future__ import annotations

from typing import Any

import pytest
from records import record, results_of
from variants import variant

from bench.runs.suite import load_suite

SHORT = load_suite("short_term")


def leaders(**facts: Any) -> list[Any]:
    maes = {"last_value": 3.0, "stid": 1.2, "unet": 1.004, "stresnet": 0.9}
    made = [
        record(model=name, mae=mae * (1 + seed / 1000), seed=seed, **facts)
        for name, mae in maes.items()
        for seed in range(3)
    ]
    return made + [variant(1 + seed / 1000, seed=seed, weights="pretrained", **facts) for seed in range(3)]


def test_in_a_suite_of_models_all_rows_are_compared_with_the_one_that_it_names() -> None:
    (compared,) = results_of(leaders(), suites=[SHORT]).differences(SHORT).values()
    verdicts = {method.name: cell.verdict for (_, method), cell in compared.cells.items()}
    assert verdicts == {"last_value": "better", "stid": "better", "unet": "equivalent", "stresnet": "worse"}
    assert {cell.tested for cell in compared.cells.values()} == {4}
    assert SHORT.plain
    assert not SHORT.compares_variants


@pytest.mark.parametrize("profile", ["quick", "laptop"])
def test_a_suite_of_models_compares_nothing_in_a_profile_that_claims_nothing(profile: str) -> None:
    assert results_of(leaders(profile=profile), suites=[SHORT]).differences(SHORT) == {}


def test_without_the_model_that_it_names_a_suite_of_models_compares_nothing() -> None:
    without = [run for run in leaders() if run.model != "stvfm"]
    assert results_of(without, suites=[SHORT]).differences(SHORT) == {}
    assert len(results_of(without, suites=[SHORT]).table("short_term").by_heading()) == 1
