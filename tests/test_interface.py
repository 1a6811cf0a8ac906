"""One model on one data set by the public interface, as notebooks and scripts call it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from commands import ROOT, environment, stbench
from own_models import BUDGET, OwnStid, Steps, evaluated
from torch import nn

import bench
from bench.catalog import registry
from bench.records.record import DoneRun, dump, parse
from bench.records.store import ResultStore
from bench.runs.own_model import Empty, own_model

DayBefore = registry.load("model", "seasonal_naive_day")


class OwnDayBefore(DayBefore.Model):
    """The day before, of windows that bring it."""

    DAYS_BACK = (1,)
    Config = DayBefore.Config


class Fitted(nn.Module):
    """The last value, shifted by a weight that training or a fit would change."""

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def fit(self, series):
        raise AssertionError("a fitted model was fitted again")

    def forward(self, window):
        return window.history[:, -1:].repeat(1, 6, 1, 1, 1) + self.shift


def last_value(window):
    return window.history[:, -1:].repeat(1, 6, 1, 1, 1)


@pytest.fixture
def evaluate(tiny, nothing_is_left_in_the_current_folder):
    """``bench.evaluate`` on ``tiny`` with a tiny budget, which must leave nothing in the current folder."""
    return partial(evaluated, tiny)


# One model on one data set --------------------------------------------------------------------------------------------


def test_a_registered_model_is_trained_and_scored(evaluate):
    record = evaluate("stid", seed=3)
    assert isinstance(record, DoneRun)
    assert (record.model, record.dataset, record.seed, record.role) == ("stid", "tiny", 3, "model")
    assert (record.cost.epochs, record.audit.test_reads) == (2, 1)
    assert record.label.overrides == BUDGET
    assert parse(dump(record), "here") == record


def test_a_registered_model_scores_as_in_a_run_to_the_last_bit(evaluate, tiny, tmp_path):
    record = evaluate("stid", seed=1)
    results = bench.run(
        models=["stid"], datasets=["tiny"], seeds=[1], settings=BUDGET, data_dir=tiny, results=tmp_path / "results"
    )
    (other,) = results.records
    assert other.run_id == record.run_id
    assert other.scores == record.scores
    assert other.windows == record.windows
    assert other.audit.checkpoint_sha256 == record.audit.checkpoint_sha256


@pytest.mark.slow
def test_a_registered_model_scores_as_on_the_command_line_to_the_last_bit(tiny, tmp_path):
    settings = [part for name, value in BUDGET.items() for part in ("--set", f"{name}={value}")]
    where = ["--data-dir", tiny, "--results", tmp_path / "results", "--no-track"]
    answer = stbench("run", "--dataset", "tiny", "--model", "stid", "--seed", 1, *settings, *where)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (record,) = ResultStore(tmp_path / "results").records()
    program = (
        f"import bench; r = bench.evaluate('stid', 'tiny', settings={BUDGET!r}, seed=1, data_dir={str(tiny)!r})\n"
        "print(r.run_id, r.audit.checkpoint_sha256, repr(r.score('mae')), repr(r.score('rmse')))"
    )
    words = [record.run_id, record.audit.checkpoint_sha256, repr(record.score("mae")), repr(record.score("rmse"))]
    assert python(program).split() == words


def test_a_class_is_made_from_the_shape_alone_and_trained(evaluate):
    record = evaluate(Steps)
    assert (record.model, record.role, record.spec.config, record.cost.epochs) == ("Steps", "model", {}, 2)
    assert record.cost.parameters == 6 * 6 + 6
    longer = evaluate(Steps, settings={**BUDGET, "train.steps_per_epoch": 0, "train.epochs": 12, "train.lr": 0.02})
    assert longer.score("mae") < record.score("mae")


def test_a_class_with_a_config_takes_settings_and_scores_as_the_registered_model_does(evaluate):
    own, wide = evaluate(OwnStid), evaluate(OwnStid, settings={**BUDGET, "model.width": 64})
    assert (own.spec.config["width"], wide.spec.config["width"]) == (16, 64)
    assert wide.label.overrides == {**BUDGET, "model.width": 64}
    assert own.run_id != wide.run_id
    assert own.scores == evaluate("stid", settings={**BUDGET, "model.width": 16}).scores
    assert wide.scores == evaluate("stid", settings={**BUDGET, "model.width": 64}).scores


def test_a_class_that_asks_for_days_before_gets_them(evaluate):
    assert evaluate(OwnDayBefore).scores == evaluate("seasonal_naive_day").scores


@pytest.mark.parametrize("training", [True, False])
def test_a_fitted_module_is_neither_trained_nor_changed(evaluate, training):
    model = Fitted().train(training)
    record = evaluate(model)
    assert (record.cost.epochs, record.cost.trainable_parameters, record.cost.parameters) == (0, 0, 1)
    assert record.scores == evaluate("last_value").scores
    assert (model.training, model.shift.requires_grad, model.shift.item(), model.shift.grad) == (
        training,
        True,
        0,
        None,
    )


def test_other_weights_of_a_fitted_module_are_another_run(evaluate):
    same, again, other = evaluate(Fitted()), evaluate(Fitted()), evaluate(Fitted(0.5))
    assert same.run_id == again.run_id != other.run_id
    assert same.score("mae") != other.score("mae")


def test_a_plain_function_is_scored_as_it_is(evaluate):
    record = evaluate(last_value)
    assert (record.model, record.cost.epochs, record.cost.parameters) == ("last_value_of_mine", 0, 0)
    assert record.scores == evaluate("last_value").scores


last_value.__name__ = "last_value_of_mine"


def test_the_task_and_protocol_are_as_asked(evaluate, tiny, tmp_path):
    record = evaluate(Steps, task="few5", protocol="unist", settings={**BUDGET, "task.horizon": 2})
    task = record.spec.task
    assert (task.name, task.protocol, task.horizon, task.fraction) == ("few5", "unist", 2, 0.05)
    assert len(record.scores["test"]["mae"].per_step) == 2


def test_a_record_is_stored_where_it_is_asked_for_and_shown(evaluate, tmp_path):
    for model in ("last_value", Steps, Fitted()):
        record = evaluate(model, results=tmp_path / "results")
        assert record in bench.load_results(tmp_path / "results").records
    frame = bench.load_results(tmp_path / "results").frame
    assert frame["model"].tolist() == ["Fitted", "Steps", "last_value"]
    assert frame["status"].tolist() == ["done"] * 3
    assert not frame["stale"].any()


def test_a_model_of_ones_own_that_changed_without_its_source_is_stored_anew(evaluate, tmp_path):
    shift = 0.0

    def shifted(window):
        return last_value(window) + shift

    first = evaluate(shifted, results=tmp_path / "results")
    shift = 1.0
    second = evaluate(shifted, results=tmp_path / "results")
    assert first.run_id == second.run_id
    assert bench.load_results(tmp_path / "results").records == [second]


def test_an_edited_model_of_ones_own_takes_the_place_of_its_earlier_version(evaluate, tmp_path, monkeypatch):
    def version(shift):
        path = tmp_path / f"edited_{shift:.0f}.py"
        path.write_text(
            "from torch import nn\nclass Edited(nn.Module):\n"
            "    def __init__(self, shape):\n        super().__init__()\n"
            f"    def forward(self, window):\n        return window.history[:, -1:].repeat(1, 6, 1, 1, 1) + {shift}\n"
        )
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return module.Edited

    records = [evaluate(version(shift), results=tmp_path / "results") for shift in (0.0, 1.0)]
    assert records[0].run_id != records[1].run_id
    assert records[0].spec == records[1].spec
    results = bench.load_results(tmp_path / "results")
    assert results.records == records[1:]
    assert not results.runs[0].stale


def test_a_stored_run_of_a_registered_model_is_read_and_not_made_again(evaluate, tmp_path, monkeypatch):
    first = evaluate("last_value", results=tmp_path / "results")
    monkeypatch.setattr("bench.runs.single._scored", None)
    assert evaluate("last_value", results=tmp_path / "results") == first


def test_a_notebook_shows_a_record_as_its_line(evaluate):
    shown = []
    record = evaluate("last_value")
    record._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [str(record)]


@dataclass(frozen=True)
class Config:
    shift: float = 0.25


class Beside(Fitted):
    """A class whose settings stand beside it, as in a model's file."""

    def __init__(self, shape, config):
        super().__init__(config.shift)


class Shift:
    @dataclass(frozen=True)
    class Settings:
        shift: float = 0.5


class Annotated(Fitted):
    def __init__(self, shape, settings: Shift.Settings):
        super().__init__(settings.shift)


Annotated.__init__.__annotations__["settings"] = Shift.Settings  # as without annotations from the future


def test_settings_of_a_class_are_the_config_beside_it_or_what_its_annotation_names(evaluate):
    kinds = {model: own_model(model) for model in (Beside, Annotated, Steps, OwnStid, Fitted)}
    configs = {model.__name__: kind.Config for model, kind in kinds.items()}
    assert configs == {
        "Beside": Config,
        "Annotated": Shift.Settings,
        "Steps": Empty,
        "OwnStid": OwnStid.Config,
        "Fitted": Empty,
    }
    assert "class Config" in kinds[Beside].source  # or another one beside it would be the same run
    assert kinds[OwnStid].source.count("class Config") <= 1
    model = kinds[Beside].Model(SimpleNamespace(), Config(shift=2.0))
    assert model.shift.item() == 2.0


def test_a_model_of_an_imported_file_has_all_that_the_file_says(tmp_path, monkeypatch):
    module = registry.load("model", "stid")
    monkeypatch.setattr(module, "DAYS_BACK", (1,), raising=False)
    plugin = own_model(module.Model, "mine")
    assert (plugin.Config, plugin.DAYS_BACK) == (module.Config, (1,))
    assert own_model(type("Other", (module.Model,), {})).DAYS_BACK == ()


def test_settings_of_a_config_may_be_lists_and_have_any_name(evaluate, tmp_path):
    class Wide(Steps):
        @dataclass(frozen=True)
        class Config:
            sizes: tuple[int, ...] = (3, 4)
            weights: str = "imagenet"

        def __init__(self, shape, config=None):
            super().__init__(shape)
            assert list(config.sizes) == [3, 4]

    record = evaluate(Wide, profile="paper", results=tmp_path / "results")
    assert record.spec.config == {"sizes": [3, 4], "weights": "pretrained"}
    assert bench.load_results(tmp_path / "results").records == [record]


# In a process of its own --------------------------------------------------------------------------------------------


def python(program: str, folder: Path = ROOT) -> str:
    command = [sys.executable, "-c", program]
    variables = {**environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "pandas", "numpy", "matplotlib", "scipy", "pydantic", "typer", "rich", "mlflow", "optuna")
    assert python(f"import sys, bench; print([name for name in {heavy!r} if name in sys.modules])") == "[]"
    loaded = "[name for name in ('torch', 'matplotlib', 'mlflow') if name in sys.modules]"
    assert python(f"import sys, bench; bench.list_models(), bench.list_datasets(); print({loaded})") == "[]"


def test_a_record_is_printed_as_a_line_for_a_person(tmp_path):
    program = (
        "import os, bench; os.environ.pop('STBENCH_DATA', None);"
        "print(bench.evaluate('stid', dataset='bikenyc', settings={'train.steps_per_epoch': 1}))"
    )
    words = python(program, tmp_path).split()
    name, words = " ".join(words[:13]), words[13:]
    assert name == "stid on bikenyc (synthetic data, quick profile, not to be quoted), seed 0:"
    assert (words[0], words[2], words[4:6], words[7]) == ("MAE", "RMSE", ["on", "test,"], "s")
    assert float(words[1].rstrip(",")) > 0
    assert list(tmp_path.iterdir()) == []


def test_random_weights_are_told_with_a_record(evaluate):
    settings = {**BUDGET, "train.epochs": 1, "train.steps_per_epoch": 1, "model.depth": 1}
    line = str(evaluate("stvfm", settings=settings))
    assert line.startswith("stvfm on tiny (random weights, quick profile, not to be quoted), seed 0: MAE ")


def test_a_number_of_the_quick_profile_is_called_one_and_no_other_is(evaluate):
    quick, whole = (str(evaluate("last_value", profile=profile)) for profile in ("quick", "laptop"))
    assert quick.startswith("last_value on tiny (quick profile, not to be quoted), seed 0: MAE ")
    assert whole.startswith("last_value on tiny, seed 0: MAE ")
