"""The command ``score``, in this process: a template, forecasts of one's own, what is printed, and the tables."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import ConfigError, ForecastError
from bench.records.store import ResultStore


@pytest.fixture
def score(tiny, tmp_path):
    def call(*words, code=0):
        places = ["--data-dir", str(tiny), "--results", str(tmp_path / "results")]
        track = [] if "--template" in words or "--tracking-uri" in words else ["--no-track"]
        answer = CliRunner().invoke(app, ["score", *map(str, words), *places, *track], env={"COLUMNS": "200"})
        if isinstance(answer.exception, ConfigError | ForecastError):
            raise answer.exception
        assert answer.exit_code == code, answer.output + repr(answer.exception)
        return " ".join(answer.output.split())

    return call


@pytest.fixture
def mine(score, tmp_path):
    """Forecasts of one's own beside the windows of a template: all of them 20 trips."""
    printed = score("--template", tmp_path / "windows.npz", "--dataset", "tiny")
    assert "wanted: 55 windows, whose first steps are from 2020-01-13T02:00:00 to 2020-01-14T05:00:00" in printed
    assert "shape [N, F, C, H, W] = (55, 6, 2, 3, 4); channels in, out; in trips" in printed
    with np.load(tmp_path / "windows.npz") as template:
        np.savez(tmp_path / "mine.npz", forecasts=np.full(template["shape"], 20.0), **template)
    return tmp_path / "mine.npz"


def test_a_template_is_filled_and_scored_and_stands_in_the_tables_with_a_mark(score, mine, tmp_path):
    printed = score(mine)
    assert "✓ tiny / mine / seed 0: MAE" in printed
    assert "made elsewhere, not audited" in printed
    assert " mine ★ " in printed
    assert "★ forecasts made elsewhere: scored here, not audited, not ranked" in printed
    assert "in order" not in printed
    (record,) = ResultStore(tmp_path / "results").records()
    assert (record.model, record.external) == ("mine", True)
    assert "mine ★" in (tmp_path / "results" / "tables" / "short_term.md").read_text(encoding="utf-8")
    assert "were scored before; their record stays as it is" in score(mine)
    assert "lacks the one that was there already" in score(mine, "--tracking-uri", "http://127.0.0.1:9")


def test_a_file_without_origins_is_taken_in_order_and_that_is_said(score, mine, tmp_path):
    np.save(tmp_path / "plain.npy", np.load(mine)["forecasts"])
    printed = score(tmp_path / "plain.npy", "--dataset", "tiny", "--name", "other", "--seed", 2)
    assert "taken as the 55 from 2020-01-13T02:00:00 to 2020-01-14T05:00:00, in order" in printed
    (record,) = ResultStore(tmp_path / "results").records()
    assert (record.model, record.seed) == ("other", 2)


def test_another_array_of_a_file_is_named_by_its_key(score, mine, tmp_path):
    np.savez(tmp_path / "two.npz", truth=np.load(mine)["forecasts"], guess=np.load(mine)["forecasts"])
    with pytest.raises(ForecastError, match="say which with --key of 'stbench score'"):
        score(tmp_path / "two.npz", "--dataset", "tiny")
    assert "✓ tiny / two / seed 0" in score(tmp_path / "two.npz", "--dataset", "tiny", "--key", "guess")


def test_what_is_scored_is_told_to_mlflow_once(score, mine, monkeypatch):
    told = []

    class Recorder:
        def __init__(self, uri, results, *, warn):
            self.uri = uri

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def run_started(self, run):
            told.append((self.uri, run.run_id))

        def run_finished(self, run, record):
            told.append((run.run_id, record.run_id, record.external))

    monkeypatch.setattr("bench.records.tracking_process.TrackerBeside", Recorder)
    for _ in range(2):
        score(mine, "--tracking-uri", "http://127.0.0.1:9")
    (uri, run_id), finished = told
    assert (uri, finished) == ("http://127.0.0.1:9", (run_id, run_id, True))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say which forecasts: stbench score FILE"),
        (["a.npz", "--template", "t.npz"], "say which forecasts"),
        (["--template", "t.npz"], "say --dataset NAME"),
        (["--template", "t.csv", "--dataset", "tiny"], "does not end in .npz"),
        (["nowhere.npz", "--dataset", "tiny"], "nowhere.npz is not there"),
    ],
)
def test_wrong_words_are_one_sentence(score, words, sentence):
    with pytest.raises((ConfigError, ForecastError), match=sentence):
        score(*words)


def test_a_template_never_replaces_a_file(score, mine):
    with pytest.raises(ConfigError, match="is there already"):
        score("--template", mine, "--dataset", "tiny")
