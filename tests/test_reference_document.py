"""What the document of the reference results says in numbers is in their records."""

from __future__ import annotations

import pytest
from committed import MEASURES, all_below, errors_of, said, scored_after

from bench.analysis.differences import differences
from bench.analysis.stats.ranking import holm as corrected
from bench.runs.suite import load_suites

VARIANTS = ("pre-trained, frozen", "random, frozen", "no backbone")
MODELS = {*VARIANTS, "stid"}
BY_RANDOM = ("bikenyc2", "random, frozen")


def test_what_the_document_says_of_few_data_is_in_the_records(committed):
    (suite,) = load_suites(["data_efficiency"])
    text = said()
    few = {key.fraction: group for key, group in committed.groups(suite).items() if key.fraction < 1}
    assert sorted(few) == [0.01, 0.1]
    compared = {share: committed.differences(suite)[group.key].cells for share, group in few.items()}
    for share, group in few.items():
        assert [data.dataset for data in group.datasets] == ["bikenyc", "bikenyc2"]
        read = {days for cell in group.cells.values() if not cell.naive for days in _days_read(cell)}
        assert read == ({1} if share == 0.1 else set())
        assert [cell.verdict for cell in compared[share].values()] == ["open"] * 4
    errors, cells = {}, {}
    for share, group in few.items():
        for (data, method), cell in group.cells.items():
            errors.setdefault((share, data.dataset), {})[method.name] = cell.mean("mae")
            cells[share, data.dataset, method.name] = cell
    best = {at: min(value for name, value in of.items() if name in MODELS) for at, of in errors.items()}
    week = {at: of["seasonal_naive_week"] for at, of in errors.items()}
    assert [at for at, of in errors.items() if week[at] == min(of.values())] == [
        (0.01, "bikenyc"),
        (0.01, "bikenyc2"),
        (0.1, "bikenyc"),
    ]
    one, two, ten, last = (0.01, "bikenyc"), (0.01, "bikenyc2"), (0.1, "bikenyc"), (0.1, "bikenyc2")
    assert (
        f"lowest error of all: {week[one]:.2f} on BikeNYC, where the best model has {best[one]:.2f}, and "
        f"{week[two]:.2f} on BikeNYC2, where the best has {best[two]:.2f}. With 10 % that is "
        f"still so on BikeNYC ({week[ten]:.2f} and {best[ten]:.2f})."
    ) in text
    assert all(errors[last][name] < min(errors[last][naive] for naive in {*errors[last]} - MODELS) for name in MODELS)
    assert best[last] == errors[last]["stid"]
    assert (
        f"STID least of all: {best[last]:.2f} where ST-VFM with pre-trained weights has "
        f"{errors[last]['pre-trained, frozen']:.2f}. There ST-VFM is worse than STID"
    ) in text
    random = {
        share: next(cell for (data, method), cell in of.items() if (data.dataset, method.name) == BY_RANDOM)
        for share, of in compared.items()
    }
    assert (
        f"With 1 % of BikeNYC2 random weights have {-random[0.01].percent:.1f} % less MAE, and each of their three runs"
    ) in text
    assert f"With 10 % of BikeNYC2 they have {random[0.1].percent:.1f} % more, and each of their runs has more" in text
    assert random[0.01].interval[1] < 0
    drawn, known = (cells[*two, f"{weights}, frozen"].runs for weights in ("random", "pre-trained"))
    assert (len(drawn), len(known)) == (3, 3)
    assert max(errors_of(drawn, "test")) < min(errors_of(known, "test"))
    assert max(errors_of(drawn, "val")) > min(errors_of(known, "val"))
    drawn, known = (cells[*last, f"{weights}, frozen"].runs for weights in ("random", "pre-trained"))
    assert min(errors_of(drawn, "test", "rmse")) > max(errors_of(known, "test", "rmse"))
    _one_run_was_stopped_later([run for name in VARIANTS for run in cells[*ten, name].runs])
    every = [run for at in (one, two, ten, last) for name in VARIANTS for run in cells[*at, name].runs]
    assert (len(every), max(map(scored_after, every))) == (36, 6)
    windows = {at: {run.counts.val for run in cells[*at, "stid"].runs} for at in (one, two, ten, last)}
    assert [*windows.values()] == [{4}, {6}, {42}, {65}]


def _one_run_was_stopped_later(runs):
    """As the document says of the nine runs of ST-VFM with 10 % of BikeNYC."""
    first, *others = sorted(runs, key=lambda run: run.score("mae"))
    assert (len(runs), first.spec.weights) == (9, "pretrained")
    assert [scored_after(run) for run in (first, *others)] == [3, *[1] * 8]
    assert first.score("mae") == pytest.approx(0.92 * others[0].score("mae"), rel=0.01)
    assert errors_of([first], "val")[0] == sorted(errors_of(runs, "val"))[-2]


def test_what_the_document_says_of_planted_data_is_in_the_records(committed):
    (suite,) = load_suites(["planted"])
    ((key, compared),) = committed.differences(suite).items()
    assert key.profile == "reference"
    verdicts = {(data.dataset, cell.verdict) for (data, _), cell in compared.cells.items()}
    assert (len(compared.cells), verdicts) == (8, {("control_shapes", "better"), ("control_noise", "equivalent")})
    noise = {method.name: cell for (data, method), cell in compared.cells.items() if data.dataset == "control_noise"}
    assert all(cell.holm < 0.05 for cell in noise.values())
    sizes = sorted(abs(cell.percent) for cell in noise.values())
    assert f"Differences of {sizes[0]:.1f} to {sizes[-1]:.1f} % are found there all the same" in said()
    rows = {m.name: c.runs for (d, m), c in committed.groups(suite)[key].cells.items() if d.dataset == "control_noise"}
    base = rows["pre-trained, frozen"]
    for name in noise:
        orders = {(all_below(rows[name], base, *at), all_below(base, rows[name], *at)) for at in MEASURES}
        assert orders <= {(True, False), (False, True)}
    cells = committed.groups(suite)[key].cells
    errors = {
        method.name: cell.mean("mae")
        for (data, method), cell in cells.items()
        if data.dataset == "control_shapes" and not cell.naive
    }
    known, text = errors.pop("pre-trained, frozen"), said()
    assert f"pre-trained weights have an MAE of {known:.2f}, matched random" in text
    assert f"and no backbone {min(errors.values()):.2f} to {max(errors.values()):.2f}. Pre-trained" in text


def test_how_much_pre_training_saves_at_most_is_in_the_records(committed):
    (compared,) = committed.differences(load_suites(["controls"])[0]).values()
    most = {
        data.dataset: f"{cell.interval[1]:.1f} %"
        for (data, method), cell in compared.cells.items()
        if method.name == "no backbone"
    }
    assert (
        f"is at most {most['bikenyc']} above that with pre-trained weights on BikeNYC, {most['bikenyc2']} on BikeNYC2, "
        f"{most['taxinyc2']} on TaxiNYC2, and {most['taxinyc']} on TaxiNYC"
    ) in said()


def test_what_the_document_says_of_random_weights_is_in_the_records(committed):
    found = {
        (key.fraction, data.dataset, method.name)
        for suite in load_suites(["controls", "backbones", "data_efficiency"])
        for key, compared in committed.differences(suite).items()
        for (data, method), cell in compared.cells.items()
        if cell.verdict != "open"
    }
    assert found == {(1, "bikenyc2", "random, frozen")}
    (suite,) = load_suites(["controls"])
    (compared,) = committed.differences(suite).values()
    cells = {(data.dataset, method.name): cell for (data, method), cell in compared.cells.items()}
    percent = {key: cell.percent for key, cell in cells.items()}
    text = said()
    less, more = -percent["bikenyc", "random, frozen"], percent["taxinyc", "random, frozen"]
    later = -percent["taxinyc2", "random, frozen"]
    most = -percent["bikenyc2", "random, frozen"]
    drawn, moved = (-percent["bikenyc2", f"{name}, frozen"] for name in ("matched random", "permuted"))
    assert (
        f"one difference between backbones is found so far: on BikeNYC2 random weights have {most:.1f} % less MAE than "
        "pre-trained ones. There it does not depend on one seed"
    ) in text
    assert (
        f"On BikeNYC random weights have {less:.1f} % less MAE, on TaxiNYC {more:.1f} % more and on TaxiNYC2 "
        f"{later:.1f} % less, all open. On TaxiNYC2 the interval of that difference is below 0"
    ) in text
    assert cells["taxinyc2", "random, frozen"].interval[1] < 0
    assert sum(name == "taxinyc2" for name, _ in cells) == 3
    assert (
        f"“Matched random, frozen” has {drawn:.1f} % less MAE than pre-trained ones and “permuted, frozen” "
        f"{moved:.1f} % less, both open."
    ) in text
    (group,) = committed.groups(suite).values()
    by_data = {(data.dataset, method.name): cell.runs for (data, method), cell in group.cells.items()}
    drawn, known = (by_data["taxinyc2", f"{name}, frozen"] for name in ("random", "pre-trained"))
    assert [all_below(drawn, known, *measure) for measure in MEASURES] == [True, False, False, False]
    runs = {name: runs for (data, name), runs in by_data.items() if data == "bikenyc2"}
    random, pretrained = (runs[f"{name}, frozen"] for name in ("random", "pre-trained"))
    assert (len(random), len(pretrained)) == (3, 3)
    assert [scored_after(run) for run in (*random, *pretrained)] == [8] * 6
    below = {
        (data, name)
        for (data, name), runs in by_data.items()
        if name != "pre-trained, frozen" and len(runs) == 3 and not runs[0].naive
        if all(all_below(runs, by_data[data, "pre-trained, frozen"], *measure) for measure in MEASURES)
    }
    assert below == {("bikenyc2", "random, frozen"), ("bikenyc2", "matched random, frozen")}


def test_plain_random_weights_have_less_error_than_those_of_the_sizes_of_pre_trained_ones(committed):
    """Verdicts of a suite that has but these two rows beside the reference, on one data set."""
    (suite,) = load_suites(["controls"])
    (group,) = committed.groups(suite).values()
    rows = ("random, frozen", "matched random, frozen", "permuted, frozen")
    variants = tuple(variant for variant in suite.variants if variant.name in rows)
    asked = suite.model_copy(update={"variants": variants, "references": rows[:1]})
    compared = differences(group, asked)
    cells = {method.name: cell for (data, method), cell in compared.cells.items() if data.dataset == "bikenyc2"}
    assert {name: cell.verdict for name, cell in cells.items()} == dict.fromkeys(rows[1:], "better")
    told = []
    for name in rows[1:]:  # as the difference of plain random weights from these
        (matched, plain) = (_mean(group, "bikenyc2", row) for row in (name, rows[0]))
        low, high = (100 - 100 / (1 + bound / 100) for bound in cells[name].interval)
        told.append(f"{100 * (1 - plain / matched):.1f} % [{low:.1f}, {high:.1f}]")
    assert f"have {told[0]} less MAE than matched ones and {told[1]} less than permuted ones" in said()
    every = {
        frozenset((name, method.name)): cell
        for name in (variant.name for variant in suite.variants)
        for (data, method), cell in _with_reference(group, suite, name)
        if data.dataset == "bikenyc2"
    }
    assert len(every) == 15
    holm = dict(zip(every, corrected([cell.p for cell in every.values()]), strict=True))
    assert {frozenset((rows[0], name)): holm[frozenset((rows[0], name))] > 0.05 for name in rows[1:]} == {
        frozenset((rows[0], name)): True for name in rows[1:]
    }


def _with_reference(group, suite, name):
    compared = differences(group, suite.model_copy(update={"references": (name,)}))
    return compared.cells.items() if compared is not None else ()


def _mean(group, dataset, name):
    return next(c.mean("mae") for (data, row), c in group.cells.items() if (data.dataset, row.name) == (dataset, name))


def test_what_the_document_says_of_the_bare_head_is_in_the_records(committed):
    (suite,) = load_suites(["controls_bare"])
    (compared,) = committed.differences(suite).values()
    (group,) = committed.groups(suite).values()
    assert {data.dataset for data in group.datasets} == {"bikenyc2"}
    runs = {method.name: cell.runs for (_, method), cell in group.cells.items() if not cell.naive}
    percent = {method.name: cell.percent for (_, method), cell in compared.cells.items()}
    verdicts = {method.name: cell.verdict for (_, method), cell in compared.cells.items()}
    block, *others = "one trained block", "random, frozen", "no backbone"
    assert verdicts == {block: "worse", **dict.fromkeys(others, "open")}
    text = said()
    assert f"**One trained block** has {-percent[block]:.1f} % less MAE than pre-trained weights" in text
    (less,) = {f"{-percent[name]:.1f}" for name in others}
    assert f"**Random weights** and **no backbone** have {less} % less each, both open" in text
    known = runs["pre-trained, frozen"]
    assert [all_below(runs[block], known, *measure) for measure in MEASURES] == [True] * 4
    assert [all_below(runs["random, frozen"], known, *measure) for measure in MEASURES] == [True] * 4
    assert [all_below(runs["no backbone"], known, *measure) for measure in MEASURES] == [True, False, True, False]
    lower, higher = (
        100 * (sum(errors_of(runs[name], "test", "rmse")) / sum(errors_of(known, "test", "rmse")) - 1)
        for name in others
    )
    assert f"({-lower:.1f} % less on test) but not without a backbone ({higher:.1f} % more)" in text
    (full,) = (
        -cell.percent
        for compared in committed.differences(load_suites(["controls"])[0]).values()
        for (data, method), cell in compared.cells.items()
        if (data.dataset, method.name, cell.verdict) == ("bikenyc2", block, "open")
    )
    assert f"Behind the full head the same block has {full:.1f} % less, which is open." in text
    trained = {name: {run.cost.trainable_parameters for run in some} for name, some in runs.items()}
    (most,) = trained.pop(block)
    (least,) = set.union(*trained.values())
    assert f"{most / 1e6:.2f} million parameters where the others train {least / 1e6:.2f} million" in text
    every = [run for some in runs.values() for run in some]
    assert [scored_after(run) for run in every] == [8] * 12
    assert {run.spec.train.precision for run in every} == {"bf16"}
    assert "the step `controls_bare` on BikeNYC2, there in bfloat16, the steps" in text


def _days_read(cell):
    return [days for run in cell.runs for days in run.inputs.days_back]
