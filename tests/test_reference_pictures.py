"""What the document says of the whole backbone on pictures, and of Fracast-0, is in the records."""

from __future__ import annotations

from dataclasses import dataclass
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
def longer(groups):
    return _named(groups[40][0].cells)


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
    known, average = (enumerated([f"{cells[at, name].mean('mae'):.2f}" for at in CITIES]) for name in (KNOWN, AVERAGE))
    assert f"they are weak: with pre-trained weights {known}, where the historical average has {average}. They" in text
    assert all(cells[at].mean("mae") > cells[at[0], AVERAGE].mean("mae") for at in runs)
    verdicts = [cell.verdict for cell in found.values()]
    assert {*verdicts} == {"open", "worse"}
    worse = {name: [city for city in CITIES if found[city, name].verdict == "worse"] for name in ROWS}
    assert (worse[DRAWN], worse[NONE]) == ([*CITIES], [*BIKES])
    values = sorted(round(cell.holm, 3) for cell in found.values() if cell.verdict == "worse")
    nearest = min(cell.holm for cell in found.values() if cell.verdict == "open")
    assert values[-3] < values[-2] == values[-1]
    (most,) = {run.cost.trainable_parameters for (_, name), some in runs.items() if name == BLOCK for run in some}
    (least,) = {run.cost.trainable_parameters for (_, name), some in runs.items() if name != BLOCK for run in some}
    assert (
        f"By the declared measure pre-trained weights are worse in {verdicts.count('worse')} of these {len(verdicts)} "
        "comparisons and better in none: worse than random weights on each data set, than no backbone on BikeNYC and "
        f"BikeNYC2. The two closest verdicts have p = {values[-1]:.3f} after correction, and the closest that is open "
        f"{nearest:.3f}. One trained block trains {most / 1e6:.2f} million parameters where the others train "
        f"{least / 1e6:.2f} million."
    ) in text


def test_the_difference_on_pictures_is_made_in_cells_with_small_errors(cells, longer):
    names = (DRAWN, NONE, BLOCK, MATCHED)
    parts = {city: _by_error({name: _maps(cells[city, name]) for name in (KNOWN, *names)}) for city in CITIES}
    parts["longer"] = _by_error({name: _maps(longer["bikenyc", name]) for name in (KNOWN, DRAWN, NONE, MATCHED)})
    shares = enumerated([f"{100 * parts[city].shares[0]:.0f}" for city in CITIES])
    text = said()
    assert (
        f"all rows together make most of their error; of the error with pre-trained weights it has {shares} %." in text
    )
    for name in names:
        row = [" / ".join(map(signed, part.more[name])) if name in part.more else "not run" for part in parts.values()]
        assert f"| {ROWS[name]} | {' | '.join(row)} |" in text
    assert parts["longer"].most == parts["bikenyc"].most
    for city in CITIES:
        part = parts[city]
        for name in names:
            most, rest = (share * more for share, more in zip(part.shares, part.more[name], strict=True))
            assert rest < 0
            assert most + rest < 0
            assert rest / (most + rest) > 0.5  # more than half of the difference
        assert 0 < part.more[NONE][0] < part.more[MATCHED][0] < 4
        assert -1.1 < part.more[DRAWN][0] < 0.3
        assert part.more[BLOCK][0] < 0
    first, last = parts["bikenyc"].more, parts["longer"].more
    assert all(0.29 < last[name][1] / first[name][1] < 0.38 for name in (DRAWN, NONE, MATCHED))
    assert last[NONE][0] < 0 < last[MATCHED][0]
    assert last[DRAWN][0] < first[DRAWN][0] < 0
    assert longer["bikenyc", DRAWN].mean("mae") < min(longer["bikenyc", name].mean("mae") for name in (KNOWN, NONE))
    assert (
        "In short: after 8 epochs pre-trained weights have more error than what stands in their place, and more than "
        "half of the difference is made in cells with small errors. In the fifth with most error they have a little "
        "less than no backbone and than matched random weights; than plain random weights, whose LayerScale is 1, "
        "hardly less, or more; than one trained block more. After 40 epochs, on the one data set where that was "
        "tried, the difference in the other cells is about a third of what it was, the gain over no backbone is "
        "gone, and random weights stay ahead, in that fifth by more than before."
    ) in text


def test_after_few_epochs_each_run_on_pictures_has_more_rmse_without_a_backbone_and_with_matched_weights(cells):
    more = {name: [] for name in (NONE, MATCHED, DRAWN, BLOCK)}
    for city in CITIES:
        base = cells[city, KNOWN].runs
        for name, ratios in more.items():
            assert name in {DRAWN, BLOCK} or all_below(base, cells[city, name].runs, "test", "rmse")
            ratio = sum(errors_of(cells[city, name].runs, "test", "rmse")) / sum(errors_of(base, "test", "rmse"))
            ratios.append(100 * (ratio - 1))
    none, matched = (_span(more[name]) for name in (NONE, MATCHED))
    drawn, block = (_span([-ratio for ratio in more[name]]) for name in (DRAWN, BLOCK))
    assert (
        "says the same of two rows after 8 epochs. On each data set each run without a backbone has more of it than "
        f"each with pre-trained weights, by {none} %, and each run with matched random weights, by {matched} %. "
        f"Random weights have {drawn} % less, and one trained block {block} % less."
    ) in said()


def test_what_the_document_says_of_idle_cells_is_in_the_records(groups, cells):
    (suite,) = load_suites(["controls_pictures"])
    alone = in_use(groups[8][0])
    left = _named(differences(alone, suite).cells)
    assert {*left} == {(city, name) for city in BIKES for name in ROWS}
    shares = [
        {round(100 * each.idle_share) for (at, _), cell in cells.items() if at == city for each in cells_of(cell)}
        for city in CITIES
    ]
    (first,), (second,), *others = shares
    assert others == [{0}, {0}]
    known, none, average = (" and ".join(_idle(cells[city, name]) for city in BIKES) for name in (KNOWN, NONE, AVERAGE))
    assert (
        f"Some of these cells are [idle](comparisons.md#idle-cells), {first} % of all on BikeNYC and {second} % on "
        f"BikeNYC2. There is {known} % of the error that is made with pre-trained weights, {none} % of that without a "
        f"backbone, and {average} % of that of the historical average, which forecasts there what it always was."
    ) in said()
    none, matched = (
        [f"{signed(left[city, name].percent)} % [{_ends(left[city, name])}]" for city in BIKES]
        for name in (NONE, MATCHED)
    )
    assert (
        "In all cells in use the error without a backbone differs from that with pre-trained weights by {} on BikeNYC "
        "and by {} on BikeNYC2, with matched random weights by {} and {}."
    ).format(*none, *matched) in said()


def test_what_the_document_says_of_longer_training_is_in_the_records(groups, cells, longer):
    falls, scored = {}, {8: [], 40: []}
    for epochs, (group, _) in groups.items():
        for (city, name), cell in _named(group.cells).items():
            for run in () if cell.naive else cell.runs:
                config, curve, train = run.spec.config, run.curve, run.spec.train
                assert (train.precision, config["depth"], config["tokens"]) == ("bf16", 0, "image")
                assert (train.epochs, len(curve), train.lr) == (epochs, epochs, 0.002)
                scored[epochs].append(scored_after(run))
                fall = 100 * (1 - curve[-1].train_loss / curve[-2].train_loss)
                falls.setdefault((epochs, city, name), []).append(fall)
    assert ({*scored[8]}, {*scored[40]}) == ({7, 8}, {39, 40})
    others = ("bikenyc", "taxinyc", "taxinyc2")
    known, none = (_span([fall for city in others for fall in falls[8, city, name]]) for name in (KNOWN, NONE))
    assert all(0.5 < fall < 0.8 for name in (KNOWN, NONE, DRAWN) for fall in falls[8, "bikenyc2", name])  # alike
    at = ("bikenyc", KNOWN)
    mae, idle = ([text(of[at]) for of in (cells, longer)] for text in (lambda cell: f"{cell.mean('mae'):.2f}", _idle))
    differ = _named(groups[40][1].cells)
    assert {cell.verdict for cell in differ.values()} == {"open"}
    assert {*differ} == {("bikenyc", name) for name in (DRAWN, MATCHED, NONE)}
    drawn, matched, less = (
        _less(differ["bikenyc", name]).removesuffix(", open").replace(" [", " % [") for name in (DRAWN, MATCHED, NONE)
    )
    assert all(all_below(longer["bikenyc", name].runs, longer[at].runs, "test", "rmse") for name in (DRAWN, NONE))
    assert (
        f"All {len(scored[8])} runs have their lowest validation error after epoch 7 or 8. In the last epoch the loss "
        f"in training falls by {known} % with pre-trained weights on BikeNYC, TaxiNYC and TaxiNYC2, where it falls by "
        f"{none} % without a backbone; on BikeNYC2 it falls alike. So four rows were trained for 40 epochs on "
        "BikeNYC, with the same highest learning rate; the validation error of these 12 runs is lowest after epoch "
        f"39 or 40. With pre-trained weights the MAE falls from {mae[0]} to {mae[1]}, and the error made in idle "
        f"cells from {idle[0]} to {idle[1]} % of it. Less MAE than that have random weights by {drawn}, matched "
        f"random ones by {matched} and no backbone by {less}, all open. By RMSE each run of random weights and of no "
        "backbone is now below each with pre-trained weights."
    ) in said()


def test_runs_that_lost_their_way_are_those_that_the_document_names(groups, cells):
    every = [
        (epochs, *at, run)
        for epochs, (group, _) in groups.items()
        for at, cell in _named(group.cells).items()
        for run in cell.runs
        if not cell.naive
    ]
    rose = [at for *at, run in every if max(e.train_loss for e in run.curve) > 1.5 * run.curve[0].train_loss]
    assert sorted(rose) == [[8, "bikenyc2", MATCHED], [8, "taxinyc2", MATCHED], *[[40, "bikenyc", KNOWN]] * 2]
    worst, *others = errors_of(cells["taxinyc2", MATCHED].runs, "test")
    assert worst > 1.02 * max(others)
    rows = {name: _maps(cells["taxinyc2", name]) for name in (KNOWN, *ROWS)}
    whole, without = (signed(_by_error(rows, out).more[MATCHED][0]) for out in ([], [(MATCHED, 0)]))
    assert (
        f"In {len(rose)} of all these {len(every)} runs the loss in training rose to more than 1.5 times that of the "
        "first epoch: two of the three of pre-trained weights with 40 epochs, and of matched random weights one on "
        f"BikeNYC2 and one on TaxiNYC2. The last is scored with {worst:.2f} where the other two of its row have "
        f"{others[0]:.2f} and {others[1]:.2f}; the others found their way back. Without it that row has {without} in "
        f"place of {whole} in the table above."
    ) in said()
    for found_back in (cells["bikenyc2", MATCHED], _named(groups[40][0].cells)["bikenyc", KNOWN]):
        errors = errors_of(found_back.runs, "test")
        assert max(errors) < 1.005 * min(errors)


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


@dataclass(frozen=True)
class Parts:
    """The fifth of the cells with most error of all rows, and the other cells.

    Attributes:
        most: The cells of that fifth.
        shares: Of the two parts in the error of the first row.
        more: How much more error than the first each row has there, %.
    """

    most: set[int]
    shares: tuple[float, float]
    more: dict[str, tuple[float, float]]


def _by_error(rows, without=()):
    """The two parts; runs are left out of a row after the fifth is found."""
    maps = {name: np.mean(runs, axis=0) for name, runs in rows.items()}
    assert all(np.isfinite(each).all() for each in maps.values())
    order = np.argsort(np.mean([*maps.values()], axis=0), kind="stable")
    rest, most = np.split(order, [-(len(order) // 5)])
    for name, seed in without:
        maps[name] = np.mean(np.delete(rows[name], seed, axis=0), axis=0)
    base = maps[KNOWN]
    more = {
        name: tuple(100 * (own[part].sum() / base[part].sum() - 1) for part in (most, rest))
        for name, own in maps.items()
    }
    shares = tuple(base[part].sum() / base.sum() for part in (most, rest))
    return Parts(most=set(most.tolist()), shares=shares, more=more)


def _named(cells):
    return {(data.dataset, method.name): cell for (data, method), cell in cells.items()}


def _idle(cell):
    """The share of the errors that is made in idle cells, %: the mean over runs."""
    return f"{100 * fmean(each.idle_error for each in cells_of(cell)):.1f}"


def _span(values):
    return f"{min(values):.1f} to {max(values):.1f}"


def _ends(difference):
    return ", ".join(map(signed, difference.interval))


def _less(cell):
    low, high = (f"{-end:.1f}".replace("-", MINUS) for end in cell.interval[::-1])
    return f"{-cell.percent:.1f} [{low}, {high}]" + (", open" if cell.verdict == "open" else "")
