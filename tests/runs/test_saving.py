"""What a run saves beside its record where it is asked to: all test forecasts, and weights of its model."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from builders import make_months
from clusters import small_plan
from hostile import model_text
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import bench
from bench.catalog.dataset import times_of
from bench.context import RunContext
from bench.errors import AuditError, ConfigError, WeightsError
from bench.records.record import DoneRun
from bench.records.saved import Saving, saved_path
from bench.runs.audit import Auditor
from bench.runs.evaluator import _Timed
from bench.runs.runner import Runner
from bench.runs.session import unsaved
from bench.train import tensors_sha256

BOTH = Saving(forecasts=True, weights=True)
ROOMY = {"train.epochs": 2, "train.steps_per_epoch": 3, "train.batch_size": 8}


@pytest.fixture
def run_and_save(catalog, tmp_path):
    """Runs of models on ``tiny`` in this process, with everything saved; their records by model."""

    def make(*models, saving=BOTH, force=False):
        runs = small_plan(catalog, *models, datasets=("tiny",))
        runner = Runner(catalog, tmp_path / "results", "cpu", isolated=False, saving=saving)
        runner.run(runs, force=force)
        return {record.model: record for record in runner.store.records()}

    return make


def forecasts_of(results, record):
    with np.load(saved_path(results, record, "forecasts"), allow_pickle=False) as file:
        return dict(file)


def test_all_test_forecasts_are_kept_with_what_tells_them(run_and_save, tmp_path, catalog):
    record = run_and_save("last_value")["last_value"]
    kept = forecasts_of(tmp_path / "results", record)
    data = catalog.load("tiny")
    assert kept["forecasts"].shape == tuple(kept["shape"]) == (13, 6, 2, 3, 4)
    last = data.values[kept["origins"] - 1]
    np.testing.assert_allclose(kept["forecasts"], np.repeat(last[:, None], 6, axis=1), rtol=1e-5)
    assert kept["times"][0] == np.datetime64("2020-01-06T00:00") + kept["origins"][0] * np.timedelta64(30, "m")
    assert list(kept["channels"]) == ["in", "out"]
    assert str(kept["spec_id"]) == record.spec.spec_id
    assert str(kept["data_sha256"]) == data.identity.sha256


@pytest.mark.parametrize("model", ["last_value", "historical_average", "ridge", "stid", "seasonal_naive_day"])
def test_a_model_that_was_saved_loads_back_and_scores_the_same_to_the_last_bit(run_and_save, tmp_path, tiny, model):
    record = run_and_save(model, saving=Saving(weights=True))[model]
    loaded = bench.load_model(record, results=tmp_path / "results")
    assert isinstance(loaded, nn.Module)
    assert not loaded.training
    again = bench.evaluate(loaded, "tiny", data_dir=tiny)
    assert again.scores == record.scores
    assert not (tmp_path / "results" / "forecasts").exists()


def test_weights_are_plain_safetensors_whose_rights_are_those_of_other_files(run_and_save, tmp_path):
    from safetensors.numpy import load_file

    record = run_and_save("stid")["stid"]
    path = saved_path(tmp_path / "results", record, "weights")
    assert sum(array.size for array in load_file(path).values()) >= record.cost.parameters
    assert path.stat().st_mode == saved_path(tmp_path / "results", record, "forecasts").stat().st_mode


def test_other_weights_than_those_that_were_scored_are_refused(run_and_save, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    record = run_and_save("ridge")["ridge"]
    path = saved_path(tmp_path / "results", record, "weights")
    with safe_open(path, "pt") as file:
        about = file.metadata()
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path, about)
    with pytest.raises(WeightsError, match="holds other weights than those that were scored"):
        bench.load_model(record, results=tmp_path / "results")


def test_weights_that_were_not_saved_are_one_sentence_with_the_remedy(run_and_save, tmp_path):
    record = run_and_save("ridge", saving=Saving())["ridge"]
    with pytest.raises(
        ConfigError, match=r"there are no weights .*; name the record's own folder by results=, or .*--save-weights"
    ):
        bench.load_model(record, results=tmp_path / "results")


def test_code_that_changed_since_is_a_warning(run_and_save, tmp_path):
    record = msgspec.structs.replace(run_and_save("ridge")["ridge"], code="0" * 12)
    source = saved_path(tmp_path / "results", record, "weights")
    older = msgspec.structs.replace(record, run_id=f"{record.spec.spec_id}.{'0' * 12}")
    source.rename(saved_path(tmp_path / "results", older, "weights"))
    with pytest.warns(UserWarning, match="the code behind 'ridge' has changed since it was run"):
        bench.load_model(older, results=tmp_path / "results")


FITTED = model_text("return self.levels + window.history[:, :1].repeat(1, 6, 1, 1, 1) * 0", learns=False)
FIT = "\n    def fit(self, series):\n        self.levels = series.values.mean() + 3.0\n"


def test_a_fit_that_is_in_no_buffer_cannot_be_saved_and_that_is_said(
    run_and_save, registered, tmp_path, catalog, monkeypatch
):
    registered("fits_aside", FITTED + FIT)
    record = run_and_save("fits_aside")["fits_aside"]
    assert isinstance(record, DoneRun), record.error
    assert not saved_path(tmp_path / "results", record, "weights").exists()
    assert saved_path(tmp_path / "results", record, "forecasts").exists()
    runs = small_plan(catalog, "fits_aside", datasets=("tiny",))
    (sentence,) = unsaved(runs, tmp_path / "results", BOTH, before=False)
    assert sentence.startswith("the finished runs of fits_aside are without saved weights")


DRAWN = model_text(
    "return self.order.drawn + self.level + window.history[:, :1].repeat(1, 6, 1, 1, 1)",
    "self.order = nn.Module()\nself.order.register_buffer('drawn', torch.rand(()), persistent=False)",
)


def test_a_buffer_that_no_checkpoint_holds_is_saved_beside_the_weights(run_and_save, registered, tmp_path, tiny):
    registered("draws", DRAWN)
    record = run_and_save("draws", saving=Saving(weights=True))["draws"]
    loaded = bench.load_model(record, results=tmp_path / "results")
    assert [*loaded.state_dict()] == ["level"]
    assert bench.evaluate(loaded, "tiny", data_dir=tiny).scores == record.scores


def test_a_file_that_was_written_before_buffers_were_saved_is_loaded(run_and_save, tmp_path):
    record = run_and_save("ridge", saving=Saving(weights=True))["ridge"]
    (path,) = (tmp_path / "results" / "weights").rglob("*.safetensors")
    with safe_open(path, framework="pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert json.loads(about["beside"]) == []
    save_file(tensors, path, {key: value for key, value in about.items() if not key.startswith("beside")})
    assert isinstance(bench.load_model(record, results=tmp_path / "results"), nn.Module)


@pytest.mark.parametrize(
    "change", [lambda tensors: tensors.pop("order.drawn"), lambda tensors: tensors["order.drawn"].add_(1)]
)
def test_a_buffer_beside_the_weights_that_was_altered_is_not_loaded(run_and_save, registered, tmp_path, change):
    registered("draws", DRAWN)
    record = run_and_save("draws", saving=Saving(weights=True))["draws"]
    (path,) = (tmp_path / "results" / "weights").rglob("*.safetensors")
    with safe_open(path, framework="pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors)
    save_file(tensors, path, about)
    with pytest.raises(WeightsError, match="holds other weights than those that were scored"):
        bench.load_model(record, results=tmp_path / "results")


def test_a_run_that_fails_after_its_forecasts_were_made_leaves_none(run_and_save, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AuditError("it looked ahead")

    monkeypatch.setattr(Auditor, "check", refuse)
    assert run_and_save("ridge")["ridge"].status == "failed"
    assert [path for path in (tmp_path / "results").rglob("*") if path.suffix in (".npz", ".safetensors", ".tmp")] == []


def test_a_run_that_is_done_is_not_repeated_and_one_sentence_says_how(run_and_save, tmp_path, catalog):
    before = run_and_save("ridge", saving=Saving())["ridge"]
    runs = small_plan(catalog, "ridge", "last_value", datasets=("tiny",))
    (sentence,) = unsaved(runs, tmp_path / "results", Saving(forecasts=True), before=True)
    assert sentence == (
        "1 of 2 runs is already done without saved forecasts, which only a run can make: --force, or "
        "bench.run(force=True), makes them again"
    )
    assert run_and_save("ridge")["ridge"] == before
    assert not (tmp_path / "results" / "forecasts").exists()
    run_and_save("ridge", force=True)
    assert unsaved(runs, tmp_path / "results", BOTH, before=True) == []


def test_saving_changes_no_score(run_and_save, tmp_path):
    plain = run_and_save("stid", saving=Saving())["stid"]
    saved = run_and_save("stid", force=True)["stid"]
    assert (saved.scores, saved.windows, saved.run_id) == (plain.scores, plain.windows, plain.run_id)
    assert saved.audit.checkpoint_sha256 == plain.audit.checkpoint_sha256


def test_the_time_that_saving_takes_is_not_the_model_s(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(RunContext, "seconds", lambda self: float(next(clock)))
    timed = _Timed(lambda chosen, forecast: next(clock), RunContext(seed=0, device=torch.device("cpu")))
    timed(torch.zeros(1), torch.zeros(1))
    timed(torch.zeros(1), torch.zeros(1))
    assert timed.seconds == 4.0


class Doubles(nn.Module):
    """A map of one's own, in no registry."""

    def __init__(self, shape):
        super().__init__()
        self.map = nn.Linear(shape.history, shape.horizon)

    def forward(self, window):
        return self.map(window.history.movedim(1, -1)).movedim(-1, 1)


def test_a_class_of_one_s_own_is_saved_by_evaluate_and_loads_back_by_its_class(tiny, tmp_path):
    record = bench.evaluate(
        Doubles, "tiny", data_dir=tiny, settings=ROOMY, results=tmp_path, save_weights=True, save_forecasts=True
    )
    assert forecasts_of(tmp_path, record)["forecasts"].shape[0] == record.counts.test
    with pytest.raises(ConfigError, match=r"give its class or its file: load_model\(record, Class\)"):
        bench.load_model(record, results=tmp_path)
    loaded = bench.load_model(record, Doubles, results=tmp_path)
    assert tensors_sha256(loaded.state_dict()) == record.audit.checkpoint_sha256


MODEL_FILE = """
from dataclasses import dataclass
from torch import nn
@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 4
class Model(nn.Module):
    def __init__(self, shape, config):
        super().__init__()
        self.map = nn.Sequential(nn.Linear(shape.history, config.width), nn.Linear(config.width, shape.horizon))
    def forward(self, window):
        return self.map(window.history.movedim(1, -1)).movedim(-1, 1)
"""


def test_the_weights_of_a_model_s_file_load_back_by_its_path_and_by_its_class(tiny, tmp_path, monkeypatch):
    path = tmp_path / "widths.py"
    path.write_text(MODEL_FILE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    model, asked = importlib.import_module("widths").Model, {"data_dir": tiny, "settings": ROOMY | {"model.width": 5}}
    of_class, of_file = (
        bench.evaluate(given, "tiny", results=tmp_path / "r", save_weights=True, **asked) for given in (model, path)
    )
    assert (of_class.model, of_file.model, of_class.spec.config) == ("Model", "widths", {"width": 5})
    assert of_class.scores == of_file.scores
    for record, given in ((of_class, model), (of_class, path), (of_file, str(path)), (of_file, model)):
        loaded = bench.load_model(record, given, results=tmp_path / "r")
        assert tensors_sha256(loaded.state_dict()) == record.audit.checkpoint_sha256
    with pytest.raises(WeightsError, match="do not fit 'Model' as its code is today"):
        bench.load_model(of_class, Doubles, results=tmp_path / "r")


def test_saving_without_a_results_folder_is_refused(tiny):
    with pytest.raises(ConfigError, match="forecasts are saved in a results folder; add results="):
        bench.evaluate("last_value", "tiny", data_dir=tiny, save_forecasts=True)


def test_worker_processes_save_where_the_records_are_and_a_second_call_warns(tiny, tmp_path):
    choices = {"models": ["last_value"], "datasets": ["tiny"], "data_dir": tiny, "results": tmp_path / "results"}
    bench.run(**choices)
    with pytest.warns(UserWarning, match="1 of 1 run is already done without saved weights"):
        results = bench.run(**choices, save_weights=True)
    assert not (tmp_path / "results" / "weights").exists()
    results = bench.run(**choices, save_forecasts=True, save_weights=True, force=True)
    (record,) = results.records
    for kind in ("forecasts", "weights"):
        assert saved_path(tmp_path / "results", record, kind).is_file()


def test_times_are_told_only_where_the_clock_bears_them_out(catalog):
    data = catalog.load("tiny")
    slots = np.array([0, 50])
    assert list(times_of(data.card, data.clock[slots], slots)) == [
        np.datetime64("2020-01-06T00:00:00"),
        np.datetime64("2020-01-07T01:00:00"),
    ]
    assert times_of(data.card, data.clock[slots + 1], slots) is None  # behind a gap
    assert times_of(replace(data.card, start=None), data.clock[slots], slots) is None


def test_times_of_months_are_those_of_the_calendar():
    data = make_months()
    slots = np.array([1, 25])
    times = [np.datetime64("2000-02-29T00:00:00"), np.datetime64("2002-02-28T00:00:00")]
    assert list(times_of(data.card, data.clock[slots], slots)) == times
    assert times_of(data.card, data.clock[slots + 1], slots) is None
