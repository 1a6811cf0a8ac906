"""Fracast and Chronos-Bolt against their own packages, and series of cells against a loop."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from chronos import ChronosBoltPipeline
from fracast import FracastModel
from models import make_window
from safetensors.torch import save_file

from baselines import _zoo, chronos_bolt, fracast
from baselines._series import WEEK, cell_by_cell
from bench.errors import ConfigError, WeightsError
from bench.types import TaskShape, Window
from bench.weights import FOLDER_VARIABLE, Source

SHAPE = TaskShape(history=6, horizon=4, channels=2, grid=(2, 3), slots_per_day=48, days_back=WEEK)


def window_of(shape: TaskShape = SHAPE, batch: int = 2) -> Window:
    window = make_window(shape, batch)
    assert window.past is not None
    known = torch.rand(window.past.shape) > 0.2
    return replace(window, past_valid=known, history_valid=torch.rand(window.history.shape) > 0.2)


def series_of(window: Window, context: str) -> np.ndarray:
    """``[B, C, H, W, T]``, step by step."""
    assert window.past is not None
    assert window.past_valid is not None
    past = np.where(window.past_valid, window.past, np.nan)
    history = np.where(window.history_valid, window.history, np.nan)
    steps = [past[:, day, step] for day in range(7) for step in range(past.shape[2])] if context != "history" else []
    steps += [history[:, step] for step in range(history.shape[1])] if context != "days" else []
    return np.stack(steps, axis=-1)


@pytest.mark.parametrize("context", ["days", "both", "history"])
def test_a_series_is_a_channel_of_a_cell_in_the_order_of_time(context: str) -> None:
    window, asked = window_of(), []

    def last_and_number(series: torch.Tensor) -> torch.Tensor:
        asked.append(series)
        return torch.stack((series[:, -1].nan_to_num(7.0), series[:, 0].nan_to_num(5.0)), dim=1)

    forecast = cell_by_cell(window, context, 5, last_and_number)
    wanted = series_of(window, context)
    assert [len(few) for few in asked] == [5, 5, 5, 5, 4]
    for place in np.ndindex(wanted.shape[:-1]):
        batch, channel, row, column = place
        first, last = np.nan_to_num(wanted[place][0], nan=5.0), np.nan_to_num(wanted[place][-1], nan=7.0)
        assert forecast[batch, :, channel, row, column].tolist() == pytest.approx([last, first])


@pytest.mark.parametrize("horizon", [4, 50])
def test_fracast_forecasts_what_its_package_does(horizon: int) -> None:
    shape = replace(SHAPE, horizon=horizon, channels=1, grid=(1, 2))
    window = window_of(shape, batch=1)
    forecast = fracast.Model(shape, fracast.Config(weights="pretrained", length=2048))(window)
    theirs = FracastModel.from_pretrained(weights="fp32")
    for cell in range(2):
        wanted = theirs.forecast(series_of(window, "both")[0, 0, 0, cell], horizon=horizon)[:, 4]
        np.testing.assert_allclose(forecast[0, :, 0, 0, cell], wanted, atol=2e-5)


def test_fracast_has_weights_without_a_hub_and_others_as_a_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    window = window_of()
    ours, control = (fracast.Model(SHAPE, fracast.Config(weights=weights)) for weights in ("pretrained", "random"))
    assert sum(weight.numel() for weight in ours.parameters()) == 85_001
    assert (ours(window) - control(window)).abs().max() > 0.1


def test_a_series_of_which_nothing_is_known_is_the_training_mean_or_near() -> None:
    window = window_of()
    assert window.past_valid is not None
    nothing, neither = torch.zeros_like(window.past_valid), torch.zeros_like(window.history_valid)
    window = replace(window, past_valid=nothing, history_valid=neither)
    for model in (
        fracast.Model(SHAPE, fracast.Config()),
        chronos_bolt.Model(SHAPE, chronos_bolt.Config()).eval(),
    ):
        forecast = model(window)
        assert forecast.isfinite().all()
        assert forecast.unique(dim=0).shape[0] == 1


@pytest.mark.parametrize("horizon", [4, 70])
def test_chronos_bolt_forecasts_what_its_package_does(horizon: int) -> None:
    shape = replace(SHAPE, horizon=horizon)
    torch.manual_seed(3)
    model = chronos_bolt.Model(shape, chronos_bolt.Config()).eval()
    window = window_of(shape)
    forecast = model(window)
    series = torch.from_numpy(series_of(window, "both")).flatten(0, 3).float()
    theirs = ChronosBoltPipeline(model.t5)
    wanted, _ = theirs.predict_quantiles(series, prediction_length=min(horizon, 64), quantile_levels=[0.5])
    ours = forecast.permute(0, 2, 3, 4, 1).flatten(0, 3)[:, : wanted.shape[1]]
    torch.testing.assert_close(ours, wanted[..., 0], rtol=1e-5, atol=1e-5)


def a_size(folder, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A published size of our smallest, whose file has another width, maybe."""
    source = Source(repository="amazon/chronos-bolt-tiny", file="model.safetensors")
    nano = replace(_zoo.BOLTS["chronos_bolt_nano"], source=source)
    monkeypatch.setattr(chronos_bolt, "BOLTS", MappingProxyType({"chronos_bolt_tiny": nano}))
    torch.manual_seed(11)
    t5 = chronos_bolt._random(replace(nano, width=width))
    file = source.within(folder)
    file.parent.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in chronos_bolt._own(t5).items()}, file)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))


def test_chronos_bolt_reads_its_weights_and_those_for_tokens_with_them(tmp_path, monkeypatch) -> None:
    a_size(tmp_path, monkeypatch, width=16)
    torch.manual_seed(1)
    model = chronos_bolt.Model(SHAPE, chronos_bolt.Config(checkpoint="chronos_bolt_tiny", weights="pretrained"))
    torch.manual_seed(11)
    wanted = chronos_bolt._random(chronos_bolt.BOLTS["chronos_bolt_tiny"]).state_dict()
    for name, tensor in model.t5.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0)
    assert chronos_bolt.check("chronos_bolt_tiny", tmp_path / "amazon/chronos-bolt-tiny/model.safetensors") > 10


def test_weights_of_another_size_are_refused(tmp_path, monkeypatch) -> None:
    a_size(tmp_path, monkeypatch, width=32)
    with pytest.raises(WeightsError, match="is not what its name says"):
        chronos_bolt.Model(SHAPE, chronos_bolt.Config(checkpoint="chronos_bolt_tiny", weights="pretrained"))


def test_what_cannot_be_is_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match="context=history"):
        fracast.Model(replace(SHAPE, days_back=(7, 1)), fracast.Config())
    with pytest.raises(ConfigError, match="no pre-trained weights"):
        chronos_bolt.Model(SHAPE, chronos_bolt.Config(weights="pretrained"))
    with pytest.raises(ValueError, match="at least 16"):
        fracast.Config(length=8)
