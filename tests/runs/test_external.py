"""Forecasts that were made elsewhere: the scores of a run to the last bit, and a sentence for each way to be wrong."""

from __future__ import annotations

import pickle  # noqa: TID251 - to write what must not be read
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from builders import make_data
from clusters import small_plan

import bench
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.errors import BenchError, ConfigError, ForecastError, UnknownNameError
from bench.records.record import dump, parse
from bench.records.saved import Saving, saved_path
from bench.records.store import ResultStore
from bench.runs.runner import Runner
from bench.scoring import sums_of
from bench.settings import TASKS
from bench.task import Task

SQUARE = 'name = "square"\ninterval = 30\ngrid = [4, 4]\nchannels = ["in", "out"]\nstart = "2020-01-06T00:00"\n'
MODELS = ("last_value", "ridge", "stid", "seasonal_naive_day")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data folder with a square city whose cells and channels differ, and runs on it whose forecasts were saved."""
    folder = tmp_path_factory.mktemp("square")
    time = np.arange(400)
    level = np.arange(1.0, 33.0).reshape(2, 4, 4) * 3
    wave = 1.5 + np.sin(2 * np.pi * time / 48)[:, None, None, None]
    np.save(folder / "square.npy", np.random.default_rng(1).poisson(wave * level).astype(np.float32))
    (folder / "square.toml").write_text(SQUARE, encoding="utf-8")
    import_array(folder / "square.npy", folder / "square.toml", folder / "data")
    catalog = Catalog(data_dir=folder / "data", cache=folder / "cache")
    runs = small_plan(catalog, *MODELS, datasets=("square",))
    Runner(catalog, folder / "results", "cpu", isolated=False, saving=Saving(forecasts=True)).run(runs)
    return folder


@pytest.fixture(scope="module")
def records(place):
    return {record.model: record for record in ResultStore(place / "results").records()}


@pytest.fixture
def evaluate(place):
    def call(forecasts, dataset="square", **choices):
        return bench.evaluate(forecasts=forecasts, dataset=dataset, data_dir=place / "data", **choices)

    return call


@pytest.fixture(scope="module")
def wanted(place):
    return bench.forecast_windows("square", data_dir=place / "data", cache=place / "cache")


@pytest.fixture(scope="module")
def good(place, wanted):
    """Forecasts of all windows: the day before."""
    values = bench.load_dataset("square", place / "data", place / "cache").values
    steps = wanted.origins[:, None] + np.arange(6)
    return np.array(values[steps - 48])


def timeless(record):
    return msgspec.structs.replace(record, ended=None)


def refused(evaluate, *arguments, error=ForecastError, **choices):
    with pytest.raises(error) as caught:
        evaluate(*arguments, **choices)
    text = str(caught.value)
    assert "\n" not in text
    assert not text.endswith(".")
    return text


# The round trip -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_saved_forecasts_score_as_their_run_to_the_last_bit(place, records, evaluate, model):
    run = records[model]
    record = evaluate(saved_path(place / "results", run, "forecasts"), dataset=None)
    assert record.scores == {"test": run.scores["test"]}
    assert (record.windows, record.counts) == (run.windows, run.counts)
    assert (record.spec.task, record.spec.data, record.label.profile) == (run.spec.task, run.spec.data, "quick")
    assert record.model == f"{model}_saved"


def test_the_record_says_that_nobody_ran_or_audited_anything(evaluate, good):
    record = evaluate(good, name="mine", seed=3)
    assert (record.external, record.audit, record.cost, record.curve, record.inputs) == (True, None, None, [], None)
    assert (record.model, record.seed, record.role, record.label.profile) == ("mine", 3, "model", "paper")
    assert str(record).startswith("mine on square (forecasts made elsewhere), seed 3: MAE ")
    assert parse(dump(record), "here") == record
    assert record.forecast_map is not None


def test_an_array_scores_as_the_model_that_made_it(evaluate, good, place):
    def day_before(window):
        return window.past[:, 0]

    day_before.DAYS_BACK = (1,)
    run = bench.evaluate(day_before, "square", data_dir=place / "data", settings={"task.scored": 0})
    record = evaluate(good)
    assert record.score("mae") == pytest.approx(run.score("mae"), rel=1e-6)
    assert record.counts.test == run.counts.test == len(good)


def test_the_template_names_what_is_wanted(wanted, place):
    split = bench.load_dataset("square", place / "data", place / "cache").values.shape[0] * 85 // 100
    assert (wanted.origins[0], wanted.origins[-1]) == (split, 400 - 6)
    assert tuple(wanted.shape) == (len(wanted.origins), 6, 2, 4, 4)
    assert wanted.times[0] == np.datetime64("2020-01-06T00:00") + split * np.timedelta64(30, "m")
    few = bench.forecast_windows("square", profile="quick", data_dir=place / "data", cache=place / "cache")
    assert len(few.origins) == 17


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype(np.float64),
        lambda a: a.astype(np.int64),
        lambda a: np.asfortranarray(a),
        lambda a: torch.from_numpy(a),
        lambda a: a.tolist(),
    ],
    ids=["float64", "whole", "by column", "torch", "lists"],
)
def test_the_same_numbers_in_another_form_have_the_same_record(evaluate, good, form):
    assert timeless(evaluate(form(good))) == timeless(evaluate(good))


@pytest.mark.parametrize("order", ["C", "F"])
def test_files_of_numpy_are_read(evaluate, good, wanted, tmp_path, order):
    array = np.array(good, order=order)
    np.save(tmp_path / "mine.npy", array)
    np.savez_compressed(tmp_path / "mine.npz", prediction=array)
    np.savez(tmp_path / "more.npz", forecasts=array, origins=wanted.origins, times=wanted.times.astype(str), truth=good)
    found = [timeless(evaluate(tmp_path / name, name="mine")) for name in ("mine.npy", "mine.npz", "more.npz")]
    assert found == [timeless(evaluate(good, name="mine"))] * 3
    assert evaluate(tmp_path / "mine.npy").model == "mine"


# Ways to be wrong -----------------------------------------------------------------------------------------------------

SHAPES = {
    "channels last": (
        lambda a: np.moveaxis(a, 2, -1),
        "its channels are last: write forecasts.transpose(0, 1, 4, 2, 3)",
    ),
    "steps last": (
        lambda a: np.moveaxis(a, 1, -1),
        "its axes are in another order: write forecasts.transpose(0, 4, 1, 2, 3)",
    ),
    "windows second": (
        lambda a: np.moveaxis(a, 0, 1),
        "its windows are not the first axis: write forecasts.transpose(1, 0",
    ),
    "flat grid": (lambda a: a.reshape(len(a), 6, 2, 16), "its grid is flat: write forecasts.reshape(-1, 6, 2, 4, 4)"),
    "other steps": (lambda a: a[:, :3], "it has 3 steps where 6 are forecast"),
    "one channel": (lambda a: a[:, :, :1], "'stbench score --template' writes the windows that are wanted"),
    "number": (lambda a: a.mean(), "has shape (), wanted [N, F, C, H, W]"),
    "few windows": (lambda a: a[3:], "has 52 windows, wanted 55; 'stbench score --template'"),
    "quick windows": (lambda a: a[:17], "has 17 windows, wanted 55; --profile quick scores so many"),
    "no windows": (lambda a: a[:0], "has 0 windows, wanted 55"),
}


@pytest.mark.parametrize(("form", "sentence"), SHAPES.values(), ids=SHAPES)
def test_another_shape_is_told_with_what_to_write(evaluate, good, form, sentence):
    assert sentence in refused(evaluate, form(good))


def spoilt(array, value):
    array = array.copy()
    array[40, 2, 1, 3, 0] = value
    return array


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39], ids=str)
def test_a_value_that_is_not_finite_is_told_with_its_place(evaluate, good, value):
    assert "a value that is not finite at [40, 2, 1, 3, 0]" in refused(evaluate, spoilt(good.astype(np.float64), value))


def scaled(array, place, how):
    values = bench.load_dataset("square", place / "data", place / "cache").values[:280]
    center, spread = values.mean(axis=(0, 2, 3))[:, None, None], values.std(axis=(0, 2, 3))[:, None, None]
    low, high = values.min(axis=(0, 2, 3))[:, None, None], values.max(axis=(0, 2, 3))[:, None, None]
    forms = {
        "standard": (array - center) / spread,
        "minus 1 to 1": 2 * (array - low) / (high - low) - 1,
        "0 to 1": (array - low) / (high - low),
        "share of the maximum": array / high,
    }
    return forms[how]


@pytest.mark.parametrize("how", ["standard", "minus 1 to 1", "0 to 1", "share of the maximum"])
def test_scaled_values_are_told_by_their_range(evaluate, good, place, how):
    text = refused(evaluate, scaled(good, place, how))
    assert "look scaled: they go from " in text
    assert "undo the scaling" in text


LOOKS = {
    "logarithms": (np.log1p, "look like logarithms"),
    "transposed": (lambda a: a.swapaxes(-1, -2), "look transposed: write forecasts.swapaxes(-1, -2)"),
    "upside down": (lambda a: a[..., ::-1, :], "look upside down"),
    "mirrored": (lambda a: a[..., ::-1], "look mirrored"),
    "channels swapped": (lambda a: a[:, :, ::-1], "their channels were in another order"),
    "backwards": (lambda a: a[::-1], "look as if their windows went from the last to the first"),
    "shuffled": (lambda a: np.random.default_rng(0).permutation(a), "fit their own windows no better than any others"),
}


@pytest.mark.parametrize(("form", "sentence"), LOOKS.values(), ids=LOOKS)
def test_forecasts_that_fit_better_otherwise_are_refused_unless_they_shall_be_scored_as_they_are(
    evaluate, good, form, sentence
):
    text = refused(evaluate, form(good))
    assert sentence in text
    assert text.endswith("--as-is, or as_is=True, scores them as they are")
    assert evaluate(form(good), as_is=True).score("mae") > evaluate(good).score("mae")


def test_windows_that_are_named_are_in_order_however_badly_they_fit(evaluate, good, wanted, tmp_path):
    shuffled = np.random.default_rng(0).permutation(good)
    assert evaluate(in_file(tmp_path, forecasts=shuffled, origins=wanted.origins)).score("mae") > 0
    assert "an .npz with their 'origins' says which they are; --as-is" in refused(evaluate, shuffled)


def test_honest_forecasts_of_any_quality_are_scored(evaluate, good, wanted, place):
    values = bench.load_dataset("square", place / "data", place / "cache").values
    mean = np.broadcast_to(values[:280].mean(axis=0), good.shape)
    persistence = np.repeat(values[wanted.origins - 1][:, None], 6, axis=1)
    noisy = good * np.random.default_rng(0).uniform(0.2, 2.5, good.shape).astype(np.float32)
    for honest in (mean, np.zeros_like(good), persistence, noisy, 3 * good, good + 100):
        assert evaluate(honest).score("mae") > 0


def in_file(folder, **arrays):
    np.savez(folder / "f.npz", **arrays)
    return folder / "f.npz"


def test_windows_that_are_named_are_held_against_those_that_are_scored(evaluate, good, wanted, tmp_path):
    def refusal(**arrays):
        return refused(evaluate, in_file(tmp_path, **arrays))

    origins, times = wanted.origins, wanted.times
    order = np.random.default_rng(0).permutation(len(good))
    assert "has the windows in another order; sort forecasts and origins alike by numpy.argsort(origins)" in refusal(
        forecasts=good[order], origins=origins[order]
    )
    assert "sort forecasts and times alike" in refusal(forecasts=good[::-1], times=times[::-1])
    assert f"lacks 2 of 55 windows, the first at {origins[10]} (2020-01-13T07:00:00);" in refusal(
        forecasts=np.delete(good, [10, 20], 0), origins=np.delete(origins, [10, 20])
    )
    assert "has origins that are all 6 earlier than wanted: each is of the first step that is forecast" in refusal(
        forecasts=good, origins=origins - 6
    )
    assert "has times that are all 1800 seconds later than wanted" in refusal(
        forecasts=good, times=times + np.timedelta64(30, "m")
    )
    assert "has 1 windows twice" in refusal(forecasts=good[[0, *range(55)]], origins=origins[[0, *range(55)]])
    assert "has 1 that are not scored, the first at 9000" in refusal(
        forecasts=good[[*range(55), 0]], origins=np.append(origins, 9000)
    )
    assert "55 forecasts and origins (3,)" in refusal(forecasts=good, origins=origins[:3])
    assert "are no dates" in refusal(forecasts=good, times=np.array(["Monday"] * 55))


def test_what_a_file_says_of_its_data_is_held_against_them(evaluate, good, tmp_path):
    def refusal(**facts):
        return refused(evaluate, in_file(tmp_path, forecasts=good, **facts))

    assert "is of the data set 'tiny', not of 'square'" in refusal(dataset="tiny")
    assert "was made of other data of 'square' (sha256 aaaaaaaaaaaa," in refusal(data_sha256="a" * 64)
    assert "has the channels out, in, wanted in, out" in refusal(channels=["out", "in"])
    assert "has a task that is not understood; say --task" in refusal(task="{}")


def python_objects(folder):
    np.savez(folder / "f.npz", forecasts=np.array([{"a": 1}], dtype=object))


FILES = {
    "pickled npz": (python_objects, "f.npz holds Python objects, which are not unpickled; write plain numbers"),
    "pickle": (lambda f: (f / "f.npz").write_bytes(pickle.dumps([1.0])), "is neither an .npz nor an .npy of numpy"),
    "torch": (lambda f: torch.save(torch.zeros(3), f / "f.npz"), "is a zip without arrays of numpy"),
    "text": (lambda f: (f / "f.npz").write_text("1,2,3"), "is neither an .npz nor an .npy of numpy"),
    "empty": (lambda f: (f / "f.npz").touch(), "is neither an .npz nor an .npy of numpy"),
    "texts": (lambda f: np.savez(f / "f.npz", forecasts=["a"]), "holds <U1 where numbers are wanted"),
    "complex": (lambda f: np.savez(f / "f.npz", forecasts=[1j]), "holds complex128 where numbers are wanted"),
    "two arrays": (
        lambda f: np.savez(f / "f.npz", a=[1.0], b=[2.0]),
        "f.npz holds a, b and no array called 'forecasts'",
    ),
    "folder": (lambda f: (f / "f.npz").mkdir(), "f.npz is no file"),
    "nothing": (lambda f: None, "f.npz is not there"),
}


@pytest.mark.parametrize(("make", "sentence"), FILES.values(), ids=FILES)
def test_a_file_of_another_kind_is_one_sentence(evaluate, tmp_path, make, sentence):
    make(tmp_path)
    assert sentence in refused(evaluate, tmp_path / "f.npz")


def test_nothing_of_a_pickle_is_run(evaluate, tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    np.savez(tmp_path / "f.npz", forecasts=np.array([Harm()], dtype=object))
    (tmp_path / "g.npz").write_bytes(pickle.dumps(Harm()))
    for name in ("f.npz", "g.npz"):
        refused(evaluate, tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_a_file_that_is_cut_off_is_one_sentence(evaluate, good, tmp_path):
    np.save(tmp_path / "f.npy", good)
    (tmp_path / "f.npy").write_bytes((tmp_path / "f.npy").read_bytes()[:-1000])
    assert "may be cut off" in refused(evaluate, tmp_path / "f.npy")
    np.savez(tmp_path / "f.npz", forecasts=good)
    content = (tmp_path / "f.npz").read_bytes()
    (tmp_path / "f.npz").write_bytes(content[:20_000] + bytes(1000) + content[21_000:])
    assert "may be cut off" in refused(evaluate, tmp_path / "f.npz")


def test_wrong_words_are_one_sentence(evaluate, good):
    assert "'stid' is a model that is run here" in refused(evaluate, good, error=ConfigError, name="stid")
    assert "cannot be called '../x'" in refused(evaluate, good, error=ConfigError, name="../x")
    assert "settings of the task alone" in refused(evaluate, good, error=ConfigError, settings={"train.epochs": 3})
    assert "no profile named 'papr'" in refused(evaluate, good, error=UnknownNameError, profile="papr")
    assert "does not say of which data set" in refused(evaluate, good, None, error=ConfigError)
    assert "a model and a dataset, or forecasts=" in refused(evaluate, None, error=ConfigError)
    assert "are not saved again" in refused(evaluate, good, error=ConfigError, save_weights=True)


# In a results folder --------------------------------------------------------------------------------------------------


def test_forecasts_take_the_place_of_earlier_ones_of_their_name_and_seed(evaluate, good, tmp_path):
    for forecasts, seed in ((good, 0), (good, 1), (good + 1, 0), (good + 1, 0)):
        evaluate(forecasts, name="mine", seed=seed, results=tmp_path)
    kept = list(ResultStore(tmp_path).records())
    assert sorted(record.seed for record in kept) == [0, 1]
    assert len(list(tmp_path.glob("runs/square/mine/superseded/*.json"))) == 1


def test_no_run_is_ever_taken_for_forecasts_that_were_made_elsewhere(place, tmp_path, records, evaluate):
    path = saved_path(place / "results", records["ridge"], "forecasts")
    record = evaluate(path, dataset=None, results=tmp_path)
    assert record.spec.spec_id != records["ridge"].spec.spec_id
    catalog = Catalog(data_dir=place / "data", cache=place / "cache")
    runner = Runner(catalog, tmp_path, "cpu", isolated=False)
    assert runner.run(small_plan(catalog, "ridge", datasets=("square",))) == {"done": 1, "skipped": 0, "failed": 0}


def test_forecasts_scored_by_other_code_than_today_s_are_stale(evaluate, good, tmp_path):
    record = evaluate(good, name="mine", results=tmp_path)
    assert not bench.load_results(tmp_path).frame["stale"].any()
    older = msgspec.structs.replace(record, code="0" * 12, run_id=f"{record.spec.spec_id}.{'0' * 12}")
    ResultStore(tmp_path).retire("square", "mine", record.run_id)
    ResultStore(tmp_path).write(older)
    assert bench.load_results(tmp_path).frame["stale"].all()


def test_channels_of_different_units_are_scored_one_by_one(good, place, tmp_path):
    import_array(place / "square.npy", _with_units(tmp_path), tmp_path / "data")
    record = bench.evaluate(forecasts=good, dataset="square", data_dir=tmp_path / "data")
    assert record.score("mae") is None
    assert record.score("mae", 0) > 0


def _with_units(folder):
    card = folder / "square.toml"
    card.write_text(SQUARE + 'unit = ["trips", "km/h"]\n', encoding="utf-8")
    return card


def test_an_unknown_data_set_is_named(evaluate, good):
    assert "no data set named 'squre'; did you mean 'square'?" in refused(evaluate, good, "squre", error=BenchError)


def test_the_selection_of_a_file_s_own_task_gives_way_to_what_is_asked(place, records, evaluate):
    path = saved_path(place / "results", records["ridge"], "forecasts")
    assert "lacks 38 of 55 windows" in refused(evaluate, path, profile="paper")


def test_how_forecasts_lie_in_memory_changes_no_bit_of_a_sum():
    task = Task(make_data(grid=(15, 17)), TASKS["short"], torch.device("cpu"))
    windows = task.val
    forecasts = torch.rand((len(windows), 6, 2, 15, 17), generator=torch.Generator().manual_seed(0)) * 50
    turned = forecasts.movedim(1, -1).contiguous().movedim(-1, 1)  # as a model leaves them that works on series
    first, second = (
        sums_of(lambda chosen, values=values: values[chosen[0] : chosen[-1] + 1], windows, mape_threshold=1.0)
        for values in (forecasts, turned)
    )
    np.testing.assert_array_equal(first.sums, second.sums)
