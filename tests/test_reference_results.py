"""The reference results that are committed: their files are those of their records, and today's code made these."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
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

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "results" / "reference"
MOST_BYTES = 20e6  # of all records
ALIKE = 4.0  # root mean square of the differences of pixels, of 255: another machine rounds curves otherwise


@pytest.fixture(scope="module")
def committed():
    return Results.load(FOLDER)


def test_tables_suites_and_readme_are_those_of_the_records(committed):
    assert differences(FOLDER, reference_files(committed, FOLDER, figures=False)) == {}
    assert (FOLDER / README).exists() == bool(committed.runs)


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
    """How far two pictures are apart; those of different sizes are infinitely far."""
    pixels = [np.asarray(Image.open(BytesIO(content)).convert("RGB"), dtype=float) for content in (first, second)]
    same = pixels[0].shape == pixels[1].shape
    return float(np.sqrt(np.mean((pixels[0] - pixels[1]) ** 2))) if same else float("inf")


def test_what_the_document_says_of_few_data_is_in_the_records(committed):
    (suite,) = load_suites(["data_efficiency"])
    few = {key.fraction: group for key, group in committed.groups(suite).items() if key.fraction < 1}
    assert sorted(few) == [0.01, 0.1]
    for share, group in few.items():
        read = {days for cell in group.cells.values() if not cell.naive for days in _days_read(cell)}
        assert read == ({1} if share == 0.1 else set())
        compared = committed.differences(suite)[group.key].cells.values()
        assert [cell.verdict for cell in compared] == ["open", "open"]
    (data,) = few[0.01].datasets
    errors = {method.name: cell.mean("mae") for method, cell in few[0.01].of(data).items()}
    others = [error for name, error in errors.items() if name != "seasonal_naive_day"]
    assert errors["seasonal_naive_day"] < 0.8 * min(others)
    runs = [run for m, cell in few[0.1].of(data).items() if m.model == "stvfm" for run in cell.runs]
    first, *others = sorted(runs, key=lambda run: run.score("mae"))
    assert (len(runs), first.spec.weights) == (9, "pretrained")
    assert [min(run.curve, key=lambda epoch: epoch.val_mae).epoch for run in (first, *others)] == [3, *[1] * 8]
    assert first.score("mae") == pytest.approx(0.92 * others[0].score("mae"), rel=0.01)
    assert first.scores["val"]["mae"].overall > min(run.scores["val"]["mae"].overall for run in others)


def _days_read(cell):
    return [days for run in cell.runs for days in run.inputs.days_back]


def test_what_the_document_says_of_published_numbers_is_in_the_records_and_in_the_table(committed):
    (suite,) = load_suites(["published"])
    printed = load_published("unist_short")
    said = " ".join((ROOT / "docs" / "reference-results.md").read_text(encoding="utf-8").split())
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
    assert 0.2 < ours("stresnet", "mae") / printed.value("mae", "stresnet", "bikenyc") < 0.3
    assert printed.value("mae", "stresnet", "bikenyc") > printed.value("mae", "window_mean", "bikenyc")
