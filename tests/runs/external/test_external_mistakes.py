"""Forecasts that were made elsewhere: a sentence for each way to be wrong."""

from __future__ import annotations

import pickle  # noqa: TID251 - to write what must not be read
from pathlib import Path

import numpy as np
import pytest
import torch
from elsewhere import refused

import bench
from bench.errors import ConfigError, UnknownNameError

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
    "one channel": (
        lambda a: a[:, :, :1],
        "--template' writes the windows that are wanted, and bench.forecast_windows",
    ),
    "number": (lambda a: a.mean(), "has shape (), wanted [N, F, C, H, W]"),
    "few windows": (lambda a: a[3:], "has 52 windows, wanted 55; 'stbench score --template'"),
    "quick windows": (
        lambda a: a[:13],
        "wanted 55; --profile quick, or profile='quick', scores so many",
    ),
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


def test_the_truth_itself_is_no_forecast(evaluate, wanted, place):
    values = bench.load_dataset("square", place / "data", place / "cache").values
    truth = np.stack([values[origin : origin + 6] for origin in wanted.origins])
    assert "are the truth itself, without any error on 55 windows; score what a model has forecast" in refused(
        evaluate, truth
    )
    assert evaluate(truth, as_is=True).score("mae") == 0


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
