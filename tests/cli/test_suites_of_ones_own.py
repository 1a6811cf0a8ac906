"""Suites in TOML files of the user's own, as tables, figures and the report take them."""

from __future__ import annotations

import pytest
from commands import stbench
from records import record, results_of

from bench.records.store import ResultStore

TASKS = ("few1", "few10", "short")
TEXT = """
name = "mine"
title = "Where my data are few"
tasks = ["few1", "few10", "short"]
protocol = "strict"
datasets = ["bikenyc"]
models = ["stid", "unet"]
references = ["stid"]
"""


def runs():
    facts = [(model, task, seed) for model in ("stid", "unet") for task in TASKS for seed in range(3)]
    return [
        record(model=model, task=task, seed=seed, mae=len(task) + seed / 10 + (model == "unet"), profile="reference")
        for model, task, seed in facts
    ]


@pytest.fixture
def folder(tmp_path):
    for made in runs():
        ResultStore(tmp_path).write(made)
    (tmp_path / "few.toml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_figures_of_a_suite_s_file_have_its_curve_over_shares(folder):
    answer = stbench("plots", folder / "few.toml", "--results", folder, "--format", "svg")
    drawn = {path.name for path in (folder / "paper").glob("*.svg")}
    assert drawn == {"fractions-1.svg"}, answer.stdout + answer.stderr  # stale runs are compared with none
    alone = stbench("plots", "fractions", "--results", folder, "--out", folder / "alone")
    assert "that one suite has; a suite of your own is named beside it by its TOML file" in alone.stdout


def test_the_report_has_the_suites_whose_files_are_named(folder):
    assert stbench("report", "--results", folder).returncode == 0
    assert "Where my data are few" not in (folder / "report.html").read_text(encoding="utf-8")
    answer = stbench("report", folder / "few.toml", "--results", folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert all(part in text for part in ("Where my data are few", "table-mine", "figure-fractions-1"))
    refused = stbench("report", "short_term", "--results", folder)
    assert refused.returncode == 2
    assert "'short_term' is no TOML file" in refused.stdout + refused.stderr


def test_python_takes_the_path_of_a_suite_s_file_and_reads_it_again_where_it_was_edited(folder):
    results, path = results_of(runs()), folder / "few.toml"
    assert {row.name for table in results.table(str(path)).tables for row in table.rows} == {"STID", "U-Net"}
    assert results.table(str(path)).csv["_differences"]["reference"].unique().tolist() == ["stid"]
    assert len(results.plot(str(path))) == 3
    path.write_text(TEXT.replace('"stid", "unet"', '"stid"'), encoding="utf-8")
    assert set(results.table(str(path)).csv[""]["method"]) == {"stid"}
