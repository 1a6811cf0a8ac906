"""Data sets that cannot be read cost their own runs, and no others; what is typed wrongly costs all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import make_data

import bench
from bench.catalog import data, own_files
from bench.catalog.cache import CacheError
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.errors import BenchError, ConfigError, DataError, UnknownNameError
from bench.records.planned import PlannedRun
from bench.runs.plan import Selection, plan
from bench.runs.sources import UnreadableSourceError
from bench.runs.suite import load_suite, load_suites
from bench.runs.tuned import TunedFolder

SUITE = """
name = "own"
title = "Own"
tasks = {tasks}
protocol = "strict"
datasets = {datasets}
extras = {extras}
models = ["last_value"]
"""
Planned = Callable[..., tuple[list[PlannedRun], dict[str, str]]]


@pytest.fixture
def planned(catalog: Catalog, tmp_path: Path) -> Planned:
    """Plans the naive baseline on the data sets of a suite, or on some of them, and returns what was left out, too."""

    def make(*datasets: str, tasks=("short",), extras=False, names=("tiny", "tiny2"), **choices):
        text = SUITE.format(tasks=[*tasks], datasets=[*names], extras=str(extras).lower())
        (tmp_path / "own.toml").write_text(text, encoding="utf-8")
        told: dict[str, BenchError] = {}
        (suite,) = load_suites([str(tmp_path / "own.toml")])
        selection = Selection(**{"datasets": datasets, "seeds": (0, 1, 2), **choices})
        runs = plan(suite, selection, catalog, on_unreadable=told.setdefault)
        return runs, {what: str(why) for what, why in told.items()}

    return make


def cut_off(catalog: Catalog, name: str) -> None:
    """A raw file is broken."""
    (array,) = (catalog.data_dir / name).glob("*.npy")
    array.write_bytes(array.read_bytes()[:-100])


def without_card(catalog: Catalog, name: str) -> None:
    """A card is none, so that nobody knows what the data set is."""
    (catalog.data_dir / name / "card.toml").write_text("name = ", encoding="utf-8")


def two_files(catalog: Catalog, name: str) -> None:
    (catalog.data_dir / name / "data.npz").write_bytes(b"")


def unreachable(catalog: Catalog, name: str) -> None:
    (catalog.data_dir / name / "loop.npy").symlink_to("loop.npy")


@pytest.mark.parametrize("breaks", [cut_off, without_card, two_files, unreachable])
@pytest.mark.parametrize("asked", [(), ("tiny2", "tiny")])
def test_one_that_cannot_be_read_costs_its_own_runs_alone(planned: Planned, catalog: Catalog, breaks, asked) -> None:
    whole, told = planned("tiny")
    assert told == {}
    breaks(catalog, "tiny2")
    with pytest.raises(BenchError) as alone:
        planned("tiny2")
    assert planned(*asked) == (whole, {"tiny2": str(alone.value)})


def test_without_anybody_to_tell_one_that_cannot_be_read_is_an_error(catalog: Catalog) -> None:
    cut_off(catalog, "tiny2")
    with pytest.raises(DataError, match="tiny2"):
        plan(load_suite("short_term"), Selection(datasets=("tiny", "tiny2")), catalog)


def test_where_none_can_be_read_the_first_one_is_the_error_and_nothing_is_left_out(catalog: Catalog) -> None:
    cut_off(catalog, "tiny")
    without_card(catalog, "tiny2")
    told: dict[str, BenchError] = {}
    selection = Selection(datasets=("tiny", "tiny2"))
    with pytest.raises(DataError, match=r"tiny/data\.npy"):
        plan(load_suite("short_term"), selection, catalog, on_unreadable=told.setdefault)
    assert told == {}


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"datasets": ("tiny", "tiny2", "tinny")}, UnknownNameError),
        ({"overrides": ("task.sources=tinny",)}, UnknownNameError),
        ({"overrides": ("model.widht=3",)}, UnknownNameError),
        ({"names": ("tiny", "tiny2", "tinny")}, UnknownNameError),
        ({"seeds": (-1,)}, ConfigError),
        ({"shard": "3/2"}, ConfigError),
    ],
)
def test_what_is_typed_wrongly_stops_everything_beside_one_that_cannot_be_read(
    planned: Planned, catalog: Catalog, choices, error: type[BenchError]
) -> None:
    cut_off(catalog, "tiny2")
    with pytest.raises(error):
        planned(**choices)


@pytest.mark.parametrize("tasks", [("short",), ("transfer",)])
def test_a_cache_that_cannot_be_written_stops_everything(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, tasks: tuple[str, ...]
) -> None:
    planned("tiny")

    def full(*_: object) -> None:
        raise CacheError("no space")

    monkeypatch.setattr(data, "build", full)
    with pytest.raises(CacheError):
        planned("tiny", *(() if "transfer" in tasks else ("tiny2",)), tasks=tasks)


def test_one_that_would_join_a_suite_is_told_of_too(planned: Planned, catalog: Catalog) -> None:
    runs, told = planned(extras=True, names=("tiny",))
    assert ({run.dataset for run in runs}, told) == ({"tiny", "tiny2"}, {})
    unreachable(catalog, "tiny2")
    runs, told = planned(extras=True, names=("tiny",))
    assert ({run.dataset for run in runs}, [*told]) == ({"tiny"}, ["tiny2"])


def test_shards_leave_out_the_same_and_share_the_rest(planned: Planned, catalog: Catalog) -> None:
    cut_off(catalog, "tiny2")
    shards = [planned(shard=f"{number}/2") for number in (1, 2)]
    assert [[*told] for _, told in shards] == [["tiny2"], ["tiny2"]]
    ids = [run.run_id for runs, _ in shards for run in runs]
    assert sorted(ids) == sorted(run.run_id for run in planned("tiny")[0])


@pytest.fixture
def single_channels(tmp_path: Path, catalog: Catalog) -> None:
    """Two further data sets, which could be sources of each other alone."""
    for seed, name in enumerate(("one", "other")):
        values = make_data(slots=400, channels=1).values + seed
        np.save(tmp_path / "values.npy", values)
        card = tmp_path / "one.toml"
        card.write_text(f'name = "{name}"\ninterval = 30\ngrid = [3, 4]\n', encoding="utf-8")
        import_array(tmp_path / "values.npy", card, catalog.data_dir)


@pytest.mark.usefixtures("single_channels")
def test_a_target_is_left_out_where_its_source_cannot_be_read(planned: Planned, catalog: Catalog) -> None:
    names, tasks = ("tiny", "tiny2", "one", "other"), ("short", "transfer")
    whole, told = planned(names=names, tasks=tasks)
    assert told == {}
    cut_off(catalog, "other")
    runs, told = planned(names=names, tasks=tasks)
    lost = [run for run in whole if run.dataset == "other" or (run.dataset, run.spec.task.name) == ("one", "transfer")]
    assert runs == [run for run in whole if run not in lost]
    assert [*told] == ["other", "one with the task transfer"]
    assert told["one with the task transfer"] == f"the source 'other' of 'one' cannot be read: {told['other']}"


def test_where_it_is_not_known_whether_one_would_be_a_source_there_is_no_transfer(
    planned: Planned, catalog: Catalog
) -> None:
    without_card(catalog, "tiny2")
    with pytest.raises(UnreadableSourceError, match="the source 'tiny2' of 'tiny' cannot be read: the card"):
        planned("tiny", tasks=("transfer",))
    assert [*planned("tiny", tasks=("short", "transfer"))[1]] == ["tiny with the task transfer"]


def test_of_one_that_is_left_out_no_tuned_settings_are_wanted(catalog: Catalog, tmp_path: Path) -> None:
    cut_off(catalog, "tiny2")
    told: dict[str, BenchError] = {}
    selection, folder = Selection(models=("stid",), datasets=("tiny", "tiny2")), TunedFolder(tmp_path)
    with pytest.raises(ConfigError, match=r"no tuned settings \S*/tuned/tiny/stid\.toml;"):
        plan(load_suite("everyone_tuned"), selection, catalog, folder, on_unreadable=told.setdefault)
    assert [*told] == ["tiny2"]


def test_a_script_is_told_what_is_left_out_and_else_gets_an_error(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(own_files.VARIABLE, "")
    (tmp_path / "torn.py").write_text("CARD = None\n\ndef read(folder): ...\n", encoding="utf-8")
    asked = {"models": ["last_value"], "datasets": ["tiny", str(tmp_path / "torn.py")], "data_dir": catalog.data_dir}
    told: dict[str, BenchError] = {}
    with pytest.raises(ConfigError, match=r"torn\.py is no bench.types.DatasetCard"):
        bench.run(**asked, results=tmp_path / "none")
    assert not (tmp_path / "none" / "runs").exists()
    results = bench.run(**asked, results=tmp_path / "some", jobs=1, on_unreadable=told.setdefault)
    assert [record.dataset for record in results.records] == ["tiny"]
    assert [(what, type(why)) for what, why in told.items()] == [("torn", ConfigError)]
