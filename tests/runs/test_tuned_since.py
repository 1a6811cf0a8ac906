"""What tuned settings are owed to: trials or seconds, and which code, where a study goes on or a file is edited."""

from __future__ import annotations

import pytest
from studies import found, tuned

from bench.cli.run import _say_searched_before
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.tuned import Tuned, TunedFolder

BUDGET = ("train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=8")


@pytest.fixture
def folder(tmp_path):
    return TunedFolder(tmp_path)


def test_a_file_of_a_study_that_goes_on_keeps_the_seconds_that_were_asked_for(folder):
    def asked_for(asked, finished, **facts):
        folder.write("tiny", "dlinear", "short", Tuned(found=found(asked=asked, finished=finished, **facts)))
        return folder.read("tiny", "dlinear", "short").found.asked

    assert asked_for("600 s", 9) == "600 s"
    assert asked_for("60 s", 9) == "600 s"
    assert asked_for("700 s", 11) == "700 s"
    assert asked_for("60 s", 11, study="another") == "60 s"
    assert asked_for("20 trials", 20) == "20 trials"
    assert asked_for("60 s", 20) == "20 trials"
    assert asked_for("2 trials", 3) == "2 trials"
    assert asked_for("3 trials", 3) == "3 trials"


def test_tuned_runs_whose_settings_were_searched_with_other_code_are_named(folder, catalog):
    selection = Selection(models=("stid",), datasets=("tiny",), overrides=BUDGET)

    def of_other_code(code):
        folder.write("tiny", "stid", "short", tuned(code=code))
        return folder.of_other_code(plan(load_suite("short_term"), selection, catalog, folder))

    (run,) = plan(load_suite("short_term"), selection, catalog)
    assert of_other_code("f" * 12) == ["tiny / stid"]
    assert of_other_code("") == []  # of an earlier version
    assert of_other_code(run.code) == []
    assert folder.of_other_code([run]) == []  # it is not tuned


def test_settings_that_were_tuned_with_other_code_are_told_of(monkeypatch, tmp_path, capsys):
    other = [f"tiny / {name}" for name in ("stid", "unet", "vit", "simvp")]
    monkeypatch.setattr("bench.runs.tuned.TunedFolder.of_other_code", lambda *_: other)
    _say_searched_before([], tmp_path)
    named = "tiny / stid, tiny / unet, tiny / vit and 1 more"
    told = f"the settings of {named} were tuned with other code than today's; tune again"
    assert " ".join(capsys.readouterr().err.split()) == told
