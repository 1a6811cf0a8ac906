"""The interval of a comparison from committed records, as docs/comparisons.md says, by nothing of the project's."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

FOLDER = Path(__file__).resolve().parents[2] / "results" / "reference"
SUITES = (
    "backbones",
    "controls",
    "controls_bare",
    "controls_pictures",
    "data_efficiency",
    "few_shot",
    "planted",
    "short_term",
)
WITHOUT_BACKBONE = "no backbone"
RANDOM = {
    "controls_bare": "random, frozen",
    "controls_pictures": "random, frozen",
    "planted": "untrained, frozen",
}  # with whose settings the reference was run
FAMILY = ("task", "protocol", "recipe", "dataset")  # of the rows that are corrected together
PER_DAY = {
    "bikenyc": 48,
    "bikenyc2": 24,
    "taxinyc": 48,
    "taxinyc2": 48,
    "control_shapes": 1,
    "control_noise": 1,
}  # windows: one begins in each half hour or hour, or on each day


@pytest.fixture(scope="module")
def errors():
    """Absolute errors of the windows [S, N], by data, task, protocol, recipe, model, changes and weights, by seed."""
    runs = {}
    for path in (FOLDER / "runs").glob("*/*/*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        spec, changes = values["spec"], values["label"]["overrides"]
        texts = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in sorted(changes.items())
            if name != "model.weights"
        ]
        recipe = ", ".join(text for text in texts if text.startswith("train."))
        changed = ", ".join(text for text in texts if text.startswith("model."))
        group = (spec["data"]["name"], spec["task"]["name"], spec["task"]["protocol"])
        key = (*group, recipe, spec["model"], changed, spec["weights"])
        first, second, *_ = (slot for begin, end in values["windows"]["origins"] for slot in range(begin, end))
        assert values["windows"]["per_day"] == PER_DAY[spec["data"]["name"]] * (second - first)
        windows = np.frombuffer(base64.b64decode(values["windows"]["absolute"]), "<f4").astype(float)
        runs.setdefault(key, {})[spec["seed"]] = windows
    return {key: np.stack([seeds[seed] for seed in sorted(seeds)]) for key, seeds in runs.items()}


def slow_waves(size, per_day):
    """Steps 3 to 6: the cosines, and by how much each is raised."""
    n = np.arange(size)
    kept = (0.5 ** (24 / (48 * per_day))) ** np.abs(n[:, None] - n[None, :])
    level = np.full(size, 1 / math.sqrt(size))
    v = [math.sqrt(2 / size) * np.cos(math.pi * k * (n + 0.5) / size) for k in range(1, 25)]
    r = [(level @ kept @ level) / (wave @ kept @ wave) for wave in v]
    width = {q: stats.t.ppf(0.975, q) * math.sqrt(sum(r[:q]) / q) for q in range(1, 25)}
    number = min(width, key=width.get)
    return v[:number], r[:number]


def found(true, error, freedom, tested):
    """How often the strictest of so many tests finds a true difference, in points."""
    return stats.nct.sf(stats.t.ppf(1 - 0.05 / (2 * tested), freedom), freedom, true / error)


def comparison(a, b, per_day, margin, tested):
    """All steps but Holm's correction, by the names of the columns."""
    mean_a, mean_b, size = a.mean(), b.mean(), a.shape[1]
    x = 100 * math.log(mean_b / mean_a)
    d = 100 * (b.mean(axis=0) / mean_b - a.mean(axis=0) / mean_a)
    v, r = slow_waves(size, per_day)
    windows = sum(raised * (wave @ d) ** 2 for raised, wave in zip(r, v, strict=True)) / (len(v) * size)
    spreads = [np.var(100 * runs.mean(axis=1) / runs.mean(), ddof=1) if len(runs) > 1 else 0.0 for runs in (a, b)]
    terms = [windows, spreads[0] / len(a), spreads[1] / len(b)]
    error = math.sqrt(sum(terms))
    own = (len(v), len(a) - 1, len(b) - 1)
    freedom = error**4 / sum(term**2 / each for term, each in zip(terms, own, strict=True) if each)
    half = stats.t.ppf(0.975, freedom) * error
    least = optimize.brentq(lambda true: found(true, error, freedom, tested) - 0.8, 0, 50 * error)
    return {
        "percent": 100 * (mean_b / mean_a - 1),
        "windows_error": math.sqrt(windows),
        "reference_spread": math.sqrt(spreads[0]),
        "spread": math.sqrt(spreads[1]),
        "freedom": freedom,
        "low": 100 * (math.exp((x - half) / 100) - 1),
        "high": 100 * (math.exp((x + half) / 100) - 1),
        "detectable": 100 * (math.exp(least / 100) - 1),
        "p": 2 * stats.t.sf(abs(x) / error, freedom),
        "p_equivalent": stats.t.sf((100 * math.log(1 + margin / 100) - abs(x)) / error, freedom),
    }


def compared_in(suite):
    """The rows of a suite that are compared: those of a single seed are told without an interval."""
    rows = pd.read_csv(FOLDER / "tables" / f"{suite}_differences.csv", keep_default_na=False)
    rows = rows[rows["lacking"] == ""]
    texts = [
        "task",
        "protocol",
        "recipe",
        "dataset",
        "reference",
        "reference_weights",
        "model",
        "changes",
        "weights",
        "method",
        "seeds",
    ]
    return rows.assign(**{name: pd.to_numeric(rows[name], errors="coerce") for name in rows.columns.difference(texts)})


@pytest.mark.parametrize("suite", SUITES)
def test_every_committed_comparison_follows_from_the_records_by_the_documents_steps(errors, suite):
    rows = compared_in(suite)
    shared = next((row["changes"] for row in rows.to_dict("records") if row["method"] == RANDOM.get(suite)), "")
    assert len(rows)
    for row in rows.to_dict("records"):
        bare = "model.control=identity" if row["reference"] == WITHOUT_BACKBONE else shared
        group = (row["dataset"], row["task"], row["protocol"], row["recipe"])
        reference = errors[*group, "stvfm", bare, row["reference_weights"]]
        names = (row["model"], row["changes"], row["weights"])
        method = errors.get((*group, *names), errors.get((*group[:3], "", *names)))  # what is not trained has none
        assert (len(reference), len(method)) == (row["reference_seeds"], len(row["seeds"].split(";")))
        assert len(method) > 1 or row["model"] == "fracast"  # nothing is trained, so no seed makes a difference
        tested = sum(all(other[name] == row[name] for name in FAMILY) for other in rows.to_dict("records"))
        for name, value in comparison(reference, method, PER_DAY[row["dataset"]], row["margin"], tested).items():
            assert value == pytest.approx(row[name], rel=1e-6, abs=1e-6), (row["method"], name)


def test_holms_correction_is_over_the_rows_of_one_task():
    rows = compared_in("short_term")
    for _, group in rows.groupby(list(FAMILY)):
        for name in ("", "_equivalent"):
            ordered = group.sort_values(f"p{name}")
            raised = (ordered[f"p{name}"] * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
            assert raised.to_numpy() == pytest.approx(ordered[f"holm{name}"].to_numpy())


def test_the_number_of_cosines_is_the_documents():
    assert {days: len(slow_waves(24 * days, 24)[0]) for days in (9, 21, 30, 60)} == {9: 3, 21: 4, 30: 5, 60: 6}
