"""Time-LLM against slow versions of its parts."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Literal

import pytest
import torch
from models import make_window, size_of, task_shape

from baselines import time_llm
from baselines._language import Language


def slow_words(series: list[float]) -> str:
    """The statistics of one series as the paper's prompt states them, digits and signs alone; lags in two digits."""
    steps = len(series)
    correlation = [sum(series[i] * series[(i + lag) % steps] for i in range(steps)) for lag in range(steps // 2 + 1)]
    order = sorted(range(steps // 2 + 1), key=lambda lag: -correlation[lag])[:5]
    numbers = [min(series), max(series), statistics.median_low(series)]
    said = [f"{'-' if round(10 * x) < 0 else '+'}{abs(round(10 * x)):02d}" for x in numbers]
    return "".join(said) + ("+" if series[-1] > series[0] else "-") + "".join(f"{lag:02d}" for lag in order)


@pytest.mark.parametrize("steps", [20, 21])
def test_the_prompt_states_the_statistics_of_its_series(steps: int) -> None:
    prompt = time_llm.Model(task_shape(history=steps), time_llm.Config(past=False)).prompt
    torch.manual_seed(0)
    series = torch.randn(20, steps)
    texts = {int(number): text for text, number in zip("0123456789", prompt.digits, strict=True)}
    texts |= {int(number): text for text, number in zip("-+", prompt.signs, strict=True)}
    assert len(texts) == 12
    words = prompt.words(series)
    assert prompt.length == len(prompt.about) + words.shape[1]
    for row, values in zip(words, series.tolist(), strict=True):
        assert "".join(texts.get(int(number), "") for number in row) == slow_words(values)


@pytest.mark.parametrize(
    ("slots", "season", "words"), [(12, "day", "120 minutes"), (12, "year", "month"), (52, "year", "week")]
)
def test_the_prompt_knows_the_length_of_a_step(slots: int, season: Literal["day", "year"], words: str) -> None:
    shape = dataclasses.replace(task_shape(slots=slots), season=season)
    assert time_llm._step(shape) == words


@pytest.mark.parametrize("steps", [13, 18, 24])
def test_the_words_on_a_series_do_not_depend_on_its_batch(steps: int) -> None:
    prompt = time_llm.Model(task_shape(history=steps), time_llm.Config(past=False)).prompt
    torch.manual_seed(0)
    series = torch.cat((torch.randn(400, steps), torch.zeros(2, steps)))
    alone = torch.cat([prompt.words(series[row : row + 1]) for row in range(len(series))])
    assert torch.equal(prompt.words(series), alone)


def test_statistics_of_a_square_leave_its_padding_out() -> None:
    shape = task_shape((3, 3), channels=1)
    model = time_llm.Model(shape, time_llm.Config(side=2)).eval()
    assert model.real.flatten().tolist() == [4, 2, 2, 1]
    heard: list[torch.Tensor] = []
    model.prompt.register_forward_pre_hook(lambda _, given: heard.append(given[1]))
    window = make_window(shape, batch=1, model="time_llm")
    model(window)
    known = model.known(window)[0, :, 0, 2, 2]  # the corner, alone in its square
    scale = (known.var(correction=0) + 1e-5 + 0.1**2).sqrt()
    torch.testing.assert_close(heard[0][3], (known - known.mean()) / scale)


def test_numbers_in_a_prompt_have_as_many_digits_as_they_need_and_large_ones_are_cut() -> None:
    prompt = time_llm.Model(task_shape(history=3), time_llm.Config(past=False)).prompt
    digits = prompt.digits.tolist()
    assert prompt.written(torch.tensor([[7, 11]]), 2).tolist() == [[digits[0], digits[7], digits[1], digits[1]]]
    assert prompt.number(torch.tensor([-123.0])).tolist() == [[int(prompt.signs[0]), digits[9], digits[9]]]
    assert prompt.words(torch.zeros(2, 3)).shape == (2, 5 + 3 * 3 + 1 + 2)


def test_a_remembered_prompt_is_the_prompt_read_with_the_tokens_behind_it() -> None:
    torch.manual_seed(0)
    model = time_llm.Model(task_shape(), time_llm.Config()).eval()
    language, series, tokens = model.body, torch.randn(3, 10), torch.randn(3, 5, 64)
    assert isinstance(language, Language)
    numbers = torch.cat((model.prompt.about.expand(3, -1), model.prompt.words(series)), dim=1)
    whole = language(torch.cat((language.words[numbers], tokens), dim=1))[:, -5:]
    read = language.model(input_ids=numbers).past_key_values
    torch.testing.assert_close(language(tokens, read), whole)
    torch.testing.assert_close(language(tokens, model.prompt(language, series)), whole)
    assert not torch.allclose(language(tokens), whole, atol=1e-3)


def test_reprogramming_mixes_prototypes_head_by_head() -> None:
    torch.manual_seed(0)
    config = time_llm.Config(width=6, heads=4, features=3)
    layer = time_llm.Reprogramming(config, 10).eval()
    tokens, prototypes = torch.randn(2, 5, 6), torch.randn(7, 10)
    mixed = torch.zeros(2, 5, 12)
    for head in range(4):
        part = slice(3 * head, 3 * head + 3)
        query, key, value = (
            layer.query(tokens)[..., part],
            layer.key(prototypes)[:, part],
            layer.value(prototypes)[:, part],
        )
        for row in range(2):
            for step in range(5):
                scores = torch.stack([query[row, step] @ each / 3**0.5 for each in key])
                mixed[row, step, part] = sum(w * each for w, each in zip(scores.softmax(0), value, strict=True))
    torch.testing.assert_close(layer(tokens, prototypes), layer.out(mixed))


def test_prototypes_are_normalised_mixtures_of_all_words() -> None:
    model = time_llm.Model(task_shape(), time_llm.Config(prototypes=3))
    language = model.body
    assert isinstance(language, Language)
    rows = [
        sum(model.mapping.weight[k, v] * language.words[v] for v in range(512)) + model.mapping.bias[k]
        for k in range(3)
    ]
    torch.testing.assert_close(model.sources(), model.norm(torch.stack(rows)), rtol=1e-4, atol=1e-4)


def test_time_llm_has_the_parameters_of_its_parts() -> None:
    shape = task_shape((5, 4), channels=2, horizon=3, history=6)
    config = time_llm.Config(side=2, width=6, prototypes=9, heads=4, features=8)
    places, values, patch, tokens = 3 * 2, 2 * 2 * 2, 3, 6 + 2 * 3 - 3 + 2
    embedding = 3 * patch * values * 6 + (places + 48 + 7) * 6
    reprogramming = (6 + 1) * 32 + 2 * (64 + 1) * 32 + (32 + 1) * 64
    prototypes = (512 + 1) * 9 + 2 * 64
    head = (tokens * 8 + 1) * 3 * values
    assert size_of(time_llm.Model(shape, config)) == embedding + reprogramming + prototypes + head
    without = size_of(time_llm.Model(shape, dataclasses.replace(config, control="identity")))
    assert without == embedding + reprogramming + 9 * 64 + 2 * 64 + head
    attention = size_of(time_llm.Model(shape, dataclasses.replace(config, control="attention")))
    assert attention == without + 4 * (64 + 1) * 64
    block = size_of(time_llm.Model(shape, dataclasses.replace(config, control="block")))
    assert block == attention + (64 + 1) * 256 + (256 + 1) * 64 + 3 * 2 * 64


@pytest.mark.parametrize("past", [True, False])
@pytest.mark.parametrize(
    ("longest", "history", "horizon", "patch"), [(16, 6, 6, 6), (16, 4, 3, 3), (4, 9, 8, 4), (16, 1, 2, 1)]
)
def test_a_patch_of_time_llm_is_no_longer_than_history_or_horizon(
    longest: int, history: int, horizon: int, patch: int, past: bool
) -> None:
    shape = task_shape((2, 2), history=history, horizon=horizon)
    model = time_llm.Model(shape, time_llm.Config(patch=longest, past=past)).eval()
    steps = torch.arange(history + 2 * horizon * past, dtype=torch.float32)
    patches = model.patches(steps.view(1, 1, -1, 1))[0, 0].tolist()
    longer = [*steps.tolist(), *([steps[-1].item()] * model.stride)]
    starts = range(0, len(longer) - patch + 1, max(1, patch // 2))
    assert patches == [longer[start : start + patch] for start in starts]
    assert model(make_window(shape, model="time_llm")).shape == (3, horizon, 2, 2, 2)


def test_time_llm_looks_back_on_the_week_the_day_and_the_history_in_this_order() -> None:
    shape = task_shape()
    window = make_window(shape, model="time_llm")
    assert time_llm.DAYS_BACK == (7, 1)
    known = time_llm.Model(shape, time_llm.Config()).known(window)
    assert window.past is not None
    assert torch.equal(known, torch.cat((window.past[:, 0], window.past[:, 1], window.history), dim=1))
    assert torch.equal(time_llm.Model(shape, time_llm.Config(past=False)).known(window), window.history)


def test_a_series_at_a_higher_level_is_forecast_at_a_higher_level_and_the_floor_bounds_its_scale() -> None:
    torch.manual_seed(0)
    shape, window = task_shape(), make_window(task_shape(), model="time_llm")
    assert window.past is not None
    higher = dataclasses.replace(window, history=window.history + 5, past=window.past + 5)
    model = time_llm.Model(shape, time_llm.Config()).eval()
    torch.testing.assert_close(model(higher), model(window) + 5, rtol=1e-4, atol=1e-4)
    still = dataclasses.replace(window, history=window.history * 0, past=window.past * 0)
    model.config = time_llm.Config(floor=1.0)
    moving = model(still).abs().max()
    model.config = time_llm.Config(floor=0.0)
    torch.testing.assert_close(model(still).abs().max(), moving * (1e-5 / (1 + 1e-5)) ** 0.5)


@pytest.mark.parametrize("switch", ["prompt", "identity", "calendar"])
def test_each_switch_of_time_llm_takes_its_part_away(switch: str) -> None:
    shape, window = task_shape(), make_window(task_shape(), model="time_llm")
    made = []
    for on in (True, False):
        torch.manual_seed(0)
        made.append(time_llm.Model(shape, time_llm.Config(**{switch: on})).eval())
    with_it, without = made
    moved = dataclasses.replace(window, horizon_clock=(window.horizon_clock + 1) % 7)
    assert not torch.allclose(with_it(window), without(window), atol=1e-4)
    assert torch.equal(without(moved), without(window)) == (switch == "calendar")
    assert (size_of(with_it) == size_of(without)) == (switch == "prompt")
