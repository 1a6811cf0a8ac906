"""What the document says of the whole backbone on pictures, and of Fracast-0, is in the records."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from committed import all_below, enumerated, errors_of, said, scored_after

from bench.analysis.differences import differences
from bench.analysis.in_use import cells_of, in_use
from bench.analysis.table import MINUS
from bench.analysis.tables._differences import signed
from bench.runs.suite import load_suites

KNOWN, DRAWN, MATCHED = (f"{weights}, frozen" for weights in ("pre-trained", "random", "matched random"))
NONE, BLOCK = "no backbone", "one trained block"
ROWS = {DRAWN: "random weights", NONE: NONE, MATCHED: "matched random weights", BLOCK: BLOCK}
AVERAGE, BIKES = "historical_average", ("bikenyc", "bikenyc2")
CITIES = (*BIKES, "taxinyc", "taxinyc2")


@pytest.fixture(scope="module")
def groups(committed):
    """By the number of epochs: the rows, and how they differ from the first."""
    (suite,) = load_suites(["controls_pictures"])
    found = committed.differences(suite)
    (most,) = (key for key in found if "epochs=40" in key.recipe)
    (rest,) = (key for key in found if key != most)
    return {epochs: (committed.groups(suite)[key], found[key]) for epochs, key in ((8, rest), (40, most))}


@pytest.fixture(scope="module")
def cells(groups):
    return _named(groups[8][0].cells)


@pytest.fixture(scope="module")
def found(groups):
    return _named(groups[8][1].cells)


def test_what_the_document_says_of_pictures_is_in_the_records(cells, found):
    runs = {at: cell.runs for at, cell in cells.items() if not cell.naive}
    assert {at: len(some) for at, some in runs.items()} == {
        (city, name): 3 for city in CITIES for name in (KNOWN, *ROWS)
    }
    text = said()
    for name, row in ROWS.items():
        assert f"| {row} | {' | '.join(_less(found[city, name]) for city in CITIES)} |" in text
    verdicts = [cell.verdict for cell in found.values()]
    assert {*verdicts} == {"open", "worse"}
    assert f"in {verdicts.count('worse')} of these {len(verdicts)} comparisons and better in none" in text
    assert {found[city, DRAWN].verdict for city in CITIES} == {"worse"}
    known, average = (enumerated([f"{cells[at, name].mean('mae'):.2f}" for at in CITIES]) for name in (KNOWN, AVERAGE))
    assert f"with pre-trained weights {known}, where the historical average has {average}, since a picture" in text
    assert all(cells[at].mean("mae") > cells[at[0], AVERAGE].mean("mae") for at in runs)
    (most,) = {run.cost.trainable_parameters for (_, name), some in runs.items() if name == BLOCK for run in some}
    (least,) = {run.cost.trainable_parameters for (_, name), some in runs.items() if name != BLOCK for run in some}
    assert f"trains {most / 1e6:.2f} million parameters where the others train {least / 1e6:.2f} million" in text


def test_the_difference_on_pictures_is_made_where_little_happens(cells):
    text, shares, parts = said(), [], {}
    for city in CITIES:
        share, more = _by_error({name: _maps(cells[city, name]) for name in (KNOWN, *ROWS)})
        shares.append(f"{100 * share:.0f}")
        parts[city] = more
    assert f"of that with pre-trained weights it has {enumerated(shares)} %." in text
    none, matched, drawn = (
        enumerated([signed(parts[city][name][0]) for city in CITIES]) for name in (NONE, MATCHED, DRAWN)
    )
    assert f"without a backbone differs from it by {none} %, with matched random weights by {matched} %" in text
    assert f"and with random weights by {drawn} %." in text
    less = {city: [-parts[city][name][1] for name in (NONE, MATCHED, DRAWN)] for city in CITIES}
    few = less.pop("bikenyc2")
    many = [value for values in less.values() for value in values]
    assert (
        f"these have {min(many):.0f} to {max(many):.0f} % less error on three data sets, and {min(few):.1f} to "
        f"{max(few):.1f} % less on BikeNYC2."
    ) in text


def test_without_a_backbone_each_run_on_pictures_has_more_rmse(cells):
    more = {}
    for city in CITIES:
        base = cells[city, KNOWN].runs
        for name in (NONE, MATCHED):
            assert all_below(base, cells[city, name].runs, "test", "rmse")
            ratio = sum(errors_of(cells[city, name].runs, "test", "rmse")) / sum(errors_of(base, "test", "rmse"))
            more.setdefault(name, []).append(100 * (ratio - 1))
    assert (
        f"by {min(more[NONE]):.1f} to {max(more[NONE]):.1f} %; with matched random weights by {min(more[MATCHED]):.1f} "
        f"to {max(more[MATCHED]):.1f} %."
    ) in said()


def test_what_the_document_says_of_idle_cells_is_in_the_records(groups, cells):
    (suite,) = load_suites(["controls_pictures"])
    alone = in_use(groups[8][0])
    left = _named(differences(alone, suite).cells)
    assert {*left} == {(city, name) for city in BIKES for name in ROWS}
    errors = {
        (data.dataset, method.name): 100 * fmean(each.idle_error for each in cells_of(cells[data.dataset, method.name]))
        for data, method in alone.cells
    }
    late = " and ".join(f"{errors[city, AVERAGE]:.1f}" for city in BIKES)
    shares = [
        {round(100 * each.idle_share) for (at, _), cell in cells.items() if at == city for each in cells_of(cell)}
        for city in CITIES
    ]
    first, second = shares[:2]
    assert shares[2:] == [{0}, {0}]
    made = {name: [f"{errors[city, name]:.1f}" for city in BIKES] for name in (KNOWN, NONE)}
    none, matched = (
        [f"{signed(left[city, name].percent)} % [{_ends(left[city, name])}]" for city in BIKES]
        for name in (NONE, MATCHED)
    )
    text = said()
    assert f"The historical average, which forecasts there what it always was, has {late} %: on BikeNYC some" in text
    assert "In {} % of the cells of BikeNYC and {} % of those of BikeNYC2".format(*first, *second) in text
    assert (
        "There is {} and {} % of the error that is made with pre-trained weights, and {} and {} % of that without a "
        "backbone."
    ).format(*made[KNOWN], *made[NONE]) in text
    assert (
        "pre-trained weights by {} on BikeNYC and by {} on BikeNYC2, with matched random weights by {} and {}".format(
            *none, *matched
        )
        in text
    )


def test_what_the_document_says_of_longer_training_is_in_the_records(groups, cells, found):
    text, falls, scored = said(), {}, {}
    for epochs, (group, _) in groups.items():
        for (data, method), cell in group.cells.items():
            for run in () if cell.naive else cell.runs:
                config, curve = run.spec.config, run.curve
                assert (run.spec.train.precision, config["depth"], config["tokens"]) == ("bf16", 0, "image")
                assert (run.spec.train.epochs, len(curve)) == (epochs, epochs)
                scored.setdefault(epochs, []).append(scored_after(run))
                fall = 100 * (1 - curve[-1].train_loss / curve[-2].train_loss)
                falls.setdefault((epochs, method.name), {}).setdefault(data.dataset, []).append(fall)
    assert (len(scored[8]), {*scored[8]}) == (60, {7, 8})
    assert (len(scored[40]), {*scored[40]}) == (12, {39, 40})
    known, none = (
        [fall for city in ("bikenyc", "taxinyc", "taxinyc2") for fall in falls[8, name][city]] for name in (KNOWN, NONE)
    )
    assert f"falls by {min(known):.1f} to {max(known):.1f} % with pre-trained weights on BikeNYC" in text
    assert f"and by {min(none):.1f} to {max(none):.1f} % without a backbone" in text
    longer, differ = _named(groups[40][0].cells), _named(groups[40][1].cells)
    at = ("bikenyc", KNOWN)
    mae = [f"{of[at].mean('mae'):.2f}" for of in (cells, longer)]
    idle = [f"{100 * fmean(each.idle_error for each in cells_of(of[at])):.1f}" for of in (cells, longer)]
    assert (
        "the MAE falls from {} to {}, and the error made in idle cells from {} to {} % of it".format(*mae, *idle)
        in text
    )
    assert {at: cell.verdict for at, cell in differ.items()} == {
        ("bikenyc", name): "open" for name in (DRAWN, MATCHED, NONE)
    }
    drawn, matched, none = (
        _less(differ["bikenyc", name]).removesuffix(", open").replace(" [", " % [") for name in (DRAWN, MATCHED, NONE)
    )
    assert f"random weights by {drawn}, matched random ones by {matched} and no backbone by {none}, all open." in text
    _, more = _by_error({name: _maps(longer["bikenyc", name]) for name in (KNOWN, DRAWN, NONE, MATCHED)})
    most, rest = ([signed(more[name][part]) for name in (NONE, MATCHED)] for part in (0, 1))
    assert "no backbone differs by {} % and matched random weights by {} % now".format(*most) in text
    assert "in all other cells by {} and {} %; and by RMSE it is".format(*rest) in text
    assert all_below(longer["bikenyc", NONE].runs, longer[at].runs, "test", "rmse")


def test_the_run_that_lost_its_way_is_the_one_that_the_document_names(cells):
    lost = [
        (at, run)
        for at, cell in cells.items()
        for run in cell.runs
        if not cell.naive and max(epoch.train_loss for epoch in run.curve) > 2 * run.curve[0].train_loss
    ]
    (((city, name), run),) = lost
    assert (city, name, run.spec.seed) == ("taxinyc2", MATCHED, 0)
    assert 3.5 < max(epoch.train_loss for epoch in run.curve) / run.curve[0].train_loss < 4.5
    error, *others = (f"{error:.2f}" for error in errors_of(cells[city, name].runs, "test"))
    text = said()
    assert f"it is scored with {error} where the other two have {' and '.join(others)}." in text
    rows = {name: _maps(cells[city, name]) for name in (KNOWN, *ROWS)}
    _, more = _by_error(rows, without=[(MATCHED, run.spec.seed)])
    less = 100 * (1 - fmean(errors_of(cells[city, MATCHED].runs, "test")[1:]) / cells[city, KNOWN].mean("mae"))
    assert (
        f"that row would have {less:.1f} % less than pre-trained weights, and {more[MATCHED][0]:.1f} % more in" in text
    )


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


def _maps(cell):
    """The absolute errors by cell of each run."""
    return [each.mae_map.ravel() for each in cells_of(cell)]


def _by_error(rows, without=()):
    """The share that the fifth of the cells with most error of all rows has in that of the first row.

    And how much more error than the first each row has, %: in that fifth, and in the other cells. Runs are left out
    of a row after the fifth is found.
    """
    maps = {name: np.mean(runs, axis=0) for name, runs in rows.items()}
    assert all(np.isfinite(each).all() for each in maps.values())
    order = np.argsort(np.mean([*maps.values()], axis=0), kind="stable")
    parts = np.split(order, [-(len(order) // 5)])[::-1]
    for name, seed in without:
        maps[name] = np.mean(np.delete(rows[name], seed, axis=0), axis=0)
    base = maps[KNOWN]
    more = {name: [100 * (own[part].sum() / base[part].sum() - 1) for part in parts] for name, own in maps.items()}
    return base[parts[0]].sum() / base.sum(), more


def _named(cells):
    return {(data.dataset, method.name): cell for (data, method), cell in cells.items()}


def _ends(difference):
    return ", ".join(map(signed, difference.interval))


def _less(cell):
    low, high = (f"{-end:.1f}".replace("-", MINUS) for end in cell.interval[::-1])
    return f"{-cell.percent:.1f} [{low}, {high}]" + (", open" if cell.verdict == "open" else "")
