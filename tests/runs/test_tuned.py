"""Files of tuned settings: what they hold, how they are read, and what ``run --tuned`` makes of them."""

from __future__ import annotations

import re

import pytest
import torch
from studies import MODEL, found, tuned

from bench.analysis.results import Results
from bench.errors import BenchError, ConfigError
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.search import search_of, searched
from bench.runs.suite import load_suite
from bench.runs.tuned import Tuned, TunedFolder, digest, dumped

BUDGET = ("train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=8")


@pytest.fixture
def folder(tmp_path):
    return TunedFolder(tmp_path)


@pytest.fixture
def written(folder):
    """Replaces the text of the file for STID on ``tiny``."""

    def write(text):
        path = folder.path("tiny", "stid", "short")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def specs(catalog, folder):
    def make(*models, overrides=(), use=True, suite="short_term", **choices):
        selection = Selection(models=models, datasets=("tiny",), overrides=overrides, **choices)
        return [run.spec for run in plan(load_suite(suite), selection, catalog, folder if use else None)]

    return make


def test_a_file_that_was_written_reads_back_as_it_was(folder):
    assert folder.write("tiny", "stid", "short", tuned()) is None
    assert folder.read("tiny", "stid", "short") == tuned()
    assert [(file.dataset, file.model) for file in folder.files()] == [("tiny", "stid")]


def test_a_hand_edit_is_taken_and_known(folder, written):
    written(dumped("tiny", "stid", tuned()).replace("width = 64", "width = 16  # enough for a tiny city"))
    again = folder.read("tiny", "stid", "short")
    assert again.model["width"] == 16
    assert again.edited
    assert not tuned().edited


def test_tuning_again_keeps_an_edited_file_aside(folder, written):
    path = written(dumped("tiny", "stid", tuned()).replace("width = 64", "width = 16"))
    assert folder.write("tiny", "stid", "short", tuned()) is None  # nothing new was found
    assert "width = 16" in path.read_text(encoding="utf-8")
    aside = folder.write("tiny", "stid", "short", tuned(finished=8))
    assert "width = 16" in aside.read_text(encoding="utf-8")
    assert "width = 64" in path.read_text(encoding="utf-8")
    assert folder.write("tiny", "stid", "short", tuned(finished=12)) is None
    written(dumped("tiny", "stid", tuned()).replace("width = 64", "width = 8"))
    second = folder.write("tiny", "stid", "short", tuned(finished=16))
    assert "width = 8" in second.read_text(encoding="utf-8")
    assert "width = 16" in aside.read_text(encoding="utf-8"), "the file that was kept first is lost"


def test_each_task_has_a_file_of_its_own(folder):
    folder.write("tiny", "stid", "short", tuned())
    folder.write("tiny", "stid", "long", tuned(task="long", best_mae=9.0))
    assert folder.read("tiny", "stid", "short").found.best_mae == 4.25
    assert folder.read("tiny", "stid", "long").found.best_mae == 9.0
    assert [(file.dataset, file.model) for file in folder.files()] == [("tiny", "stid")] * 2


def test_a_tuned_run_has_the_files_values_and_another_id(folder, specs):
    folder.write("tiny", "stid", "short", tuned())
    (plain,), (spec,) = specs("stid", use=False), specs("stid")
    assert [spec.config[name] for name in MODEL] == list(MODEL.values())
    assert spec.train.lr == 0.003
    assert spec.tuned is True
    assert spec.spec_id != plain.spec_id
    assert plain.tuned is False


def test_tuned_settings_that_are_the_defaults_still_make_a_run_of_their_own(folder, specs, written):
    written("")
    (plain,), (spec,) = specs("stid", use=False), specs("stid")
    assert spec.config == plain.config
    assert spec.spec_id != plain.spec_id


def test_what_is_set_by_hand_wins_over_the_file(folder, specs):
    folder.write("tiny", "stid", "short", tuned())
    (spec,) = specs("stid", overrides=("model.width=16", "train.lr=0.01"))
    assert (spec.config["width"], spec.config["layers"], spec.train.lr) == (16, 1, 0.01)


def test_a_naive_baseline_goes_untuned_beside_tuned_models(folder, specs):
    folder.write("tiny", "stid", "short", tuned())
    naive, model = specs("last_value", "stid")
    assert naive.tuned is False
    assert model.tuned


def test_a_model_without_a_file_is_told_with_the_command_that_makes_it(specs):
    with pytest.raises(
        ConfigError, match=r"no tuned settings .*stid\.toml; 'stbench tune --model stid --dataset tiny'"
    ):
        specs("stid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model\n", "cannot be read as TOML"),
        (f"[model]\nwidth = {'1' * 5000}\n", "cannot be read as TOML"),
        ('[model]\nwidth = "wide"\n', "width"),
        ("[model]\nwidht = 3\n", "did you mean 'model.width'"),
        ("[model]\nwidth = [1]\n", "model.width"),
        ("[train]\nepochs = 1000\n", "no tunable setting of 'stid' named 'train.epochs'"),
        ("[train]\nlr = nan\n", "lr"),
        ("[train]\nlr = -1.0\n", "lr"),
        ("[best]\nlr = 0.1\n", "best"),
        ('[found]\nstudy = "x"\n', "found.task"),
    ],
)
def test_a_bad_file_is_told_in_one_sentence_that_names_it(text, message, specs, written):
    written(text)
    with pytest.raises(BenchError, match=r"stid\.toml") as caught:
        specs("stid")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("other", [{"protocol": "unist"}, {"profile": "paper"}])
def test_settings_found_under_another_protocol_or_profile_are_refused(other, folder, specs, written):
    folder.write("tiny", "stid", "short", tuned())
    with pytest.raises(ConfigError, match="were found for task short, protocol strict, profile quick"):
        specs("stid", **other)
    written("[model]\nwidth = 64\n")
    assert specs("stid", **other)[0].config["width"] == 64


def test_settings_found_on_synthetic_data_are_refused_where_the_data_are(folder, specs):
    folder.write("tiny", "stid", "short", tuned(synthetic=True))
    with pytest.raises(ConfigError, match=r"were found on synthetic data, and the real data are here"):
        specs("stid")


# Everyone tuned equally


@pytest.fixture
def searched_by(specs):
    """The search that ``tune`` would make of a model with these settings set."""

    def search(model="stid", overrides=()):
        (spec,) = specs(model, overrides=overrides, use=False)
        return search_of(spec, searched(model, overrides))

    return search


def test_everyone_tuned_wants_that_all_were_given_the_same(folder, specs, searched_by):
    folder.write("tiny", "stid", "short", tuned(search=searched_by()))
    lines = {"fixed": (), "search": searched_by("dlinear"), "values": digest({}, {})}
    folder.write("tiny", "dlinear", "short", Tuned(found=found(asked="8 trials", finished=8, **lines)))
    with pytest.raises(ConfigError, match=r"on tiny stid was tuned with 4 trials and dlinear with 8 trials"):
        specs("stid", "dlinear", suite="everyone_tuned")
    assert len(specs("stid", "dlinear")) == 2
    folder.write("tiny", "dlinear", "short", Tuned(found=found(**lines)))
    assert len(specs("stid", "dlinear", suite="everyone_tuned")) == 2


def test_everyone_tuned_refuses_what_was_written_or_edited_by_hand_and_others_take_it(
    folder, specs, written, searched_by
):
    path = written("[model]\nwidth = 16\n")
    with pytest.raises(
        ConfigError, match=r"stid\.toml were written by hand; 'stbench tune --model stid --dataset tiny'"
    ):
        specs("stid", suite="everyone_tuned")
    assert specs("stid")[0].tuned_with == "by hand"
    path.unlink()
    folder.write("tiny", "stid", "short", tuned(search=searched_by()))
    assert specs("stid", suite="everyone_tuned")[0].tuned_with == "4 trials"
    written(path.read_text(encoding="utf-8").replace("width = 64", "width = 16"))
    with pytest.raises(ConfigError, match=r"stid\.toml were edited by hand since they were found; .*or run a suite"):
        specs("stid", suite="everyone_tuned")
    assert specs("stid")[0].tuned_with == "by hand"


@pytest.mark.parametrize(
    ("tuned_so", "run_so", "difference"),
    [
        (("train.epochs=2",), (), "another recipe.*; tuned with train.epochs=2, run without --set"),
        ((), ("train.loss=mse",), "another recipe.*; tuned without --set, run with train.loss=mse"),
        ((), ("model.width=16",), "another space was searched and another recipe.*run with model.width=16"),
    ],
)
def test_everyone_tuned_refuses_what_another_search_found(tuned_so, run_so, difference, folder, specs, searched_by):
    folder.write("tiny", "stid", "short", tuned(fixed=tuned_so, search=searched_by(overrides=tuned_so)))
    with pytest.raises(ConfigError, match=rf"stid\.toml were found by another search \({difference}") as caught:
        specs("stid", overrides=run_so, suite="everyone_tuned")
    assert (
        "'stbench tune --model stid --dataset tiny', or bench.tune(models=['stid'], datasets=['tiny']), finds settings"
        in str(caught.value)
    )
    assert "\n" not in str(caught.value)
    assert specs("stid", overrides=run_so)[0].tuned
    assert specs("stid", overrides=tuned_so, suite="everyone_tuned")[0].tuned


def test_everyone_tuned_refuses_a_file_that_does_not_say_how_it_was_found(folder, specs):
    folder.write("tiny", "stid", "short", tuned())
    with pytest.raises(ConfigError, match="do not say by which search they were found"):
        specs("stid", suite="everyone_tuned")


# Variants


ROWS = """
name = "mine"
title = "Mine"
tasks = ["short"]
protocol = "strict"
datasets = ["tiny"]
models = ["last_value"]
variants = [
    { name = "as it is", model = "stid" },
    { name = "a narrow one", model = "stid", settings = { width = 16 } },
]
"""


@pytest.fixture
def rows(catalog, folder, tmp_path):
    """The settings of each row of a suite of one's own, tuned."""
    path = tmp_path / "mine.toml"
    path.write_text(ROWS, encoding="utf-8")

    def make(**choices):
        runs = plan(load_suite(str(path)), Selection(datasets=("tiny",), **choices), catalog, folder)
        return {run.method: run.spec for run in runs}

    return make


def test_a_variant_takes_its_own_file_and_never_that_of_the_model_it_is_compared_with(folder, rows):
    folder.write("tiny", "stid", "short", tuned())
    command = r"'stbench tune --suite FILE --variant \"a narrow one\" --dataset tiny'"
    with pytest.raises(ConfigError, match=rf"no tuned settings .*stid@width-16\.toml; {command}"):
        rows()
    own = Tuned(model={"layers": 3}, train={"lr": 1e-4}, found=found(values=digest({"layers": 3}, {"lr": 1e-4})))
    folder.write("tiny", "stid", "short", own, "width-16")
    specs = rows()
    assert (specs["as it is"].config["width"], specs["as it is"].config["layers"], specs["as it is"].train.lr) == (
        64,
        1,
        3e-3,
    )
    narrow = specs["a narrow one"]
    assert (narrow.config["width"], narrow.config["layers"], narrow.train.lr) == (16, 3, 1e-4)
    assert not specs["last_value"].tuned
    assert [(file.name, file.tuned.train["lr"]) for file in folder.files()] == [("stid", 3e-3), ("stid@width-16", 1e-4)]


def test_a_missing_control_is_told_with_its_suite_and_its_name(catalog, folder):
    selection = Selection(variants=("shuffled tokens",), datasets=("tiny",))
    with pytest.raises(ConfigError, match=r"--suite controls --variant \"shuffled tokens\" --dataset tiny"):
        plan(load_suite("controls"), selection, catalog, folder)


def test_settings_found_with_other_effort_or_by_hand_make_groups_and_runs_of_their_own(
    folder, catalog, tmp_path, written
):
    selection = Selection(models=("stid",), datasets=("tiny",), overrides=BUDGET)
    suite, ids = load_suite("short_term"), []
    for settings in (tuned(), tuned(asked="8 trials", finished=8)):
        folder.write("tiny", "stid", "short", settings)
        runs = plan(suite, selection, catalog, folder)
        ids.append(runs[0].run_id)
        assert Runner(catalog, tmp_path, torch.device("cpu")).run(runs)["done"] == 1
    written("[model]\nwidth = 64\nlayers = 1\n")
    assert Runner(catalog, tmp_path, torch.device("cpu")).run(plan(suite, selection, catalog, folder))["done"] == 1
    assert len(set(ids)) == 2
    results = Results.load(tmp_path)
    either = suite.model_copy(update={"name": "either", "tuned": None})
    recipes = [key.recipe for key in results.groups(either)]
    assert sorted(re.findall(r"tuned settings \(([\w ]+)\)", " ".join(recipes))) == ["4 trials", "8 trials", "by hand"]
    equal = [key.recipe for key in results.groups(load_suite("everyone_tuned"))]
    assert len(equal) == 2
    assert not any("by hand" in recipe for recipe in equal)


def test_a_record_says_that_it_is_tuned_and_no_table_mixes_it_with_others(folder, catalog, tmp_path):
    folder.write("tiny", "stid", "short", tuned())
    selection = Selection(models=("stid", "last_value"), datasets=("tiny",), overrides=BUDGET)
    suite = load_suite("short_term")
    for use in (folder, None):
        runs = plan(suite, selection, catalog, use)
        assert Runner(catalog, tmp_path, torch.device("cpu"), isolated=False).run(runs)["failed"] == 0
    results = Results.load(tmp_path)
    assert sorted(zip(results.frame["model"], results.frame["tuned"], strict=True)) == [
        ("last_value", False),
        ("stid", False),
        ("stid", True),
    ]
    (plain,), (own,) = (results.groups(load_suite(name)).values() for name in ("short_term", "everyone_tuned"))
    assert "tuned settings" in own.key.title
    assert "tuned" not in plain.key.title
    assert [[method.name for method in group.methods] for group in (plain, own)] == [["last_value", "stid"]] * 2
    either = load_suite("short_term").model_copy(update={"name": "either", "tuned": None})
    assert list(results.groups(either)) == [plain.key, own.key]


def test_a_table_of_tuned_runs_without_any_has_no_naive_baselines_either(catalog, tmp_path):
    runs = plan(load_suite("short_term"), Selection(models=("last_value",), datasets=("tiny",)), catalog)
    assert Runner(catalog, tmp_path, torch.device("cpu"), isolated=False).run(runs)["failed"] == 0
    assert Results.load(tmp_path).groups(load_suite("everyone_tuned")) == {}


def test_settings_that_a_model_no_longer_has_stay_in_the_ledger_and_are_not_run(tmp_path):
    folder = TunedFolder(tmp_path)
    folder.write("tiny", "stid", "short", tuned())
    path = folder.path("tiny", "stid", "short")
    path.write_text(path.read_text().replace("[model]\n", "[model]\nlora_rank = 4\n"))
    assert [(file.dataset, file.model) for file in folder.files()] == [("tiny", "stid")]
    with pytest.raises(ConfigError, match=r"no tunable setting of 'stid' named 'model.lora_rank'"):
        folder.read("tiny", "stid", "short")
