"""What ``bench.run``, ``bench.tune`` and their like tell a notebook: lines, warnings, frames and pictures."""

from __future__ import annotations

import math
import os
import re

import numpy as np
import pytest
from builders import make_data
from own_models import BUDGET, evaluated

import bench
from bench.catalog.dataset import Dataset
from bench.errors import BenchError
from bench.runs.runner import Runner
from bench.weights import FOLDER_VARIABLE


@pytest.fixture
def asked(tiny, tmp_path):
    """What is asked of ``bench.run`` and ``bench.tune``."""
    return {"datasets": ["tiny"], "settings": BUDGET, "data_dir": tiny, "results": tmp_path / "results"}


def test_each_run_that_ends_is_a_plain_line_unless_none_is_wanted(asked, capsys):
    lines = []
    bench.run(models=["last_value", "window_mean"], on_line=lines.append, **asked)
    assert lines[0].startswith("2 runs to do, profile quick")
    assert sorted(line.partition(": MAE")[0] for line in lines[1:]) == [  # two at a time end in any order
        f"✓ tiny / {model} / seed 0" for model in ("last_value", "window_mean")
    ]
    assert capsys.readouterr().out == ""
    bench.run(models=["last_value", "stid"], **asked)
    printed = capsys.readouterr().out
    assert re.fullmatch(
        r"1 run to do, profile quick.*\n✓ tiny / stid / seed 0: MAE .*\n"
        r"1 run was already in the store and was not repeated\n",
        printed,
    )
    bench.run(models=["ridge"], on_line=None, **asked)
    assert capsys.readouterr().out == ""


def test_a_line_a_minute_at_most_says_how_far_it_is(asked, monkeypatch):
    lines, epoch = [], r"at epoch (1 of 2; about \d+ s left|2 of 2)"
    bench.run(models=["stid"], on_line=lines.append, **asked)
    evaluated(asked["data_dir"], "stid", on_line=lines.append)
    assert not [line for line in lines if "epoch" in line]
    monkeypatch.setattr("bench.runs.progress.EVERY_S", 0.0)
    evaluated(asked["data_dir"], "stid", on_line=lines.append)
    assert re.fullmatch(f"tiny / stid / seed 0 {epoch}", lines[-1])
    bench.run(models=["stid"], on_line=lines.append, force=True, **asked)
    assert [line for line in lines[-3:] if re.fullmatch(f"tiny / stid / seed 0 {epoch}", line)]


def test_an_interrupt_says_that_what_is_finished_is_kept(asked, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "run", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        bench.run(models=["last_value"], **asked)
    assert caught.value.__notes__ == [
        f"Stopped. What is finished is kept in {asked['results']}; the same call goes on from there."
    ]


def test_a_folder_of_weights_is_that_of_one_call(asked, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setenv(FOLDER_VARIABLE, "before")
    bench.run(
        models=["last_value"], weights_dir=tmp_path, on_line=lambda _: seen.append(os.environ[FOLDER_VARIABLE]), **asked
    )
    assert {*seen} == {str(tmp_path)}
    assert os.environ[FOLDER_VARIABLE] == "before"
    with pytest.raises(BenchError, match=r"the weights folder .*absent is not a folder"):
        bench.evaluate("last_value", "tiny", data_dir=asked["data_dir"], weights_dir=tmp_path / "absent")


def test_tuning_leaves_what_the_command_leaves_and_gives_a_frame_of_trials(asked):
    pytest.importorskip("optuna")
    lines = []
    results = bench.tune(models=["stid", "last_value"], trials=2, on_line=lines.append, **asked)
    assert list(results.trials[["dataset", "model", "trial", "default"]].itertuples(index=False, name=None)) == [
        ("tiny", "stid", 0, True),
        ("tiny", "stid", 1, False),
    ]
    assert results.trials["train.lr"].notna().all()
    assert (asked["results"] / "tuned" / "tiny" / "stid.toml").is_file()
    assert lines[0].startswith("✓ tiny / stid / trial 0: validation MAE ")
    (study,) = bench.tune(models=["stid"], trials=2, on_line=None, **asked).studies
    assert re.fullmatch(r"Study\(tiny / stid: 2 trials, best validation MAE [\d.]+\)", repr(study))
    (record,) = bench.run(models=["stid"], tuned=True, **asked).records
    assert record.spec.tuned


def test_what_is_wrong_with_tuning_is_a_sentence_in_the_words_of_python(asked):
    pytest.importorskip("optuna")
    with pytest.raises(BenchError, match="trials= and budget_s= are two ways"):
        bench.tune(models=["stid"], trials=2, budget_s=3, **asked)
    settings = BUDGET | {"train.lr": 1e30, "train.epochs": 3}
    with pytest.warns(UserWarning, match="trials of tiny / stid in a row failed"):
        assert bench.tune(models=["stid"], trials=1, on_line=None, **asked | {"settings": settings}).studies == ()


def test_figures_are_shown_by_a_notebook_each_with_its_title(asked):
    results = bench.run(models=["last_value"], **asked)
    figures = results.plot("per_horizon")
    (shown,) = re.findall(r'src="data:image/png;base64,(\w{9})', figures._repr_html_())
    assert shown == "iVBORw0KG"
    assert "<figcaption>How does the error grow with the step" in figures._repr_html_()
    assert "<figcaption>" not in results.plot("per_horizon", titles=True)._repr_html_()


def test_scores_are_frames_by_step_and_by_channel(asked):
    results = bench.run(models=["last_value"], **asked)
    (record,) = results.records
    by_step, by_channel = results.scores_by("step"), record.scores_by("channel", "val")
    assert list(by_step["step"]) == [1, 2, 3, 4, 5, 6]
    assert list(by_step["mae"]) == record.scores["test"]["mae"].per_step
    assert list(by_channel["channel"]) == ["in", "out"]
    assert list(by_channel["rmse"]) == record.scores["val"]["rmse"].per_channel
    with pytest.raises(BenchError, match="there is no cut of scores named 'cell'"):
        record.scores_by("cell")


def test_a_score_is_asked_for_by_names_that_are_there(asked):
    (record,) = bench.run(models=["last_value"], on_line=None, **asked).records
    second = record.scores["test"]["rmse"].per_channel[1]
    assert record.score("rmse", 1) == record.score("rmse", "out") == second
    for words, message in {
        ("maee",): "there is no metric named 'maee'; did you mean 'mae'? known: mae, mape, r2, rmse, wape",
        ("mae", "val"): "there is no channel named 'val'; known: in, out; scores of validation are in record.scores",
        ("mae", 2): "there is no channel named '2'; known: in, out",
        ("mae", 1.0): "there is no channel named '1.0'; known: in, out",
    }.items():
        with pytest.raises(BenchError, match=f"^{re.escape(message)}"):
            record.score(*words)


def test_errors_of_windows_are_a_frame_that_adds_up_to_the_score(asked):
    (record,) = bench.run(models=["last_value"], on_line=None, **asked).records
    frame = record.errors_by_window()
    assert list(frame.columns) == ["start", "values", "mae", "rmse"]
    assert list(frame["start"]) == list(record.windows.starts)
    assert frame["values"].sum() == record.counts.test_values
    for name, power in (("mae", 1), ("rmse", 2)):
        pooled = np.average(frame[name] ** power, weights=frame["values"]) ** (1 / power)
        assert pooled == pytest.approx(record.score(name), rel=1e-5)


def test_a_model_of_ones_own_is_called_as_it_is_named(tiny, tmp_path):
    record = evaluated(tiny, lambda window: window.history, name="again", results=tmp_path)
    assert record.model == "again"
    assert [one.model for one in bench.load_results(tmp_path).records] == ["again"]
    with pytest.raises(BenchError, match=r"cannot be called '<lambda>'; give it another with name="):
        evaluated(tiny, lambda window: window.history)
    with pytest.raises(BenchError, match="the model 'stid' has its name already"):
        evaluated(tiny, "stid", name="other")


def test_a_data_set_has_times_and_is_shown_in_a_line(tiny, tmp_path):
    data = bench.load_dataset("bikenyc", tmp_path, cache=tmp_path / "cache")
    assert data.times.shape == data.values.shape[:1]
    assert list(np.diff(data.times[:3]).astype(int)) == [1800, 1800]
    assert repr(data).startswith(f"Dataset(bikenyc: T {len(data.times)}, C 2, H 10, W 20, {data.times[0]} to ")
    assert repr(data).endswith(", synthetic)")
    gaps = Dataset.of(make_data())
    assert (gaps.times is None) == (len(gaps.segments) > 1)
    assert len(repr(bench.forecast_windows("tiny", data_dir=tiny, cache=tmp_path / "cache"))) < 120
    assert math.isfinite(float(data.values[0].sum()))
