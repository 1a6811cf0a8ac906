"""Runs on data whose channels differ in unit: scored, chosen and compared channel by channel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_data

from bench import evaluate
from bench.catalog import registry
from bench.cities import City
from bench.context import RunContext
from bench.records.arrays import values_of
from bench.records.record import dump, parse
from bench.runs import evaluator
from bench.runs.evaluator import Evaluation
from bench.scoring import forecast_sums
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, comparable, make_model
from bench.tuning.search import validation_mae
from bench.types import SpatioTemporalData

CPU = torch.device("cpu")
SETTINGS = TaskSettings(name="short")


def highway(channels: slice = slice(0, 2)) -> SpatioTemporalData:
    """Flow and occupancy, a thousandth of it in size and of another rhythm, or one of them."""
    data = make_data(slots=300)
    values = data.values * np.array([1, 1e-3], dtype=np.float32)[:, None, None]
    card = replace(
        data.card, channels=("flow", "occupancy")[channels], unit=("veh", "share")[channels], mape_threshold=0.0
    )
    return replace(data, card=card, values=np.ascontiguousarray(values[:, channels]))


def scored(data: SpatioTemporalData) -> Evaluation:
    task, module = Task(data, SETTINGS, CPU), registry.load("model", "last_value")
    return evaluator.evaluate(make_model(module, {}, task.shape, CPU), task, RunContext(seed=0, device=CPU))


def test_each_channel_has_the_scores_that_it_has_alone_and_nothing_is_pooled() -> None:
    both, parts = scored(highway()), [scored(highway(slice(number, number + 1))) for number in (0, 1)]
    for split in ("test", "val"):
        for name, score in both.scores[split].items():
            alone = [part.scores[split][name].overall for part in parts]
            assert (score.overall, {*score.per_step}) == (None, {None})
            assert score.per_channel == pytest.approx(alone, rel=1e-6), name


def test_window_errors_are_of_channels_in_units_of_the_scaler() -> None:
    scale = Task(highway(), SETTINGS, CPU).scaler.scale.flatten().numpy()
    both, parts = scored(highway()).windows, [scored(highway(slice(number, number + 1))).windows for number in (0, 1)]
    for field, power in (("count", 0), ("absolute", 1), ("square", 2)):
        pairs = zip(parts, scale, strict=True)
        wanted = sum(values_of(getattr(part, field)) / size**power for part, size in pairs)
        np.testing.assert_allclose(values_of(getattr(both, field)), wanted, rtol=1e-5)


def test_the_best_epoch_is_chosen_by_all_channels_alike() -> None:
    task = Task(highway(), SETTINGS, CPU)
    model = make_model(registry.load("model", "last_value"), {}, task.shape, CPU)
    sums = forecast_sums(model, task.val, mape_threshold=0)
    scale = task.scaler.scale.flatten().numpy()
    wanted = np.mean(np.array(sums.scores()["mae"].per_channel) / scale)
    context = RunContext(seed=0, device=CPU)
    module = registry.load("model", "dlinear")
    trainer = Trainer(make_model(module, {}, task.shape, CPU), task, TrainSettings(epochs=1), context)
    trainer.cities = (City(model, task),)
    assert trainer._validate()[0] == pytest.approx(wanted)
    assert validation_mae(trainer.progress, model, task, TrainSettings()) == pytest.approx(wanted)


def test_channels_of_one_unit_stay_in_it() -> None:
    task = Task(make_data(slots=300), SETTINGS, CPU)
    sums = forecast_sums(lambda window: window.history, task.val, mape_threshold=0)
    assert comparable(sums, task) is sums


def test_a_record_of_such_a_run_is_stored_and_says_its_units(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "pems"
    folder.mkdir(parents=True)
    np.savez(folder / "data.npz", data=highway().values)
    (folder / "card.toml").write_text(
        'name = "pems"\ninterval = 30\ngrid = [3, 4]\nchannels = ["flow", "occupancy"]\nunit = ["veh", "share"]\n'
    )
    record = evaluate("last_value", dataset="pems", data_dir=tmp_path / "data")
    assert [(channel.name, channel.unit) for channel in record.channels] == [("flow", "veh"), ("occupancy", "share")]
    assert record.cuts == {"flow, veh": 0, "occupancy, share": 1}
    assert record.score("mae") is None
    assert record.score("mae", 1) == record.scores["test"]["mae"].per_channel[1]
    assert parse(dump(record), "here") == record
    assert record.forecast_map is not None
    assert record.forecast_map.unit == "veh"


def test_zeros_count_in_no_mape_whatever_the_threshold(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(1.5, (480, 1, 4, 4))
    found = []
    for threshold in (0, 1):
        folder = tmp_path / f"counts{threshold}"
        folder.mkdir()
        np.savez(folder / "data.npz", data=counts)
        (folder / "card.toml").write_text(
            f'name = "{folder.name}"\ninterval = 60\ngrid = [4, 4]\nmape_threshold = {threshold}\n'
        )
        found.append(evaluate("historical_average", dataset=folder.name, data_dir=tmp_path).score("mape"))
    assert found[0] == found[1]
    assert 0 < found[0] < 1000
