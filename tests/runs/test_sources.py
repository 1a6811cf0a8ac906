"""Which data sets may be sources of which: by their cards, and by the days that they are of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from bench.catalog.data import Catalog
from bench.errors import ConfigError, UnknownNameError
from bench.runs.plan import Selection, plan
from bench.runs.sources import OTHER_DAYS, SAME_CITY, sources_of
from bench.runs.suite import Suite, load_suite
from bench.settings import TASKS, TaskSettings

CARD = {"interval": 30, "channels": ["in", "out"], "unit": "trips", "domain": "bike flow", "start": "2020-01-06T00:00"}
SLOTS = 96
FACTS = {
    "target": {"city": "Here", "source": "Meter"},
    "other_names": {"channels": ["new", "end"], "unit": "taxis", "domain": "taxi flow"},
    "without_domain": {"domain": ""},
    "one_channel": {"channels": ["in"]},
    "hourly": {"interval": 60},
    "speeds": {"domain": "road speed"},
    "units": {"unit": ["trips", "km/h"]},
    "same_city": {"city": "Here", "source": "Counter"},
    "same_source_elsewhere": {"city": "There", "source": "Meter"},
    "later": {"city": "Here", "source": "Meter", "start": "2020-01-08T00:00"},
    "overlapping": {"city": "Here", "source": "Meter", "start": "2020-01-07T00:00"},
    "without_source": {"city": "Here"},
    "undated": {"city": "Here", "source": "Meter", "start": None},
}
FITTING = ["later", "other_names", "same_city", "same_source_elsewhere", "without_domain"]


def write(folder, name, facts, seed):
    card = {**CARD, **facts}
    place = folder / name
    place.mkdir()
    values = np.random.default_rng(seed).uniform(0, 9, (SLOTS, len(card["channels"]), 2, 3)).astype(np.float32)
    np.savez(place / "data.npz", data=values)
    lines = [f'name = "{name}"', "grid = [2, 3]"]
    lines += [f"{key} = {value!r}".replace("'", '"') for key, value in card.items() if value not in (None, "")]
    (place / "card.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def world(tmp_path):
    (tmp_path / "data").mkdir()
    for seed, (name, facts) in enumerate(FACTS.items()):
        write(tmp_path / "data", name, facts, seed)
    return Catalog(data_dir=tmp_path / "data", cache=tmp_path / "cache")


def named(*names):
    return TaskSettings(name="x", sources=",".join(names))


def test_the_others_are_all_that_fit_the_target(world):
    found = sources_of(TASKS["transfer"], "target", FACTS, world)
    assert list(found.names) == FITTING
    assert found.identities == tuple(world.identity(name) for name in FITTING)
    assert found.related == {"later": OTHER_DAYS, "same_city": SAME_CITY}


def test_a_task_without_sources_looks_at_no_other_data_set(world):
    assert sources_of(TASKS["few1"], "target", ["nowhere"], world).names == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("target", "it is the target itself"),
        ("one_channel", "it has 1 channels, wanted 2"),
        ("hourly", "its steps are of 60 minutes, wanted 30 minutes"),
        ("speeds", "it is of road speed, wanted some flow"),
        ("units", "its channels are in trips, km/h, wanted trips, trips"),
        ("overlapping", "both are measurements of Meter in Here, and days of one may be in the other"),
        ("without_source", "both are of Here and one names no source, and days of one may be in the other"),
        ("undated", "days of one may be in the other"),
    ],
)
def test_what_cannot_be_a_source_is_refused_in_one_sentence(world, name, words):
    with pytest.raises(ConfigError) as caught:
        sources_of(named("same_city", name), "target", (), world)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert f"'{name}' cannot be a source of 'target'" in str(caught.value)


def test_an_unknown_source_is_named_with_what_is_near(world):
    with pytest.raises(UnknownNameError, match="'other_names'"):
        sources_of(named("other_name"), "target", (), world)


def test_a_copy_of_the_target_is_no_source(world):
    write(world.data_dir, "copy", {}, seed=0)
    with pytest.raises(ConfigError, match="the same numbers"):
        sources_of(named("copy"), "target", (), world)


def test_synthetic_data_are_no_source_of_real_ones(world):
    with pytest.raises(ConfigError, match="one is real and the other synthetic"):
        sources_of(named("bikenyc"), "target", (), world)


def test_behind_a_gap_in_time_no_date_is_known(world, monkeypatch):
    before = Catalog.load
    assert sources_of(named("later"), "target", (), world).names == ("later",)

    def load(self, name):
        data = before(self, name)
        object.__setattr__(data, "segments", ((0, 40), (40, SLOTS)))
        return data

    monkeypatch.setattr(Catalog, "load", load)
    with pytest.raises(ConfigError, match="days of one may be in the other"):
        sources_of(named("later"), "target", (), world)


def suite(*datasets):
    return Suite(name="mine", title="Mine", tasks=("transfer",), protocol="strict", datasets=datasets, models=("stid",))


def planned(world, *datasets, **selection):
    return plan(suite(*datasets), Selection(seeds=(0,), **selection), world)


def test_a_suite_leaves_out_targets_without_a_source_and_a_selection_refuses_them(world):
    runs = planned(world, "target", "same_city", "speeds")
    assert [(run.dataset, [one.name for one in run.spec.sources]) for run in runs] == [
        ("target", ["same_city"]),
        ("same_city", ["target"]),
    ]
    assert runs[0].label.related == {"same_city": SAME_CITY}
    assert (runs[0].label.sources, runs[0].spec.task.sources) == ("others", "same_city")
    with pytest.raises(ConfigError, match="'speeds' has no source: no other data set of the suite"):
        planned(world, "target", "same_city", "speeds", datasets=("speeds",))
    with pytest.raises(ConfigError, match="'speeds' has no source"):
        planned(world, "speeds")


def test_a_selection_of_targets_leaves_the_sources_of_the_suite(world):
    (run,) = planned(world, "target", "same_city", "other_names", datasets=("target",))
    assert [one.name for one in run.spec.sources] == ["other_names", "same_city"]
    (named_ones,) = planned(
        world, "target", datasets=("target",), overrides=("task.sources=same_city,other_names",)
    )  # written out, so that it is the same run
    assert named_ones.run_id == run.run_id


def test_a_suite_whose_task_takes_the_others_takes_runs_that_name_them(world):
    mine = Suite(
        name="mine", title="Mine", tasks=("few1",), protocol="strict", datasets=("target", "same_city"),
        models=("stid",), task={"sources": "others"},
    )  # fmt: skip
    runs = plan(mine, Selection(seeds=(0,)), world)
    assert len(runs) == 2
    assert all(mine.takes(run.spec.task) for run in runs)
    assert not mine.takes(TASKS["few1"])


def test_sources_are_part_of_the_identity_and_of_the_code(world):
    def made(*names):
        return planned(world, "target", overrides=(f"task.sources={','.join(names)}",))[0]

    one, both, again = made("later"), made("same_city", "later"), made("later", "same_city")
    assert one.spec_id != both.spec_id
    assert both.spec_id == again.spec_id
    assert one.spec.settings_id != both.spec.settings_id
    edited = replace(one.spec.sources[0], sha256="0" * 64)
    of_edited = structs.replace(one.spec, sources=(edited,))
    assert of_edited.spec_id != one.spec_id
    assert of_edited.settings_id != one.spec.settings_id
    assert both.spec.behind == ("target", "stid", "later", "same_city")
    real = planned(Catalog(data_dir=None, cache=world.cache), "bikenyc", overrides=("task.sources=taxinyc",))[0]
    alone = plan(load_suite("short_term"), Selection(models=("stid",), datasets=("bikenyc",), seeds=(0,)), world)[0]
    assert real.code != alone.code  # it has the reader of the source


def test_the_suite_of_transfer_names_models_that_can_be_transferred():
    assert set(load_suite("transfer").tasks) == {"transfer", "transfer1"}
