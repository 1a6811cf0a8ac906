"""Suites, selections and the identity of runs."""

from __future__ import annotations

import dataclasses
import itertools
import re

import msgspec
import pytest
from planned_runs import failed

from bench.analysis.grouping import grouped
from bench.analysis.groups import Run
from bench.catalog import own_files, registry
from bench.errors import BenchError, ConfigError, UnknownNameError
from bench.runs.plan import Selection, plan
from bench.runs.profiles import PROFILES
from bench.runs.suite import load_suite, load_suites, suite_names
from bench.settings import chronological_split
from bench.windows import spread

TEN = {"taxibj", "taxinyc", "taxinyc2", "bikenyc", "bikenyc2", "tdrive", "crowd", "cellular", "trafficjn", "trafficsh"}


def make(catalog, **choices):
    chosen = {"datasets": ("tiny",), "models": ("stid",)} | choices
    return plan(load_suite("short_term"), Selection(**chosen), catalog)


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_names_the_ten_data_sets_but_those_of_a_published_table_and_of_planted_data(name):
    named = set(load_suite(name).datasets)
    assert named == TEN or (name == "published" and named < TEN) or load_suite(name).planted


def test_all_suites_load():
    assert {load_suite(name).name for name in suite_names()} == set(suite_names())


def test_a_plan_is_the_product_of_data_sets_models_and_seeds(catalog):
    models = tuple(registry.model_names())
    runs = make(catalog, datasets=("tiny", "tiny2"), models=(), profile="paper")
    assert sorted((run.dataset, run.model, run.spec.seed) for run in runs) == sorted(
        itertools.product(("tiny", "tiny2"), models, range(6))
    )
    assert len({run.run_id for run in runs}) == len(runs)


def test_what_is_not_trained_comes_first_on_each_data_set_and_what_is_fitted_at_once_next(catalog):
    runs = make(catalog, datasets=("tiny2", "tiny"), models=("stid", "ridge", "convlstm", "window_mean"))
    order = ["window_mean", "ridge", "stid", "convlstm"]
    assert [(run.dataset, run.model) for run in runs] == [
        (name, model) for name in ("tiny2", "tiny") for model in order
    ]


def test_a_planned_run_knows_the_city_and_the_source_of_its_data(catalog):
    (run,) = make(catalog, datasets=("bikenyc",))
    assert (run.label.city, run.label.source) == ("New York City", "Citi Bike")


def test_data_sets_whose_files_are_there_join_a_suite(catalog):
    names = {run.dataset for run in make(catalog, datasets=())}
    assert names == TEN | {"tiny", "tiny2"}


def test_the_spec_writes_every_default_out(catalog):
    (run,) = make(catalog)
    config = registry.config_class("stid")
    assert set(run.spec.config) == {field.name for field in dataclasses.fields(config)}
    assert msgspec.to_builtins(run.spec)["train"]["lr"] == 2e-3


def test_overrides_enter_the_identity_and_the_label(catalog):
    (plain,) = make(catalog)
    (wide,) = make(catalog, overrides=("model.width=64", "train.epochs=3"))
    assert wide.spec.config["width"] == 64
    assert wide.spec.train.epochs == 3
    assert wide.spec.spec_id != plain.spec.spec_id
    assert wide.label.overrides == {"model.width": 64, "train.epochs": 3}


def test_a_model_setting_reaches_the_models_that_have_it(catalog):
    runs = make(catalog, models=("stid", "last_value"), overrides=("model.width=64",))
    assert [run.spec.config.get("width") for run in runs] == [None, 64]
    assert runs[0].label.overrides == {}


def test_a_naive_baseline_is_one_run_whatever_the_training_recipe(catalog):
    (short,) = make(catalog, models=("last_value",), overrides=("train.epochs=3", "task.scored=0"))
    (paper,) = make(catalog, models=("last_value",), profile="paper", seeds=(0,))
    assert short.run_id == paper.run_id
    assert short.label.overrides == {}


def test_the_quick_profile_scores_few_windows_the_same_for_every_row_of_a_table(catalog):
    quick = make(catalog, models=())
    assert {run.spec.task.scored for run in quick} == {PROFILES["quick"].task["scored"]}
    assert {run.spec.task.scored for run in make(catalog, models=(), profile="paper", seeds=(0,))} == {0}
    few = make(catalog, models=("last_value", "stid"), overrides=("task.scored=7",))
    assert {run.spec.task.scored for run in few} == {7}
    assert not {run.run_id for run in quick} & {run.run_id for run in few}


def test_the_few_windows_of_the_quick_profile_are_of_every_quarter_of_the_day_on_the_ten_data_sets():
    most, quarter = PROFILES["quick"].task["scored"], 6  # hours
    for name in TEN:
        card = registry.load("dataset", name).CARD
        for start, stop in list(chronological_split(card.slots).values())[1:]:
            origins = start + spread(stop - start - 5, most)
            hours = origins % card.slots_per_day * 24 // card.slots_per_day
            assert set(hours // quarter) == {0, 1, 2, 3}, name


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


def test_the_paper_profile_has_a_whole_backbone_of_the_papers_families(catalog):
    (quick,) = make(catalog, models=("stvfm",))
    (paper,) = make(catalog, models=("stvfm",), profile="paper", seeds=(0,))
    assert [(run.spec.config["backbone"], run.spec.config["depth"]) for run in (quick, paper)] == [
        ("vit_tiny", 3),
        ("dinov2_small", 0),
    ]
    assert paper.label.overrides == {}
    (other,) = make(catalog, models=("st_llm",), profile="paper", seeds=(0,))
    assert other.spec.config["depth"] == 6  # no other model's depth is meant


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_gives_st_vfm_the_days_before_and_the_suite_of_ablations_takes_them_away(catalog, profile):
    rows = ("ST-VFM", "without days before", "without days before in its branch", "last value as base")
    chosen = Selection(
        datasets=("tiny",), profile=profile, seeds=(0,), variants=rows, overrides=("model.weights=random",)
    )
    planned = {run.method: run.spec.config for run in plan(load_suite("ablation"), chosen, catalog)}
    found = [(planned[row]["days"], planned[row]["base"]) for row in rows]
    assert found == [(True, "mixed"), (False, "last"), (False, "mixed"), (True, "last")]


def test_the_laptop_profile_trains_all_windows_of_three_seeds_from_weights_a_cpu_can_carry(catalog):
    runs = make(catalog, models=(), profile="laptop")
    assert {run.spec.seed for run in runs} == {0, 1, 2}
    assert {run.spec.task.scored for run in runs} == {0}
    assert {run.spec.train.steps_per_epoch for run in runs} == {0}
    configs = {run.model: run.spec.config for run in runs}
    weights = {model: config["weights"] for model, config in configs.items() if "weights" in config}
    pretrained = ("stvfm", "time_llm", "st_llm", "chronos_bolt", "fracast")
    assert weights == {**dict.fromkeys(pretrained, "pretrained"), "visionts": "random"}
    assert configs["stvfm"]["backbone"] == "dinov2_small"
    (paper,) = make(catalog, models=("last_value",), profile="paper", seeds=(0,))
    assert paper.run_id in {run.run_id for run in runs}


def test_the_reference_profile_is_a_recipe_of_its_own_of_which_something_may_be_claimed(catalog):
    laptop, own = (make(catalog, models=(), profile=name) for name in ("laptop", "reference"))
    assert {run.spec.seed for run in own} == {0, 1, 2}  # of fewer no trained model supports a claim
    assert {run.spec.task.scored for run in own} == {0}
    shared = {run.run_id for run in laptop} & {run.run_id for run in own}
    assert {run.model for run in own if run.run_id in shared} == {
        run.model for run in own if registry.is_naive(run.model)
    }
    assert PROFILES["reference"].claims
    assert "trained for {training};" in PROFILES["reference"].caveat  # as long as it was, read off the runs


@pytest.mark.parametrize("name", [name for name in suite_names() if load_suite(name).variants])
@pytest.mark.parametrize("profile", PROFILES)
def test_no_two_rows_of_a_suite_are_the_same_run(catalog, name, profile):
    suite = load_suite(name)
    chosen = Selection(datasets=("tiny",), profile=profile, seeds=(0,), variants=tuple(v.name for v in suite.variants))
    planned = plan(suite, chosen, catalog)
    assert len({run.run_id for run in planned}) == len(planned) == len(suite.variants) * len(suite.tasks)


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
        ({"overrides": ("task.days_back=1;7",)}, "days_back='1;7' is neither own nor none nor whole numbers"),
        ({"overrides": ("task.days_back=0",)}, "days_back='0' is neither"),
        ({"overrides": ("task.windows=some",)}, "task.windows"),
        ({"overrides": ("width=3",)}, "write task., model. or train. before its name"),
        ({"overrides": ("data.x=3",)}, "write task., model. or train. before its name"),
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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "TOML"),
        ('name = "x"', "title: Field required"),
        ('name = "x"\nsurprise = 1', "there is no key 'surprise'; known: name, title, "),
        ('name = "x"\ntitel = "T"', "there is no key 'titel'; did you mean 'title'?"),
        (f"name = {'1' * 5000}", "TOML"),
    ],
)
def test_a_broken_suite_file_is_one_sentence(tmp_path, text, why):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.toml is not valid") as caught:
        load_suite(str(path))
    assert why in str(caught.value)
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


HEAD = 'title = "T"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["tiny"]\n'
VARIANT = '[[variants]]\nname = "wide"\nmodel = "stid"\nsettings = { width = 64 }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "m"\n' + HEAD + VARIANT, "goes without"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT + VARIANT, "'wide' names two rows"),
        ('name = "m"\n' + HEAD + 'models = []\nreferences = ["narrow"]\n' + VARIANT, "'narrow' is no variant"),
        ('name = "m"\n' + HEAD + 'models = ["stid"]\nreferences = ["unet"]\n', "'unet' is none of the models"),
        ('name = "m"\n' + HEAD + 'models = ["stid"]\nreferences = ["stid"]\n' + VARIANT, "'stid' is no variant"),
        ('name = "m"\n' + HEAD + 'references = ["stfvm"]\n', "did you mean 'stvfm'"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT + VARIANT.replace('"wide"', '"broad"'), "are the same"),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT.replace("width", "widht"), "did you mean 'width'"),
        (
            'name = "m"\n' + HEAD + VARIANT.replace("settings", "setings"),
            "variants.0: there is no key 'setings'",
        ),
        ('name = "m"\n' + HEAD + "models = []\n" + VARIANT.replace("64", "'much'"), "model (wide).width: Input"),
        ('name = "m"\n' + HEAD.replace('"tiny"', ""), "datasets: Tuple should have at least 1 item"),
        ('name = "m"\n' + HEAD + '[task]\ndays = "1"\n', "setting task.*"),
        ('name = "m"\n' + HEAD + '[task]\ndays_back = "x"\n', "days_back='x' is neither"),
        ('name = "../m"\n' + HEAD, "name: String should match"),
        ('name = "m"\nmargin = 0\n' + HEAD, "margin: Input should be greater than 0"),
        ('name = "m"\nmargin = 101\n' + HEAD, "margin: Input should be less than or equal to 100"),
        ('name = "controls"\n' + HEAD, "choose another"),
    ],
)
def test_a_suite_that_makes_no_sense_is_one_sentence(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        load_suites([str(path)])
    assert "\n" not in str(caught.value)


def test_a_file_of_ones_own_that_is_called_as_a_reference_stops_no_suite(tmp_path):
    file = tmp_path / "stvfm.py"
    file.write_text("class Config: ...\n\n\nclass Model: ...\n", encoding="utf-8")
    with own_files.listed([own_files.names_the_file(str(file))]):
        assert "short_term" in {suite.name for suite in load_suites()}


def test_settings_of_the_task_hold_for_all_runs_of_a_suite_and_what_is_set_wins(catalog):
    suite = load_suite("same_information")
    given = {run.spec.task.days_back for run in plan(suite, Selection(datasets=("tiny",)), catalog)}
    assert given == {"7,1"}
    one = Selection(datasets=("tiny",), models=("stid",), overrides=("task.days_back=2, 1,2",))
    (run,) = plan(suite, one, catalog)
    assert run.spec.task.days_back == "2,1"


def test_a_suite_shows_no_run_of_another_task_setting(catalog):
    suite, selection = load_suite("same_information"), Selection(datasets=("tiny",), models=("stid",))
    (given,) = plan(suite, selection, catalog)
    (own,) = plan(load_suite("short_term"), selection, catalog)
    assert len(grouped([Run(record=failed(given, tuned=False))], suite)) == 1
    assert grouped([Run(record=failed(own, tuned=False))], suite) == {}


def test_a_protocol_set_for_a_few_shot_task_chooses_its_windows(catalog):
    def windows(**choices):
        (run,) = plan(load_suite("few_shot"), Selection(datasets=("tiny",), models=("stid",), **choices), catalog)
        return run.spec.task.windows

    assert windows(task="few5") == "last"
    assert windows(task="few5", protocol="unist") == "first"
    assert windows(task="few5", overrides=("task.protocol=unist",)) == "first"
    assert windows(task="few5", protocol="unist", overrides=("task.windows=last",)) == "last"


def test_a_suite_declares_the_margin_of_equivalence_or_takes_one_percent(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "m"\nmargin = 0.5\n' + HEAD, encoding="utf-8")
    assert load_suite(str(path)).margin == 0.5
    assert {suite.margin for suite in load_suites()} == {1.0}


def test_a_model_beside_its_own_variant_is_a_row_of_its_own(tmp_path, catalog):
    path = tmp_path / "mine.toml"
    path.write_text('name = "m"\n' + HEAD + 'models = ["stid", "last_value"]\n' + VARIANT, encoding="utf-8")
    assert [run.method for run in plan(load_suite(str(path)), Selection(), catalog)] == ["last_value", "stid", "wide"]
