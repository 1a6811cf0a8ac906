"""The reference results that are committed: their files are those of their records, and today's code made these."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from committed import FOLDER, ROOT
from matplotlib.figure import Figure
from PIL import Image

from bench.analysis.contradictions import contradictions
from bench.analysis.figures._files import Look, pictures
from bench.analysis.formats.files import differences
from bench.analysis.reference import README, reference_files, stale, takable, with_first_screen
from bench.analysis.report.page import shown
from bench.analysis.sums import alterations, noted

MOST_BYTES = 20e6  # of all records
SQUARE = 8  # pixels
ALIKE = 16.0  # mean over a square of 255 shades of grey: another machine rounds curves and letters otherwise


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
