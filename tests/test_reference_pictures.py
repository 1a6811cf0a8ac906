"""What the document says of the whole backbone on pictures, and of Fracast-0, is in the records."""

from __future__ import annotations

from statistics import fmean

from committed import MEASURES, all_below, errors_of, said, scored_after

from bench.analysis.differences import differences
from bench.analysis.in_use import cells_of, in_use
from bench.analysis.table import MINUS
from bench.analysis.tables._differences import signed
from bench.runs.suite import load_suites

KNOWN, DRAWN, MATCHED = (f"{weights}, frozen" for weights in ("pre-trained", "random", "matched random"))
NONE, BLOCK = "no backbone", "one trained block"
AVERAGE, BIKES = "historical_average", ("bikenyc", "bikenyc2")
CITIES = ("bikenyc", "bikenyc2", "taxinyc", "taxinyc2")


def test_what_the_document_says_of_pictures_is_in_the_records(committed):
    (suite,) = load_suites(["controls_pictures"])
    (group,) = committed.groups(suite).values()
    (compared,) = committed.differences(suite).values()
    cells = {(data.dataset, method.name): cell for (data, method), cell in group.cells.items()}
    found = {(data.dataset, method.name): cell for (data, method), cell in compared.cells.items()}
    runs = {at: cell.runs for at, cell in cells.items() if not cell.naive}
    rows = {DRAWN: "random weights", NONE: NONE, MATCHED: "matched random weights", BLOCK: BLOCK}
    assert {at: len(some) for at, some in runs.items()} == {
        (city, name): 3 for city in BIKES for name in (KNOWN, *rows)
    }
    text = said()
    for name, row in rows.items():
        assert f"| {row} | {' | '.join(_less(found[city, name]) for city in BIKES)} |" in text
    assert {at for at, cell in found.items() if cell.verdict == "open"} == {("bikenyc2", MATCHED), ("bikenyc2", BLOCK)}
    assert {cell.verdict for cell in found.values()} == {"open", "worse"}
    known, average = (" and ".join(f"{cells[at, name].mean('mae'):.2f}" for at in BIKES) for name in (KNOWN, AVERAGE))
    assert f"with pre-trained weights {known}, where the historical average has {average}, since a picture" in text
    assert all(cells[at].mean("mae") > cells[at[0], AVERAGE].mean("mae") for at in runs)
    more = {}
    for city in BIKES:
        base = runs[city, KNOWN]
        assert [all_below(runs[city, DRAWN], base, *at) for at in MEASURES] == [True] * 4
        for name in (NONE, MATCHED):
            assert all_below(base, runs[city, name], "test", "rmse")
            ratio = sum(errors_of(runs[city, name], "test", "rmse")) / sum(errors_of(base, "test", "rmse"))
            more.setdefault(name, []).append(f"{100 * (ratio - 1):.1f}")
    assert (
        f"on test by {' and '.join(more[NONE])} %; with matched random weights by {' and '.join(more[MATCHED])}" in text
    )


def test_what_the_document_says_of_idle_cells_is_in_the_records(committed):
    (suite,) = load_suites(["controls_pictures"])
    (group,) = committed.groups(suite).values()
    alone = in_use(group)
    left = {(data.dataset, method.name): cell for (data, method), cell in differences(alone, suite).cells.items()}
    assert {*left} == {(city, name) for city in BIKES for name in (NONE, MATCHED)}  # of the others it is not known yet
    errors = {
        (data.dataset, method.name): 100 * fmean(cells.idle_error for cells in cells_of(group.cells[data, method]))
        for data, method in alone.cells
    }
    late = " and ".join(f"{errors[city, AVERAGE]:.1f}" for city in BIKES)
    first, second = ({round(100 * cells.idle_share) for cells in _of(group, city)} for city in BIKES)
    made = {name: [f"{errors[city, name]:.1f}" for city in BIKES] for name in (KNOWN, NONE, MATCHED)}
    none, matched = (
        [f"{signed(left[city, name].percent)} % [{_ends(left[city, name])}]" for city in BIKES]
        for name in (NONE, MATCHED)
    )
    text = said()
    assert f"The historical average, which forecasts there what it always was, has {late} %: on BikeNYC some" in text
    assert "In {} % of the cells of BikeNYC and {} % of those of BikeNYC2".format(*first, *second) in text
    assert (
        "There is {} and {} % of the error that is made with pre-trained weights, {} and {} % of that without a "
        "backbone, and {} and {} % of that with matched random ones"
    ).format(*made[KNOWN], *made[NONE], *made[MATCHED]) in text
    assert (
        "pre-trained weights by {} on BikeNYC and by {} on BikeNYC2, with matched random weights by {} and {}".format(
            *none, *matched
        )
        in text
    )


def _of(group, city):
    return [cells for (data, _), cell in group.cells.items() if data.dataset == city for cells in cells_of(cell)]


def _ends(difference):
    return ", ".join(map(signed, difference.interval))


def test_all_runs_on_pictures_are_as_the_document_says(committed):
    (suite,) = load_suites(["controls_pictures"])
    (group,) = committed.groups(suite).values()
    runs = [(method.name, run) for (_, method), cell in group.cells.items() if not cell.naive for run in cell.runs]
    assert [scored_after(run) for _, run in runs] == [8] * 30
    assert {(run.spec.train.precision, run.spec.config["depth"], run.spec.config["tokens"]) for _, run in runs} == {
        ("bf16", 0, "image")
    }
    (most,) = {run.cost.trainable_parameters for name, run in runs if name == BLOCK}
    (least,) = {run.cost.trainable_parameters for name, run in runs if name != BLOCK}
    assert f"trains {most / 1e6:.2f} million parameters where the others train {least / 1e6:.2f} million" in said()


def _less(cell):
    low, high = (f"{-end:.1f}".replace("-", MINUS) for end in cell.interval[::-1])
    return f"{-cell.percent:.1f} [{low}, {high}]" + (", open" if cell.verdict == "open" else "")


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
