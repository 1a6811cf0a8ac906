"""What a search is: its space, what is held fixed around it, and how its variant is called."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from bench.catalog import registry
from bench.config import Space
from bench.runs import search
from bench.runs.plan import Selection, plan
from bench.runs.search import RECIPE, parts_of_stem, search_of, searched, slug, spaces, stem, variant_texts
from bench.runs.suite import Suite, load_suite

SAFE = re.compile(r"[A-Za-z0-9_+-]+")


# What is searched


def test_a_naive_baseline_has_nothing_to_tune_and_a_model_its_own_settings_and_the_learning_rate():
    assert spaces("last_value") == {}
    assert sorted(spaces("stid")) == ["model.dropout", "model.layers", "model.width", "train.lr"]


def test_a_model_that_is_fitted_has_no_learning_rate_to_tune():
    assert registry.is_fitted("ridge")
    assert sorted(spaces("ridge")) == ["model.penalty"]


def test_the_learning_rate_is_searched_from_1e_5_on():
    assert RECIPE["lr"] == Space(low=1e-5, high=1e-2, log=True)


def test_what_is_set_is_not_searched():
    assert sorted(searched("stid", ["model.width=16", " train.lr = 0.001"])) == ["model.dropout", "model.layers"]


# Variants and their files


def test_a_variant_is_called_by_its_settings_wherever_it_stands():
    assert slug(variant_texts({"control": "shuffled"})) == "control-shuffled"
    assert slug(variant_texts({"weights": "none", "control": "identity"})) == "control-identity+weights-none"
    assert slug(variant_texts({"flow": False, "prompts": 8})) == "flow-false+prompts-8"
    assert slug(()) == ""


@pytest.mark.parametrize(
    "settings",
    [{"llm": "../../etc/passwd"}, {"a": "x y/z"}, {"rate": -0.5}, {"a": "ü" * 50}, {"a": "b" * 300}, {"a": ""}],
)
def test_whatever_a_variant_sets_its_files_have_safe_names(settings):
    name = slug(variant_texts(settings))
    assert SAFE.fullmatch(name)
    assert len(name) <= 80
    assert parts_of_stem(f"{stem('stid', name)}.long.toml") == ("stid", name)


def test_two_variants_never_share_a_name():
    settings = [
        {"a": "b+c-d"}, {"a": "b", "c": "d"}, {"a": "b-c"}, {"a": "b/c"}, {"a": "b_c"}, {"rate": 0.5}, {"rate": -0.5},
        {"a": "x" * 90}, {"a": "x" * 91},
    ]  # fmt: skip
    assert len({slug(variant_texts(values)) for values in settings}) == len(settings)


def variants(catalog, suite: Suite, **choices):
    selection = Selection(datasets=("tiny",), **choices)
    return {run.method: run.variant for run in plan(suite, selection, catalog)}


def suite_of(*rows: tuple[str, dict[str, object]], name: str = "mine") -> Suite:
    made = {"name": name, "title": "Mine", "tasks": ["short"], "protocol": "strict", "datasets": ["tiny"], "models": []}
    return Suite.model_validate(
        {**made, "variants": [{"name": row, "model": "stvfm", "settings": settings} for row, settings in rows]}
    )


def test_every_control_is_a_variant_by_itself(catalog):
    assert variants(catalog, load_suite("controls"), models=("stvfm",)) == {
        "random, frozen": (),
        "shuffled tokens": ("model.control=shuffled",),
        "no backbone": ("model.control=identity", "model.weights=none"),
        "one trained block": ("model.control=attention", "model.weights=none"),
        "trained from scratch": ("model.control=scratch", "model.weights=none"),
    }


def test_rows_of_two_suites_with_the_same_settings_are_one_variant(catalog):
    first = suite_of(("identity", {"control": "identity"}))
    other = suite_of(("nothing in between", {"control": "identity", "weights": "none"}), name="yours")
    assert set(variants(catalog, first).values()) == set(variants(catalog, other).values())


def test_a_row_that_sets_what_would_be_searched_is_a_variant_even_at_the_default(catalog):
    suite = suite_of(("pinned", {"prompts": 4}), ("plain", {"flow": True}))
    assert registry.config_class("stvfm")().prompts == 4
    assert variants(catalog, suite) == {"pinned": ("model.prompts=4",)}, "the two rows are one run without tuning"


def test_what_the_selection_sets_for_all_makes_no_variant(catalog):
    chosen = variants(catalog, suite_of(("deep", {"prompts": 4})), overrides=("model.prompts=4", "model.depth=2"))
    assert chosen == {"deep": ()}


# Equal searches


@pytest.fixture
def spec(catalog):
    (run,) = plan(load_suite("short_term"), Selection(models=("stid",), datasets=("tiny",)), catalog)
    return run.spec


def changed(spec, **parts):
    return msgspec.structs.replace(spec, **parts)


def test_two_searches_are_equal_whatever_is_searched_whatever_the_seed_and_the_device(spec):
    first = search_of(spec, spaces("stid"))
    assert search_of(changed(spec, seed=7, tuned=True, tuned_with="4 trials"), spaces("stid")) == first
    assert search_of(changed(spec, train=replace(spec.train, precision="bf16")), spaces("stid")) == first
    assert first.difference(first) == ""


def test_whatever_makes_a_search_another_is_told(spec, monkeypatch):
    first, space = search_of(spec, spaces("stid")), spaces("stid")
    others = {
        "another recipe": search_of(changed(spec, train=replace(spec.train, epochs=9)), space),
        "another recipe, task": search_of(changed(spec, task=replace(spec.task, horizon=2)), space),
        "another space": search_of(spec, {**space, "train.lr": Space(low=3e-4, high=1e-2, log=True)}),
        "another space was searched and another recipe": search_of(spec, searched("stid", ["model.width=32"])),
        "on other data": search_of(changed(spec, data=replace(spec.data, sha256="f" * 64)), space),
        "from other pre-trained weights": search_of(changed(spec, weights_sha256="f" * 64), space),
    }
    monkeypatch.setattr(search, "METHOD", "at random")
    others["its trials were chosen in another way"] = search_of(spec, space)
    for words, other in others.items():
        assert first.difference(other).startswith(words)
        assert other.difference(first).startswith(words)


def test_another_default_is_another_space(spec):
    first = search_of(spec, spaces("stid"))
    wide = search_of(changed(spec, config={**spec.config, "width": 128}), spaces("stid"))
    assert first.difference(wide) == "another space was searched"
