"""Suites, selections and the identity of runs."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest

from bench.catalog import registry
from bench.errors import BenchError, ConfigError, UnknownNameError
from bench.records.frame import changes
from bench.runs import spec
from bench.runs.plan import Selection, plan
from bench.runs.suite import layouts, load_suite, suite_names

TEN = {"taxibj", "taxinyc", "taxinyc2", "bikenyc", "bikenyc2", "tdrive", "crowd", "cellular", "trafficjn", "trafficsh"}


def make(catalog, **choices):
    chosen = {"datasets": ("tiny",), "models": ("stid",)} | choices
    return plan(load_suite("short_term"), Selection(**chosen), catalog)


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_names_the_ten_data_sets_but_the_one_of_a_published_table(name):
    named = set(load_suite(name).datasets)
    assert named == TEN or (name == "published" and named < TEN)
    assert {card for card in registry.dataset_names() if registry.load("dataset", card).CARD.in_suite} == TEN


def test_all_suites_load():
    assert {load_suite(name).name for name in suite_names()} == set(suite_names())


def test_a_plan_is_the_product_of_data_sets_models_and_seeds(catalog):
    models = tuple(registry.model_names())
    runs = make(catalog, datasets=("tiny", "tiny2"), models=(), profile="paper")
    found = [(run.dataset, run.model, run.spec.seed) for run in runs]
    assert found == list(itertools.product(("tiny", "tiny2"), models, (0, 1, 2)))
    assert len({run.run_id for run in runs}) == len(runs)


def test_data_sets_whose_files_are_there_join_a_suite(catalog):
    names = {run.dataset for run in make(catalog, datasets=())}
    assert names == TEN | {"tiny", "tiny2"}


def test_the_spec_writes_every_default_out(catalog):
    (run,) = make(catalog)
    config = registry.config_class("stid")
    assert set(run.spec.config) == {field.name for field in dataclasses.fields(config)}
    assert run.spec.as_dict()["train"]["lr"] == 2e-3


def test_overrides_enter_the_identity_and_the_label(catalog):
    (plain,) = make(catalog)
    (wide,) = make(catalog, overrides=("model.width=64", "train.epochs=3"))
    assert wide.spec.config["width"] == 64
    assert wide.spec.train.epochs == 3
    assert wide.spec.spec_id != plain.spec.spec_id
    assert wide.label["overrides"] == {"model.width": 64, "train.epochs": 3}


def test_a_model_setting_reaches_the_models_that_have_it(catalog):
    runs = make(catalog, models=("stid", "last_value"), overrides=("model.width=64",))
    assert [run.spec.config.get("width") for run in runs] == [64, None]
    assert runs[1].label["overrides"] == {}


def test_a_floor_is_one_run_whatever_the_training_recipe(catalog):
    (quick,) = make(catalog, models=("last_value",), overrides=("train.epochs=3",))
    (paper,) = make(catalog, models=("last_value",), profile="paper", seeds=(0,))
    assert quick.run_id == paper.run_id
    assert quick.label["overrides"] == {}


def test_an_override_that_repeats_the_default_is_the_same_run(catalog):
    (plain,) = make(catalog)
    (same,) = make(catalog, overrides=("model.width=32",))
    assert same.run_id == plain.run_id
    assert same.label == plain.label


def test_weights_follow_the_profile(catalog):
    (quick,) = make(catalog, models=("stvfm",))
    (paper,) = make(catalog, models=("stvfm",), profile="paper", seeds=(0,))
    (other,) = make(catalog, models=("stvfm",), profile="paper", seeds=(0,), overrides=("model.weights=random",))
    (without,) = make(catalog)
    assert [run.spec.weights for run in (quick, paper, other, without)] == ["random", "pretrained", "random", "none"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"models": ("stit",)}, "did you mean 'stid'"),
        ({"datasets": ("bikenyk",)}, "did you mean 'bikenyc"),
        ({"profile": "papr"}, "did you mean 'paper'"),
        ({"task": "shrt"}, "did you mean 'short'"),
        ({"overrides": ("model.widht=3",)}, "did you mean 'width'"),
        ({"overrides": ("train.epoch=3",)}, "did you mean 'epochs'"),
        ({"overrides": ("train.epochs=many",)}, "train.epochs"),
        ({"overrides": ("train.epochs=0",)}, "greater than or equal to 1"),
        ({"overrides": ("train.lr=nan",)}, "train.lr"),
        ({"overrides": ("train.lr=1e400",)}, "train.lr"),
        ({"overrides": ("model.dropout=nan",)}, "finite"),
        ({"overrides": (f"model.width={10**30}",)}, "64 bits"),
        ({"overrides": (f"task.history={2**63}",)}, "64 bits"),
        ({"overrides": ("width=3",)}, "task|model|train"),
        ({"overrides": ("data.x=3",)}, "task|model|train"),
        ({"protocol": "loose"}, "protocol"),
        ({"shard": "3/2"}, "i/n"),
        ({"shard": "two"}, "i/n"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(catalog, choices, message):
    with pytest.raises(BenchError) as caught:
        make(catalog, **choices)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shards_share_a_plan_without_overlap(catalog):
    whole = make(catalog, models=(), profile="paper")
    parts = [make(catalog, models=(), profile="paper", shard=f"{i}/4") for i in range(1, 5)]
    assert sorted(run.run_id for part in parts for run in part) == sorted(run.run_id for run in whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_an_unknown_suite_suggests_a_known_one():
    with pytest.raises(UnknownNameError, match="did you mean 'short_term'"):
        load_suite("short_trem")


@pytest.mark.parametrize("text", ["name = ", 'name = "x"', 'name = "x"\nsurprise = 1', f"name = {'1' * 5000}"])
def test_a_broken_suite_file_is_one_sentence(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.toml is not valid") as caught:
        load_suite(str(path))
    assert "\n" not in str(caught.value)


def test_a_suite_of_ones_own_runs_as_it_says(tmp_path, catalog):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\ntasks = ["short"]\nprotocol = "unist"\n'
        'datasets = ["tiny"]\nmodels = ["stid"]\n',
        encoding="utf-8",
    )
    (run,) = plan(load_suite(str(path)), Selection(), catalog)
    assert (run.dataset, run.model, run.spec.task.protocol) == ("tiny", "stid", "unist")


# Variants -----------------------------------------------------------------------------------------------------------


def variants(catalog, name="controls", **choices):
    runs = plan(load_suite(name), Selection(datasets=("tiny",), **choices), catalog)
    return {run.line: run for run in runs}


def test_variants_are_lines_after_the_models(catalog):
    found = variants(catalog)
    assert list(found)[:4] == ["last_value", "window_mean", "historical_average", "random, frozen"]
    assert found["no backbone"].spec.config["control"] == "identity"
    assert found["no backbone"].title == "tiny / no backbone / seed 0"


def test_nothing_pre_trained_is_run_where_weights_are_random_unless_by_name(catalog):
    pretrained = "pre-trained, frozen"
    assert pretrained not in variants(catalog)
    assert pretrained not in variants(catalog, profile="paper", overrides=("model.weights=random",))
    assert variants(catalog, profile="paper")[pretrained].spec.weights == "pretrained"
    named = variants(catalog, variants=(pretrained,))
    assert [(line, run.spec.weights) for line, run in named.items()] == [(pretrained, "pretrained")]


def test_a_variant_keeps_its_settings_whatever_is_set_for_all(catalog):
    found = variants(catalog, "ablation", overrides=("model.depth=6", "model.prompts=2"))
    assert [found[name].spec.config["depth"] for name in ("ST-VFM", "2 blocks", "12 blocks")] == [6, 2, 12]
    assert {run.spec.config.get("prompts", 2) for name, run in found.items() if "prompts" not in name} == {2}


def test_two_lines_that_are_one_run_are_run_once(catalog):
    found = variants(catalog, "ablation", overrides=("model.prompts=8",))
    assert "8 prompts" not in found
    assert found["ST-VFM"].spec.config["prompts"] == 8


def test_a_selected_model_brings_its_variants(catalog):
    found = variants(catalog, models=("stvfm", "stid"))
    assert list(found)[:2] == ["stid", "random, frozen"]
    assert "last_value" not in found


def test_every_variant_of_every_suite_is_planned_and_finds_its_line(catalog):
    for suite, layout in zip(map(load_suite, suite_names()), layouts(suite_names()), strict=True):
        runs = plan(suite, Selection(datasets=("tiny",), profile="paper", seeds=(0,)), catalog)
        for run in runs:
            row = {
                "model": run.model,
                "task": run.spec.task.name,
                "weights": run.spec.weights,
                "made_as_variant": False,
                "tuned": suite.tuned is True,
                "dataset": "tiny",
                "protocol": "strict",
                "role": "model",
            }
            texts = {name: changes(run.label[key]) for name, key in (("changes", "overrides"), ("base", "base"))}
            (place,) = layout.placed([{**row, **texts}])
            assert (place["line"], place["base"], place["recipe"]) == (
                run.line,
                "",
                "tuned settings" if suite.tuned else "",
            )
        assert {variant.name for variant in suite.variants} <= {run.line for run in runs}


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


def test_what_a_whole_suite_was_run_with_is_told_from_what_makes_a_line(catalog):
    found = variants(catalog, "ablation", overrides=("model.depth=6", "train.epochs=3"))
    labels = {name: run.label for name, run in found.items()}
    shared = {"model.depth": 6, "train.epochs": 3}
    assert labels["without flow"]["base"] == labels["2 blocks"]["base"] == labels["ST-VFM"]["overrides"] == shared
    assert labels["without flow"]["overrides"] == {**shared, "model.flow": False}
    assert labels["2 blocks"]["overrides"] == {**shared, "model.depth": 2}


HEAD = 'title = "T"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["tiny"]\n'
VARIANT = '[[variants]]\nname = "wide"\nmodel = "stid"\nsettings = { width = 64 }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "m"\n' + HEAD + VARIANT, "goes without"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT + VARIANT, "'wide' names two lines"),
        ('name = "m"\n' + HEAD + 'models = []\nreferences = ["narrow"]\n' + VARIANT, "'narrow' is no variant"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT + VARIANT.replace('"wide"', '"broad"'), "are the same"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT.replace("width", "widht"), "did you mean 'width'"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT.replace("stid", "stdi"), "did you mean 'stid'"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT.replace("64", "'much'"), "model (wide).width: Input"),
        ('name = "m"\n' + HEAD.replace('"tiny"', ""), "datasets: Tuple should have at least 1 item"),
        ('name = "../m"\n' + HEAD, "name: String should match"),
        ('name = "controls"\n' + HEAD, "choose another"),
    ],
)
def test_a_suite_that_makes_no_sense_is_one_sentence(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        layouts([str(path)])
    assert "\n" not in str(caught.value)


def test_a_model_beside_its_own_variant_is_a_line_of_its_own(tmp_path, catalog):
    path = tmp_path / "mine.toml"
    path.write_text('name = "m"\n' + HEAD + 'models = ["stid", "last_value"]\n' + VARIANT, encoding="utf-8")
    assert [run.line for run in plan(load_suite(str(path)), Selection(), catalog)] == ["stid", "last_value", "wide"]


def test_a_comment_changes_no_identity_and_an_edited_model_does(tmp_path, monkeypatch):
    model = tmp_path / "model.py"

    def code(text):
        model.write_text(text, encoding="utf-8")
        return spec.code_hash("tiny", "stid")

    plugin = registry.Plugin(kind="model", name="stid", module="x", files=(model,))
    monkeypatch.setattr(registry, "find", lambda kind, name: plugin)
    first = code('"""Doc."""\nx = 1\n\ndef f():\n    """Doc."""\n    return x\n')
    assert code('"""Other."""\nx = 1  # one\n\n\ndef f():\n    return x\n') == first
    assert code("x = 2\n\ndef f():\n    return x\n") != first
