"""Scores of a run against slow loops over its windows, and the seed, recipe and checkpoint that they come from."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_data
from torch import Tensor, nn

from bench.catalog.data import Catalog
from bench.context import RunContext
from bench.records.arrays import values_of
from bench.records.record import DoneRun
from bench.runs.evaluator import Evaluation, evaluate
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.settings import TaskSettings
from bench.task import Task
from bench.types import SpatioTemporalData, Window

CPU = torch.device("cpu")
BUDGET = ("train.epochs=2", "train.steps_per_epoch=3", "train.batch_size=8")


class Half(nn.Module):
    """Half of the last value, and with dropout, which must not be at work, something else."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.kinds: set[torch.dtype] = set()

    def forward(self, window: Window) -> Tensor:
        last = window.history[:, -1:].expand(-1, 6, -1, -1, -1)
        half: Tensor = self.drop(last) @ (torch.eye(last.shape[-1]) / 2)
        self.kinds.add(half.dtype)
        return half


def city(**facts: Any) -> SpatioTemporalData:
    """A toy city with missing values and a gap in time."""
    plain = make_data(slots=400, grid=(2, 3))
    mask = np.random.default_rng(2).random(plain.values.shape) >= 0.1
    data = make_data(slots=400, grid=(2, 3), mask=mask, segments=((0, 371), (371, 400)))
    return replace(data, card=replace(data.card, **facts))


def scored(data: SpatioTemporalData, settings: TaskSettings, **options: Any) -> tuple[Evaluation, Half]:
    model = Half()
    return evaluate(model, Task(data, settings, CPU), RunContext(seed=0, device=CPU), **options), model


def errors(data: SpatioTemporalData, split: str, *, clamp: bool = False) -> dict[int, list[tuple[int, float, float]]]:
    """By origin the slot of the day, the error and the truth of every value that counts, from a loop over slots."""
    task = Task(data, TaskSettings(name="short"), CPU)
    center, scale, low, high = (
        part.flatten().double().numpy()
        for part in (task.scaler.center, task.scaler.scale, task.scaler.low, task.scaler.high)
    )
    begin, end = task.split[split]
    found: dict[int, list[tuple[int, float, float]]] = {}
    for origin in range(begin, end - 5):
        if any(start <= origin - 6 and origin + 6 <= stop for start, stop in data.segments):
            found[origin] = []
            for step, channel, row, column in np.ndindex(6, 2, 2, 3):
                if data.mask is None or data.mask[origin + step, channel, row, column]:
                    known = data.mask is None or data.mask[origin - 1, channel, row, column]
                    last = float(data.values[origin - 1, channel, row, column]) if known else center[channel]
                    forecast = center[channel] + (last - center[channel]) / 2
                    forecast = min(max(forecast, low[channel]), high[channel]) if clamp else forecast
                    truth = float(data.values[origin + step, channel, row, column])
                    found[origin].append((int(data.clock[origin + step, 0]), forecast - truth, truth))
    assert scale.all()
    return found


@pytest.mark.parametrize("split", ["val", "test"])
def test_each_split_has_the_scores_of_its_own_windows(split: str) -> None:
    evaluation, _ = scored(city(), TaskSettings(name="short"))
    every = [value for values in errors(city(), split).values() for value in values]
    scores, n = evaluation.scores[split], len(every)
    assert scores["mae"].overall == pytest.approx(math.fsum(abs(error) for _, error, _ in every) / n, rel=1e-5)
    assert scores["rmse"].overall == pytest.approx(math.sqrt(math.fsum(e * e for _, e, _ in every) / n), rel=1e-5)


def test_the_threshold_of_mape_is_that_of_the_card() -> None:
    found = []
    for threshold in (0.0, 5.0, 30.0):
        evaluation, _ = scored(city(mape_threshold=threshold), TaskSettings(name="short"))
        every = [value for values in errors(city(), "test").values() for value in values]
        ratios = [abs(error) / truth for _, error, truth in every if truth and truth >= threshold]
        found.append(evaluation.scores["test"]["mape"].overall)
        assert found[-1] == pytest.approx(100 * math.fsum(ratios) / len(ratios), rel=1e-5)
    assert len(set(found)) == 3


def test_errors_of_windows_are_those_of_a_loop() -> None:
    windows, wanted = scored(city(), TaskSettings(name="short"))[0].windows, errors(city(), "test")
    assert windows.starts.tolist() == list(wanted)
    for field, size in (("count", lambda e: 1.0), ("absolute", abs), ("square", lambda e: e * e)):
        sums = [math.fsum(size(error) for _, error, _ in values) for values in wanted.values()]
        np.testing.assert_allclose(values_of(getattr(windows, field)), sums, rtol=1e-5)


def test_errors_by_time_of_day_stand_at_the_slot_that_was_forecast() -> None:
    day = scored(city(), TaskSettings(name="short"))[0].windows.day
    assert day is not None
    every = [value for values in errors(city(), "test").values() for value in values]
    for slot in range(48):
        here = [abs(error) for at, error, _ in every if at == slot]
        assert values_of(day.count)[slot] == len(here)
        assert values_of(day.absolute)[slot] == pytest.approx(math.fsum(here), rel=1e-5)


def test_scores_are_made_in_evaluation_mode() -> None:
    found = []
    for training in (True, False):
        model = Half().train(training)
        found.append(evaluate(model, Task(city(), TaskSettings(name="short"), CPU), RunContext(seed=0, device=CPU)))
    assert found[0].scores == found[1].scores
    assert found[0].windows == found[1].windows


@pytest.mark.parametrize("split", ["val", "test"])
def test_scores_are_of_clamped_forecasts_where_the_task_says_so(split: str) -> None:
    data = city()
    data.values[280:] += 150  # so that half of the last value lies above all of the training part
    means = {}
    for clamp in (False, True):
        evaluation, _ = scored(data, TaskSettings(name="short", clamp=clamp))
        every = [value for values in errors(data, split, clamp=clamp).values() for value in values]
        means[clamp] = math.fsum(abs(error) for _, error, _ in every) / len(every)
        assert evaluation.scores[split]["mae"].overall == pytest.approx(means[clamp], rel=1e-5)
    assert means[True] != means[False]


def test_forecasts_are_scored_in_the_precision_of_the_recipe() -> None:
    _, model = scored(city(), TaskSettings(name="short"), precision="bf16")
    assert torch.bfloat16 in model.kinds
    _, model = scored(city(), TaskSettings(name="short"), precision="fp32")
    assert model.kinds == {torch.float32}


class Rising(Half):
    """A forecast that is 1 more at every step, in units of the scaler."""

    def forward(self, window: Window) -> Tensor:
        return super().forward(window) + torch.arange(6.0).view(1, 6, 1, 1, 1)


def test_the_map_shows_the_forecast_of_its_own_step() -> None:
    task = Task(city(), TaskSettings(name="short"), CPU)
    model = Rising()
    shown = evaluate(model, task, RunContext(seed=0, device=CPU)).forecast_map
    assert shown is not None
    known = task._window_set(task._arrays(400), np.array([shown.origin]))
    wanted = task.scaler.physical(model(known.window(torch.tensor([0]))))[0, shown.step - 1, 0]
    np.testing.assert_allclose(shown.forecast_map, wanted.numpy(), rtol=1e-5)


# Seeds and checkpoints ----------------------------------------------------------------------------------------------


def trained(catalog: Catalog, results: Path, *seeds: int, overrides: tuple[str, ...] = BUDGET) -> list[DoneRun]:
    selection = Selection(models=("stid",), datasets=("tiny",), overrides=overrides, seeds=seeds)
    runner = Runner(catalog, results, CPU)
    runner.run(plan(load_suite("short_term"), selection, catalog))
    return sorted((run for run in runner.store.records() if isinstance(run, DoneRun)), key=lambda run: run.seed)


def test_runs_of_other_seeds_are_other_models_and_those_of_one_seed_the_same(catalog: Catalog, tmp_path: Path) -> None:
    first, again = (trained(catalog, tmp_path / name, 0, 1, 2) for name in ("first", "again"))
    assert len({run.audit.checkpoint_sha256 for run in first}) == len({run.score("mae") for run in first}) == 3
    assert [run.audit.checkpoint_sha256 for run in first] == [run.audit.checkpoint_sha256 for run in again]
    assert [run.curve for run in first] == [run.curve for run in again]


def test_a_checkpoint_serves_one_spec_under_one_code(catalog: Catalog, tmp_path: Path) -> None:
    selection = Selection(models=("stid",), datasets=("tiny",), overrides=BUDGET, seeds=(0, 1))
    (run, other_seed), runner = plan(load_suite("short_term"), selection, catalog), Runner(catalog, tmp_path, CPU)
    other_code = replace(run, code="f" * 12)
    assert run.spec == other_code.spec
    assert len({runner._work(each).checkpoint for each in (run, other_seed, other_code)}) == 3
    assert runner._work(run).checkpoint == runner._work(replace(run)).checkpoint


def test_the_rate_of_the_recipe_is_the_rate_of_the_run(catalog: Catalog, tmp_path: Path) -> None:
    rates = []
    for lr in (0.01, 0.02):
        overrides = (*BUDGET, f"train.lr={lr}", "train.schedule=cosine", "train.warmup=0.5")
        (run,) = trained(catalog, tmp_path / str(lr), 0, overrides=overrides)
        rates.append([row.lr for row in run.curve])
    assert rates[0] == pytest.approx([0.01 / 3, 0.01])
    assert rates[1] == pytest.approx([0.02 / 3, 0.02])
