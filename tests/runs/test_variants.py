"""Variants in a suite: which are planned, with which settings, and in which row they are found."""

from __future__ import annotations

import pytest
from planned_runs import failed
from typer.testing import CliRunner

from bench.analysis.grouping import grouped
from bench.analysis.groups import Run
from bench.cli.app import app
from bench.errors import BenchError, UnknownNameError
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite, load_suites


def variants(catalog, name="controls", **choices):
    runs = plan(load_suite(name), Selection(datasets=("tiny",), **choices), catalog)
    return {run.method: run for run in runs}


def test_variants_are_rows_after_the_models(catalog):
    planned = variants(catalog)
    assert list(planned)[:4] == ["last_value", "window_mean", "historical_average", "random, frozen"]
    assert planned["no backbone"].spec.config["control"] == "identity"
    assert planned["no backbone"].title == "tiny / no backbone / seed 0"


def test_nothing_pre_trained_is_run_where_weights_are_random_unless_by_name(catalog):
    pretrained = "pre-trained, frozen"
    from_file = {pretrained, "matched random, frozen", "permuted, frozen"}
    assert not from_file & {*variants(catalog)}
    assert pretrained not in variants(catalog, profile="paper", overrides=("model.weights=random",))
    assert variants(catalog, profile="paper")[pretrained].spec.weights == "pretrained"
    named = variants(catalog, variants=(pretrained,))
    assert [(method, run.spec.weights) for method, run in named.items()] == [(pretrained, "pretrained")]


def test_a_plan_says_which_variants_are_left_out_where_weights_are_random(tiny, tmp_path):
    def planned(*words):
        where = ("--data-dir", str(tiny), "--results", str(tmp_path / "results"), "--device", "cpu")
        command = [
            "run",
            "--suite",
            "controls",
            "--dataset",
            "tiny",
            *where,
            "--dry-run",
            "--executor",
            "slurm",
            *words,
        ]
        return CliRunner().invoke(app, command, env={"COLUMNS": "400"}).output

    said = "left out, since they start from pre-trained weights and weights are random here: "
    names = "'pre-trained, frozen', 'matched random, frozen', 'permuted, frozen'; name one by --variant"
    assert said + names in planned()
    assert said not in planned("--variant", "no backbone")
    assert said not in planned("--profile", "paper")
    assert said not in planned("--model", "last_value")


def test_an_unknown_variant_is_answered_with_names_that_can_be_told_apart(catalog):
    with pytest.raises(UnknownNameError, match="known: 'matched random, frozen', 'no backbone', "):
        variants(catalog, variants=("x",))


@pytest.mark.parametrize("suite", ["controls_bare", "controls_pictures"])
def test_the_head_is_bare_in_every_row_of_the_suite_that_says_so(catalog, suite):
    rows = load_suite(suite).variants
    planned = variants(catalog, suite, variants=tuple(row.name for row in rows))
    assert [run.spec.config["head"] for run in planned.values()] == ["linear"] * len(rows)


def test_the_backbone_is_whole_and_sees_pictures_in_every_row_of_the_suite_that_says_so(catalog):
    rows = load_suite("controls_pictures").variants
    planned = variants(catalog, "controls_pictures", variants=tuple(row.name for row in rows), profile="laptop")
    assert {(run.spec.config["tokens"], run.spec.config["depth"]) for run in planned.values()} == {("image", 0)}


def test_a_variant_keeps_its_settings_whatever_is_set_for_all(catalog):
    planned = variants(catalog, "ablation", overrides=("model.depth=6", "model.prompts=2"))
    assert [planned[name].spec.config["depth"] for name in ("ST-VFM", "2 blocks", "8 blocks")] == [6, 2, 8]
    assert {run.spec.config.get("prompts", 2) for name, run in planned.items() if "prompts" not in name} == {2}


def test_two_methods_that_are_one_run_are_run_once(catalog):
    planned = variants(catalog, "ablation", overrides=("model.prompts=8",))
    assert "8 prompts" not in planned
    assert planned["ST-VFM"].spec.config["prompts"] == 8


def test_a_selected_model_brings_its_variants(catalog):
    planned = variants(catalog, models=("stvfm", "stid"))
    assert list(planned)[:2] == ["stid", "random, frozen"]
    assert "last_value" not in planned


def test_every_variant_of_every_suite_is_planned_and_finds_its_row(catalog):
    for suite in load_suites():
        runs = plan(suite, Selection(datasets=("tiny",), profile="paper", seeds=(0,)), catalog)
        for run in runs:
            ((key, group),) = grouped([Run(record=failed(run, tuned=suite.tuned is True))], suite).items()
            ((data, method),) = group.cells
            assert (data.dataset, key.task, key.protocol) == ("tiny", run.spec.task.name, run.spec.task.protocol)
            assert (method.name, key.base, key.recipe) == (run.method, "", "tuned settings" if suite.tuned else "")
        assert {variant.name for variant in suite.variants} <= {run.method for run in runs}


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("controls", {"variants": ("no backbon",)}, "did you mean 'no backbone'"),
        ("short_term", {"variants": ("no backbone",)}, "there is no variant named 'no backbone'"),
        ("controls", {"overrides": ("model.controll=x",)}, "did you mean 'control'"),
    ],
)
def test_a_wrong_variant_is_one_sentence(catalog, name, choices, message):
    with pytest.raises(BenchError, match=message):
        variants(catalog, name, **choices)


def test_what_a_whole_suite_was_run_with_is_told_from_what_makes_a_row(catalog):
    planned = variants(catalog, "ablation", overrides=("model.depth=6", "train.epochs=3"))
    labels = {name: run.label for name, run in planned.items()}
    shared = {"model.depth": 6, "train.epochs": 3}
    assert labels["without flow"].base == labels["2 blocks"].base == labels["ST-VFM"].overrides == shared
    assert labels["without flow"].overrides == {**shared, "model.flow": False}
    assert labels["2 blocks"].overrides == {**shared, "model.depth": 2}


def test_two_suites_that_compare_their_own_rows_never_ask_in_the_same_words():
    asked = [suite.question for suite in load_suites() if suite.variants and suite.question]
    assert sorted(asked) == sorted({*asked})


def test_rows_of_one_name_start_from_the_same_weights_in_every_suite_of_controls():
    meant = {row.name: row.settings for row in load_suite("controls").variants}
    for name in ("controls_bare", "controls_pictures", "data_efficiency", "transfer", "planted"):
        rows = [row for row in load_suite(name).variants if row.name in meant]
        assert len(rows) > 2
        for row in rows:
            assert meant[row.name].items() <= row.settings.items(), (name, row.name)
