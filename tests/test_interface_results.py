"""The public interface for suites, results, models and data sets."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from builders import make_data
from msgspec.structs import replace
from records import record, trained_on
from studies import MODEL, tuned

import bench
from bench.analysis.results import Results
from bench.catalog import registry
from bench.errors import BenchError
from bench.runs.tuned import TunedFolder

BUDGET = {"train.epochs": 2, "train.steps_per_epoch": 3, "train.batch_size": 16}


class Recorder:
    """An observer that notes what became of each run."""

    def __init__(self):
        self.events = []

    def run_started(self, run):
        pass

    def epoch(self, run, row):
        pass

    def run_finished(self, run, record):
        self.events.append(record.status)

    def run_skipped(self, run, why):
        self.events.append(why)


def test_a_suite_is_run_as_selected_and_what_is_stored_is_not_repeated(tiny, tmp_path):
    observer = Recorder()
    asked = {
        "models": ["last_value", "window_mean"],
        "data_dir": tiny,
        "results": tmp_path,
        "observers": [observer],
        "jobs": 1,
    }
    results = bench.run(datasets=["tiny"], **asked)
    assert list(zip(results.frame["dataset"], results.frame["model"], strict=True)) == [
        ("tiny", "last_value"),
        ("tiny", "window_mean"),
    ]
    more = bench.run(datasets=["tiny", "tiny2"], **asked)
    assert len(more.records) == 4
    assert observer.events == ["done", "done", "stored", "stored", "done", "done"]
    bench.run(datasets=["tiny"], force=True, **asked)
    assert observer.events[6:] == ["done", "done"]


def test_a_run_that_fails_is_a_failed_record(tiny, tmp_path):
    settings = {"train.lr": 1e30, "train.epochs": 3}
    with pytest.warns(UserWarning, match=r"^tiny / stid / seed 0 failed: TrainingError: .*lower train.lr") as caught:
        results = bench.run(
            models=["stid"], datasets=["tiny"], settings=settings, data_dir=tiny, results=tmp_path, on_line=None
        )
    assert [warning.filename for warning in caught] == [__file__]
    assert "lower train.lr" in results.frame["error"].item()
    assert repr(results) == "Results(1 run: 0 done, 1 failed; 0 studies)"
    assert str(results.records[0]).startswith("stid on tiny, seed 0: failed: TrainingError: ")


def test_a_folder_without_results_is_a_warning(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.warns(UserWarning, match="is no results folder, which has a folder runs; name the one above or below"):
        assert bench.load_results(tmp_path).records == []


def test_a_run_that_fails_is_told_once(tiny, tmp_path, recwarn):
    lines, settings = [], {"train.lr": 1e30, "train.epochs": 3}
    asked = {"models": ["stid"], "datasets": ["tiny"], "settings": settings, "data_dir": tiny, "results": tmp_path}
    bench.run(on_line=lines.append, **asked)
    assert len([line for line in lines if "lower train.lr" in line]) == 1
    assert not recwarn.list


def test_a_suite_of_ones_own_is_run_and_has_its_groups(tiny, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\ntasks = ["short"]\nprotocol = "unist"\ndatasets = ["tiny"]\n'
        'models = ["last_value", "window_mean"]\n',
        encoding="utf-8",
    )
    results = bench.run(suite=str(path), data_dir=tiny, results=tmp_path / "results")
    (mine,) = (suite for suite in results.suites if suite.name == "mine")
    ((key, group),) = results.groups(mine).items()
    assert (key.protocol, [method.name for method in group.methods]) == ("unist", ["last_value", "window_mean"])


def test_tuned_settings_are_taken_where_they_are_asked_for(tiny, tmp_path):
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned())
    asked = {"models": ["stid"], "datasets": ["tiny"], "settings": BUDGET, "data_dir": tiny, "results": tmp_path}
    (record,) = bench.run(tuned=True, **asked).records
    assert (record.spec.tuned, record.spec.config["width"]) == (True, MODEL["width"])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"suite": "short_trem"}, "did you mean 'short_term'"),
        ({"models": ["stit"]}, "did you mean 'stid'"),
        ({"variants": ["no backbone"]}, "there is no variant named"),
        ({"seeds": [-1]}, "the seed -1 is no whole number"),
        ({"settings": {"model.widht": 3}}, "did you mean 'width'"),
        ({"tuned": True}, "no tuned settings"),
    ],
)
def test_a_wrong_plan_is_one_sentence_and_nothing_is_run(tiny, tmp_path, choices, message):
    with pytest.raises(BenchError) as caught:
        bench.run(**{"models": ["stid"], "datasets": ["tiny"], "data_dir": tiny, "results": tmp_path / "r"} | choices)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "r" / "runs").exists()


# What there is ------------------------------------------------------------------------------------------------------


def test_an_empty_results_folder_is_loaded_as_such(tmp_path):
    results = bench.load_results(tmp_path)
    assert (results.records, len(results.frame)) == ([], 0)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_record_or_suite_is_named(tmp_path):
    folder = tmp_path / "runs" / "tiny" / "stid"
    folder.mkdir(parents=True)
    (folder / f"{'0' * 16}.{'0' * 12}.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"left out: .*0{16}\.0{12}\.json"):
        assert bench.load_results(tmp_path).unread
    (folder / f"{'0' * 16}.{'0' * 12}.json").unlink()
    with pytest.raises(BenchError, match="there is no file"):
        bench.load_results(tmp_path, [str(tmp_path / "mine.toml")])


def test_models_and_data_sets_are_listed_with_those_of_ones_own(tiny):
    assert bench.list_models() == registry.model_names()
    assert {"stvfm", "stid", "last_value"} <= set(bench.list_models())
    assert bench.list_datasets(tiny) == sorted([*registry.dataset_names(), "tiny", "tiny2"])


def test_a_data_set_is_loaded_by_name(tiny, tmp_path):
    data = bench.load_dataset("tiny", tiny, tmp_path / "cache")
    np.testing.assert_array_equal(data.values, make_data(slots=400).values)
    assert (data.card.name, data.identity.synthetic) == ("tiny", False)
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".npz", ".npy", ".json"}
    with pytest.raises(BenchError, match="did you mean 'tiny"):
        bench.load_dataset("tinny", tiny, tmp_path / "cache")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": "stid"}, "models is 'stid', wanted a list; write models=['stid']"),
        ({"seeds": 3}, "seeds is 3, wanted a list"),
        ({"settings": ["train.epochs=3"]}, "wanted a dict"),
        ({"suite": "nowhere.toml"}, "there is no file nowhere.toml"),
        ({"suite": "short_trm"}, "did you mean 'short_term'"),
    ],
)
def test_a_mistake_in_what_is_asked_of_a_suite_is_one_sentence(tiny, tmp_path, asked, message):
    with pytest.raises(bench.BenchError, match=re.escape(message)):
        bench.run(**{"models": ["last_value"], "datasets": ["tiny"], "data_dir": tiny, "results": tmp_path} | asked)


def test_results_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(bench.BenchError, match=r"there is no folder .*nowhere; 'stbench run'"):
        bench.load_results(tmp_path / "nowhere")


def test_results_and_tables_say_what_they_are(tiny, tmp_path):
    results = bench.run(models=["last_value"], datasets=["tiny"], data_dir=tiny, results=tmp_path)
    assert repr(results) == "Results(1 run: 1 done; 0 studies)"
    shown = results.table("short_term")._repr_markdown_()
    assert shown == str(results.table("short_term"))
    assert "| *Last value* |" in shown


def test_a_figure_that_cannot_be_drawn_is_a_warning_and_no_silence(tiny, tmp_path):
    results = bench.run(models=["last_value"], datasets=["tiny"], data_dir=tiny, results=tmp_path)
    lacking = r"no figure 'ranks': it needs finished runs of several models .*, which Results\(.*1 done.*\) lacks"
    with pytest.warns(UserWarning, match=lacking):
        assert results.plot("ranks") == []


def test_a_run_on_data_that_are_not_registered_here_is_not_stale():
    shared = {"model": "last_value", "code": "0" * 12}
    known, mine, strange = (record(name, **shared) for name in ("bikenyc", "mine", "of_another_plugin"))
    imported = replace(mine, spec=replace(mine.spec, data=dataclasses.replace(mine.spec.data, version="import-1")))
    assert [Results([made]).runs[0].stale for made in (known, imported, strange)] == [True, True, False]


def test_a_run_that_was_trained_on_data_that_are_not_registered_here_is_not_stale():
    made = record("bikenyc", model="unet", task="transfer", code="0" * 12)
    known, strange = trained_on(made, "taxinyc"), trained_on(made, "taxinyc", "of_another_plugin")
    assert [Results([run]).runs[0].stale for run in (known, strange)] == [True, False]
