"""What the document says of the whole backbone on pictures, and of Fracast-0, is in the records."""

from __future__ import annotations

from committed import MEASURES, all_below, errors_of, said, scored_after

from bench.runs.suite import load_suites

KNOWN, DRAWN, MATCHED = (f"{weights}, frozen" for weights in ("pre-trained", "random", "matched random"))
NONE, BLOCK = "no backbone", "one trained block"
CITIES = ("bikenyc", "bikenyc2", "taxinyc", "taxinyc2")


def test_what_the_document_says_of_pictures_is_in_the_records(committed):
    (suite,) = load_suites(["controls_pictures"])
    (group,) = committed.groups(suite).values()
    (compared,) = committed.differences(suite).values()
    assert {data.dataset for data in group.datasets} == {"bikenyc2"}
    cells = {method.name: cell for (_, method), cell in group.cells.items()}
    runs = {name: cell.runs for name, cell in cells.items() if not cell.naive}
    found = {method.name: cell for (_, method), cell in compared.cells.items()}
    assert {name: len(some) for name, some in runs.items()} == dict.fromkeys((KNOWN, DRAWN, MATCHED, NONE, BLOCK), 3)
    assert {name: cell.verdict for name, cell in found.items()} == {
        DRAWN: "worse",
        NONE: "worse",
        MATCHED: "open",
        BLOCK: "open",
    }
    text, less = said(), {name: f"{-cell.percent:.1f} %" for name, cell in found.items()}
    ranges = {name: f"[{-cell.interval[1]:.1f}, {-cell.interval[0]:.1f}]" for name, cell in found.items()}
    average = cells["historical_average"].mean("mae")
    assert f"with pre-trained weights {cells[KNOWN].mean('mae'):.2f}, where the historical average has" in text
    assert f"average has {average:.2f}, since a picture" in text
    assert all(cell.mean("mae") > average for cell in cells.values() if not cell.naive)
    assert (
        f"**Random weights** have {less[DRAWN]} {ranges[DRAWN]} less MAE than pre-trained ones, and "
        f"**no backbone** has {less[NONE]} {ranges[NONE]} less"
    ) in text
    assert [all_below(runs[DRAWN], runs[KNOWN], *at) for at in MEASURES] == [True] * 4
    assert all_below(runs[KNOWN], runs[NONE], "test", "rmse")
    squared = {name: sum(errors_of(some, "test", "rmse")) for name, some in runs.items()}
    more = {name: f"{100 * (total / squared[KNOWN] - 1):.1f} %" for name, total in squared.items()}
    assert f"each run has more than each with pre-trained weights, {more[NONE]} on test" in text
    assert f"weights {more[MATCHED]} more, where their MAE is {less[MATCHED]} less, which is open" in text
    assert f"**One trained block** has {less[BLOCK]} less MAE, which is open" in text
    trained = {name: {run.cost.trainable_parameters for run in some} for name, some in runs.items()}
    (most,), (least,) = trained.pop(BLOCK), set.union(*trained.values())
    assert f"trains {most / 1e6:.2f} million parameters where the others train {least / 1e6:.2f} million" in text
    every = [run for some in runs.values() for run in some]
    assert [scored_after(run) for run in every] == [8] * 15
    assert {(run.spec.train.precision, run.spec.config["depth"], run.spec.config["tokens"]) for run in every} == {
        ("bf16", 0, "image")
    }


def test_what_the_document_says_of_fracast_is_in_the_records(committed):
    (suite,) = load_suites(["short_term"])
    (group,) = (group for group in committed.groups(suite).values() if any(m.name == "fracast" for m in group.methods))
    errors = {(data.dataset, method.name): cell.mean("mae") for (data, method), cell in group.cells.items()}
    for city in CITIES:
        assert errors[city, "seasonal_naive_day"] < errors[city, "fracast"] < errors[city, "last_value"]
    *some, last = (f"{errors[city, 'fracast']:.2f}" for city in CITIES)
    assert f"{', '.join(some)} and {last} on BikeNYC, BikeNYC2, TaxiNYC and TaxiNYC2" in said()
    (length,) = {
        run.spec.config["length"]
        for (_, method), cell in group.cells.items()
        if method.name == "fracast"
        for run in cell.runs
    }
    assert f"It computes {length} positions here, and not 2048 as its authors do." in said()
