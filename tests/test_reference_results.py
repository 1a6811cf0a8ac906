"""The reference results that are committed: their files are those of their records, and today's code made these."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench.analysis.contradictions import contradictions
from bench.analysis.figures._files import Look, pictures
from bench.analysis.formats.files import differences
from bench.analysis.reference import README, reference_files, stale, takable, with_first_screen
from bench.analysis.report.page import shown
from bench.analysis.results import Results
from bench.analysis.sums import alterations, noted
from bench.runs.published import load_published
from bench.runs.suite import load_suites

VARIANTS = ("pre-trained, frozen", "random, frozen", "no backbone")
MODELS = {*VARIANTS, "stid"}
BY_RANDOM = ("bikenyc2", "random, frozen")
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "results" / "reference"
MOST_BYTES = 20e6  # of all records
SQUARE = 8  # pixels
ALIKE = 16.0  # mean over a square of 255 shades of grey: another machine rounds curves and letters otherwise


@pytest.fixture(scope="module")
def committed():
    return Results.load(FOLDER)


def test_tables_suites_and_readme_are_those_of_the_records(committed):
    assert differences(FOLDER, reference_files(committed, FOLDER, figures=False)) == {}
    assert (FOLDER / README).exists() == bool(committed.runs)
    assert [line for line in (FOLDER / README).read_text(encoding="utf-8").splitlines() if line.endswith("-")] == []


def test_the_first_screen_of_the_readme_is_that_of_the_records(committed):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_first_screen(text, committed, "results/reference") == text


def test_no_record_is_stale_or_may_not_stand_among_them(committed):
    assert stale(committed) == []
    assert committed.unread == ()
    assert len(takable(committed)) == len(committed.runs)


def test_the_records_are_as_they_were_taken():
    assert noted(FOLDER)
    assert alterations(FOLDER) == []


def test_the_scores_of_the_records_are_those_of_their_windows(committed):
    assert contradictions(committed.records) == []


def test_each_run_of_st_resnet_reads_the_calendar(committed):
    """Part of it was once switched off in training."""
    read = [run.inputs.calendar for run in committed.records if run.model == "stresnet"]
    assert read
    assert all(read)


def test_the_records_are_small():
    assert sum(path.stat().st_size for path in (FOLDER / "runs").rglob("*.json")) < MOST_BYTES


@pytest.mark.slow
def test_the_figures_are_those_of_the_records(committed):
    drawn = pictures(committed, shown(committed, "figures"), Look(formats=(".png",)))
    wanted = {f"{figure.name}.png": figure.files[".png"] for figure in drawn}
    assert {path.name for path in (FOLDER / "figures").glob("*")} == set(wanted)
    for name, content in wanted.items():
        assert _distance((FOLDER / "figures" / name).read_bytes(), content) < ALIKE, name


@pytest.mark.slow
def test_the_report_tells_of_the_same_runs(committed):
    report = FOLDER / "report.html"
    assert report.exists() == bool(committed.runs)
    if report.exists():
        text = report.read_text(encoding="utf-8")
        assert [run.record.run_id for run in committed.runs if run.data.sha256 not in text] == []


def _distance(first, second):
    """How far two pictures are apart where they are farthest; those of different sizes are infinitely far."""
    pixels = [np.asarray(Image.open(BytesIO(content)).convert("L"), dtype=float) for content in (first, second)]
    if pixels[0].shape != pixels[1].shape:
        return float("inf")
    difference = pixels[0] - pixels[1]
    rows, columns = (size // SQUARE for size in difference.shape)
    squares = difference[: rows * SQUARE, : columns * SQUARE].reshape(rows, SQUARE, columns, SQUARE)
    return float(np.abs(squares.mean(axis=(1, 3))).max())


def test_one_tick_more_or_one_point_elsewhere_makes_a_picture_another():
    def drawn(ticks, at):
        figure = Figure(figsize=(6.8, 2), dpi=200)
        axis = figure.subplots()
        axis.plot([0, 10], [0, 10], color="black")
        axis.plot([at], [5], "o", markersize=3)
        axis.set_xticks(ticks)
        figure.savefig(content := BytesIO(), format="png")
        return content.getvalue()

    usual = drawn([0, 10], 5)
    assert _distance(usual, drawn([0, 10], 5)) == 0
    assert _distance(usual, drawn([0, 4, 10], 5)) > ALIKE
    assert _distance(usual, drawn([0, 10], 5.1)) > ALIKE


def test_what_the_document_says_of_few_data_is_in_the_records(committed):
    (suite,) = load_suites(["data_efficiency"])
    said = _said()
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
    ) in said
    assert all(errors[last][name] < min(errors[last][naive] for naive in {*errors[last]} - MODELS) for name in MODELS)
    assert best[last] == errors[last]["stid"]
    assert (
        f"({best[last]:.2f} where ST-VFM with pre-trained weights has {errors[last]['pre-trained, frozen']:.2f})"
        in said
    )
    random = {
        share: next(cell for (data, method), cell in of.items() if (data.dataset, method.name) == BY_RANDOM)
        for share, of in compared.items()
    }
    assert (
        f"With 1 % of BikeNYC2 random weights have {-random[0.01].percent:.1f} % less MAE, and each of their three runs"
    ) in said
    assert f"With 10 % of BikeNYC2 they have {random[0.1].percent:.1f} % more." in said
    assert random[0.01].interval[1] < 0
    drawn, known = (
        [run.score("mae") for run in cells[*two, f"{weights}, frozen"].runs] for weights in ("random", "pre-trained")
    )
    assert (len(drawn), len(known)) == (3, 3)
    assert max(drawn) < min(known)
    _eight_epochs_are_too_many([run for name in VARIANTS for run in cells[*ten, name].runs])


def _eight_epochs_are_too_many(runs):
    """As the document says of the nine runs of ST-VFM with 10 % of BikeNYC."""
    first, *others = sorted(runs, key=lambda run: run.score("mae"))
    assert (len(runs), first.spec.weights) == (9, "pretrained")
    assert [min(run.curve, key=lambda epoch: epoch.val_mae).epoch for run in (first, *others)] == [3, *[1] * 8]
    assert first.score("mae") == pytest.approx(0.92 * others[0].score("mae"), rel=0.01)
    assert first.scores["val"]["mae"].overall > min(run.scores["val"]["mae"].overall for run in others)


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
    said = _said()
    less, more = -percent["bikenyc", "random, frozen"], percent["taxinyc", "random, frozen"]
    later = -percent["taxinyc2", "random, frozen"]
    most = -percent["bikenyc2", "random, frozen"]
    drawn, moved = (-percent["bikenyc2", f"{name}, frozen"] for name in ("matched random", "permuted"))
    assert (
        f"One difference between backbones is found so far: on BikeNYC2 random weights have {most:.1f} % less MAE than "
        "pre-trained ones. There it does not depend on one seed"
    ) in said
    assert (
        f"On BikeNYC random weights have {less:.1f} % less MAE, on TaxiNYC {more:.1f} % more and on TaxiNYC2 "
        f"{later:.1f} % less, all open. On TaxiNYC2 the interval of that difference is below 0"
    ) in said
    assert cells["taxinyc2", "random, frozen"].interval[1] < 0
    assert sum(name == "taxinyc2" for name, _ in cells) == 3
    assert (
        f"“matched random, frozen” has {drawn:.1f} % less MAE than pre-trained ones and “permuted, frozen” "
        f"{moved:.1f} % less, both open"
    ) in said
    for name in ("matched random, frozen", "permuted, frozen"):
        assert cells["bikenyc2", name].interval[0] < -most
    (group,) = committed.groups(suite).values()
    by_data = {(data.dataset, method.name): cell.runs for (data, method), cell in group.cells.items()}
    low, high = (_errors(by_data["taxinyc2", f"{name}, frozen"], "test") for name in ("random", "pre-trained"))
    assert max(low) < min(high)
    runs = {name: runs for (data, name), runs in by_data.items() if data == "bikenyc2"}
    random, matched, permuted, pretrained = (
        runs[f"{name}, frozen"] for name in ("random", "matched random", "permuted", "pre-trained")
    )
    assert [len(one) for one in (random, matched, permuted, pretrained)] == [3] * 4
    for better in (random, matched):
        for part in ("val", "test"):
            for metric in ("mae", "rmse"):
                assert max(_errors(better, part, metric)) < min(_errors(pretrained, part, metric))
    assert max(_errors(random, "test")) < min(_errors(matched + permuted, "test"))
    lower = [sum(one < other for other in _errors(random, "val")) for one in _errors(permuted, "val")]
    assert sorted(lower) == [0, 0, 2]
    assert all(error > max(_errors(random, "val")) for error in _errors(matched, "val"))
    assert [min(run.curve, key=lambda epoch: epoch.val_mae).epoch for run in (*random, *pretrained)] == [8] * 6


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
    said = _said()
    assert f"**One trained block** has {-percent[block]:.1f} % less MAE than pre-trained weights" in said
    (less,) = {f"{-percent[name]:.1f}" for name in others}
    assert f"**Random weights** and **no backbone** have {less} % less each, both open" in said
    for part in ("val", "test"):
        for name in (block, *others):
            assert max(_errors(runs[name], part)) < min(_errors(runs["pre-trained, frozen"], part))
        assert max(_errors(runs[block], part, "rmse")) < min(_errors(runs["pre-trained, frozen"], part, "rmse"))
    trained = {name: {run.cost.trainable_parameters for run in some} for name, some in runs.items()}
    (most,) = trained.pop(block)
    (least,) = set.union(*trained.values())
    assert f"{most / 1e6:.2f} million parameters where the others train {least / 1e6:.2f} million" in said
    every = [run for some in runs.values() for run in some]
    assert [min(run.curve, key=lambda epoch: epoch.val_mae).epoch for run in every] == [8] * 12
    assert {run.spec.train.precision for run in every} == {"bf16"}


def _errors(runs, part, metric="mae"):
    return [run.scores[part][metric].overall for run in runs]


def _said():
    return " ".join((ROOT / "docs" / "reference-results.md").read_text(encoding="utf-8").split())


def _days_read(cell):
    return [days for run in cell.runs for days in run.inputs.days_back]


def test_what_the_document_says_of_published_numbers_is_in_the_records_and_in_the_table(committed):
    (suite,) = load_suites(["published"])
    printed = load_published("unist_short")
    said = _said()
    plain, squared = committed.groups(suite).values()
    (data,) = plain.datasets

    def ours(name, metric, group=plain, channel=None):
        found = {method.name: cell for method, cell in group.of(data).items()}
        return replace(found[name], channel=channel).mean(metric)

    of_window = [
        f"{ours('window_mean', 'mae', channel=c):.2f} / {ours('window_mean', 'rmse', channel=c):.2f}"
        for c in (1, 0, None)
    ]
    assert f"{of_window[0]} here on the channel `end`, {of_window[1]} on `start` and {of_window[2]} over both" in said
    ratios = {
        name: printed.value("rmse", "patchtst", name) / printed.value("rmse", "itransformer", name)
        for name in printed.datasets
    }
    here = ratios.pop("bikenyc")
    assert f"RMSE is {min(ratios.values()):.2f} to {max(ratios.values()):.2f} times that of iTransformer" in said
    assert (
        f"{here:.2f} times, and here it is {ours('patchtst', 'rmse') / ours('itransformer', 'rmse'):.2f} times" in said
    )
    fall = f"its RMSE falls from {ours('stnorm', 'rmse'):.2f} to {ours('stnorm', 'rmse', squared):.2f}"
    assert fall in said
    models = ("stresnet", "stid", "stnorm", "predrnn", "simvp", "TAU", "patchtst", "itransformer")
    more = {
        (name, metric): 100 * (ours(name, metric, channel=1) / printed.value(metric, name, "bikenyc") - 1)
        for name in models
        for metric in ("mae", "rmse")
    }
    less = [-more[name, "mae"] for name in models if name not in ("stresnet", "patchtst")]
    assert f"six of the eight models have {min(less):.0f} to {max(less):.0f} % less MAE than was printed" in said
    patchtst = [round(more["patchtst", metric]) for metric in ("mae", "rmse")]
    assert "**PatchTST** has {} % more MAE and {} % more RMSE".format(*patchtst) in said
    assert more["stnorm", "mae"] < 0 < more["stnorm", "rmse"]
    assert 0.2 < ours("stresnet", "mae") / printed.value("mae", "stresnet", "bikenyc") < 0.3
    assert printed.value("mae", "stresnet", "bikenyc") > printed.value("mae", "window_mean", "bikenyc")
