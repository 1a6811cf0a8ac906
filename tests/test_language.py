"""Language models that forecast: Time-LLM and ST-LLM against slow versions of themselves, and their weights."""

from __future__ import annotations

import dataclasses
import json
import shutil
import statistics
from pathlib import Path

import pytest
import torch
from hub import Hub, safetensors
from models import make_window, size_of, task_shape, trained
from torch import nn

from baselines import _language, st_llm, time_llm
from baselines._cells import Squares, squares
from baselines._language import Language, Vocabulary, load, sizes_of
from baselines._zoo import LANGUAGE_MODELS, LanguageModel
from bench import registry
from bench.data import Catalog
from bench.errors import ConfigError, UnknownNameError, WeightsError
from bench.plan import Selection, plan
from bench.suite import load_suite
from bench.types import TaskShape

SMALL = LanguageModel(repository="openai-community/gpt2", licence="mit", width=16, depth=3, heads=2, vocabulary=40)
PARAMETERS = {"distilgpt2": 81_912_576, "gpt2": 124_439_808, "gpt2_medium": 354_823_168, "gpt2_large": 774_030_080}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPT-2 by its name, but of a size for tests."""
    monkeypatch.setattr(_language, "LANGUAGE_MODELS", {**LANGUAGE_MODELS, "gpt2": SMALL})


def tokenizer() -> bytes:
    """A tokenizer of whole words, as a file of the hub."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["?", "Task", "minimum", "maximum", "-", "+", *"0123456789"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="?"))  # noqa: S106 - a word, no password
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str().encode()


def gpt2_on(hub: Hub) -> nn.Module:
    """A small GPT-2 with its tokenizer on the hub, named as the real file names it, with a tensor nobody needs."""
    torch.manual_seed(3)
    model = _language._made(_language._configuration("gpt2")).eval()
    state = {**model.state_dict(), "h.0.attn.bias": torch.ones(2)}
    hub.files["openai-community/gpt2/model.safetensors"] = safetensors(state)
    hub.files["openai-community/gpt2/tokenizer.json"] = tokenizer()
    made: nn.Module = model
    return made


def llama_on(hub: Hub, *, parts: int = 1, **changed: object) -> nn.Module:
    """A tiny Llama as its own repository, with the names of a whole causal model, in one or several files."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, vocab_size=30
    )
    torch.manual_seed(4)
    model = LlamaForCausalLM(config).eval()
    state = model.state_dict()
    place = "someone/llama"
    hub.files[f"{place}/config.json"] = json.dumps({**config.to_dict(), **changed}).encode()
    hub.files[f"{place}/tokenizer.json"] = tokenizer()
    if parts == 1:
        hub.files[f"{place}/model.safetensors"] = safetensors(state)
        return model.model
    where = {name: f"model-{number % parts}.safetensors" for number, name in enumerate(state)}
    hub.files[f"{place}/model.safetensors.index.json"] = json.dumps({"weight_map": where}).encode()
    for file in set(where.values()):
        hub.files[f"{place}/{file}"] = safetensors({name: state[name] for name in state if where[name] == file})
    return model.model


# Squares of cells


@pytest.mark.parametrize(("grid", "side"), [((4, 6), 1), ((4, 6), 2), ((5, 7), 2), ((3, 5), 4)])
def test_squares_hold_their_cells_row_by_row_and_come_together_again(grid: tuple[int, int], side: int) -> None:
    places, frames = Squares(grid=grid, side=side), torch.randn(2, 3, *grid)
    cut = places.cut(frames)
    across = -(-grid[1] // side)
    assert cut.shape == (2, places.count, 3 * side * side)
    for k, row, column in ((0, 0, 0), (2, grid[0] - 1, grid[1] - 1), (1, 2, 3)):
        square = row // side * across + column // side
        within = (k * side + row % side) * side + column % side
        assert torch.equal(cut[:, square, within], frames[:, k, row, column])
    assert torch.equal(places.paste(cut), frames)


@pytest.mark.parametrize(
    ("grid", "side", "found"), [((10, 10), 0, 1), ((10, 20), 0, 2), ((32, 32), 0, 4), ((32, 32), 1, 1)]
)
def test_the_side_is_the_smallest_power_of_two_that_leaves_few_enough(
    grid: tuple[int, int], side: int, found: int
) -> None:
    assert squares(grid, side, most=100).side == found


# Time-LLM


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


# ST-LLM


def test_a_token_of_st_llm_is_a_cell_its_place_and_the_last_steps_calendar() -> None:
    torch.manual_seed(0)
    shape = task_shape((2, 3))
    model, window = st_llm.Model(shape, st_llm.Config(control="identity")), make_window(shape)
    forecast = model(window)
    for batch, row, column in ((0, 0, 0), (2, 1, 2)):
        past = window.history[batch, :, :, row, column].flatten()
        slot, day = window.history_clock[batch, -1]
        parts = (model.series(past), model.slot[slot] + model.day[day], model.place[3 * row + column])
        wanted = model.head(model.fusion(torch.cat(parts))).view(3, 2)
        torch.testing.assert_close(forecast[batch, :, :, row, column], wanted)


def test_a_cell_of_st_llm_sees_the_cells_before_it_and_no_other() -> None:
    torch.manual_seed(0)
    shape = task_shape((3, 4))
    model, window = st_llm.Model(shape, st_llm.Config()), make_window(shape)
    history = window.history.clone()
    history[..., 1, 2] += 1.0
    change = (model(dataclasses.replace(window, history=history)) - model(window)).abs().amax((0, 1, 2)).flatten()
    assert (change[:6] == 0).all()
    assert (change[6:] > 1e-6).all()


@pytest.mark.usefixtures("small")
def test_st_llm_trains_norms_and_positions_and_the_attention_of_its_last_blocks() -> None:
    model = st_llm.Model(task_shape(), st_llm.Config(llm="gpt2", depth=3, unfrozen=1))
    inside = {name.removeprefix("body.model.") for name, _ in trained(model) if name.startswith("body.model.")}
    norms = {
        f"h.{block}.{norm}.{leaf}" for block in range(3) for norm in ("ln_1", "ln_2") for leaf in ("weight", "bias")
    }
    attention = {f"h.2.attn.{part}.{leaf}" for part in ("c_attn", "c_proj") for leaf in ("weight", "bias")}
    assert inside == norms | attention | {"wpe.weight", "ln_f.weight", "ln_f.bias"}


def test_st_llm_has_the_parameters_of_its_parts() -> None:
    shape, width = task_shape((4, 5), channels=2, horizon=3, history=6), 8
    embeddings = (12 + 1) * width + (48 + 7 + 20) * width + (3 * width + 1) * 64
    head = (64 + 1) * 6
    language = 1024 * 64 + (2 * 2 + 1) * 2 * 64 + (64 + 1) * 3 * 64 + (64 + 1) * 64
    assert size_of(st_llm.Model(shape, st_llm.Config(width=width))) == embeddings + head + language
    assert size_of(st_llm.Model(shape, st_llm.Config(width=width, control="identity"))) == embeddings + head


def test_no_more_blocks_are_unfrozen_than_there_are() -> None:
    sizes = [size_of(st_llm.Model(task_shape(), st_llm.Config(unfrozen=last))) for last in (0, 1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]


def test_a_grid_of_more_cells_than_positions_shares_tokens_and_asking_for_more_is_an_error() -> None:
    shape = task_shape((33, 32))
    assert st_llm.Model(shape, st_llm.Config()).squares.side == 2
    with pytest.raises(ConfigError, match="1056 tokens are more than the 1024 positions"):
        st_llm.Model(shape, st_llm.Config(side=1))
    with pytest.raises(ConfigError, match="are more than the 1024 positions"):
        time_llm.Model(task_shape((1, 1), history=1000), time_llm.Config(patch=1))


# Settings


@pytest.mark.parametrize("module", [time_llm, st_llm])
def test_a_control_without_a_language_model_says_so_and_nothing_goes_without_weights(module: object) -> None:
    config = module.Config  # type: ignore[attr-defined]
    assert config(weights="pretrained", llm="gpt2").weights == "pretrained"
    assert config(weights="pretrained", control="attention").weights == "none"
    with pytest.raises(ValueError, match="belongs to the controls"):
        config(weights="none")
    with pytest.raises(ConfigError, match=r"say model\.llm=gpt2"):
        module.Model(task_shape(), config(weights="pretrained"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("control", ["identity", "attention"])
def test_a_control_of_time_llm_reprograms_as_the_model_does(control: str) -> None:
    config = time_llm.Config(control=control)
    model = time_llm.Model(task_shape(), config)
    spread = model.sources().std(dim=1, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=0.05, atol=0.0)
    whole = {name for name, _ in trained(time_llm.Model(task_shape(), time_llm.Config()))}
    inside = {name for name, _ in trained(model) if not name.startswith(("body.", "prototypes"))}
    assert inside == {name for name in whole if not name.startswith("mapping.")}


@pytest.mark.parametrize("suite", ["time_llm_controls", "st_llm_controls"])
def test_the_controls_of_a_language_model_are_planned_on_one_model(catalog: Catalog, suite: str) -> None:
    def planned(profile: str) -> dict[str, tuple[str, str]]:
        runs = plan(load_suite(suite), Selection(datasets=("tiny",), profile=profile, seeds=(0,)), catalog)
        found = {run.line: run.spec for run in runs if "llm" in run.spec.config}
        return {line: (spec.config["llm"], spec.weights) for line, spec in found.items()}

    weights = ["pretrained", "random", "none", "none"]
    assert list(planned("paper").values()) == [("gpt2", each) for each in weights]
    assert list(planned("quick").values()) == [("gpt2_tiny", each) for each in weights[1:]]


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        *((time_llm, {name: value}) for name, value in {"depth": -1, "side": -1, "patch": 0, "features": 0}.items()),
        *((time_llm, {name: value}) for name, value in {"prototypes": 0, "dropout": 1.0, "floor": -0.1}.items()),
        *((st_llm, {name: -1}) for name in ("depth", "side", "unfrozen", "width")),
    ],
)
def test_a_setting_outside_its_sense_is_refused(module: object, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        module.Config(**settings)  # type: ignore[attr-defined]


def test_the_code_behind_a_model_is_its_file_and_the_shared_ones_it_imports() -> None:
    def files(name: str) -> list[str]:
        return [path.name for path in registry.find("model", name).files]

    assert files("st_llm") == ["st_llm.py", "_cells.py", "_language.py", "_zoo.py"]
    assert files("stid") == ["stid.py"]


# Weights


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_table_has_the_sizes_of_the_real_models(name: str) -> None:
    with torch.device("meta"):
        model = _language._made(_language._configuration(name))
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[name]
    assert sizes_of(name) == (model.config.hidden_size, 1024)


def test_random_weights_come_from_the_seed_and_leave_the_generator_as_it_was() -> None:
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append((load("gpt2_tiny", "random", 0).words, torch.rand(1)))
        torch.manual_seed(seed)
        assert torch.equal(torch.rand(1), made[-1][1])
    assert torch.equal(made[0][0], made[1][0])
    assert not torch.equal(made[0][0], made[2][0])


def test_a_random_model_knows_words_by_a_number_of_their_own() -> None:
    vocabulary = Vocabulary("gpt2_tiny", "random", 512)
    once, twice = vocabulary.numbers("median 12"), vocabulary.numbers("12 12 median")
    assert once == [twice[4], twice[0], twice[1]]
    assert vocabulary.sign(" 7") == vocabulary.numbers("7")[0]


@pytest.mark.usefixtures("small")
def test_pre_trained_gpt2_is_fetched_once_and_answers_as_it_does_in_transformers(hub: Hub) -> None:
    model = gpt2_on(hub)
    language, words = load("gpt2", "pretrained", depth=0), torch.tensor([[1, 5, 7, 2]])
    torch.testing.assert_close(language(language.words[words]), model(words).last_hidden_state)
    hub.requests.clear()
    shorter = load("gpt2", "pretrained", depth=2)
    assert (len(shorter.blocks), hub.requests) == (2, [])
    assert Vocabulary("gpt2", "pretrained", 40).numbers("Task minimum 7") == [1, 2, 13]
    assert not any(weight.requires_grad for weight in language.parameters())
    assert not language.train().training


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("module", [time_llm, st_llm])
def test_any_causal_model_of_the_hub_can_be_reprogrammed(hub: Hub, parts: int, module: object) -> None:
    original = llama_on(hub, parts=parts)
    config = module.Config(llm="someone/llama", weights="pretrained", depth=0)  # type: ignore[attr-defined]
    model = module.Model(task_shape(), config)  # type: ignore[attr-defined]
    for name, weight in model.body.model.named_parameters():
        assert torch.equal(weight, original.get_parameter(name))
    model(make_window(task_shape(), model="time_llm")).mean().backward()
    assert [name for name, weight in trained(model) if weight.grad is None] == []


def test_a_random_control_of_a_model_on_the_hub_needs_its_description_alone(hub: Hub) -> None:
    original = llama_on(hub)
    language = load("someone/llama", "random", depth=0)
    assert not torch.equal(language.words, original.get_input_embeddings().weight)
    assert {request.rpartition("/")[2] for request in hub.requests if "someone/llama" in request} == {"config.json"}


KINDS = {
    "llama": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "gpt_neox": {},
    "gemma": {"num_key_value_heads": 2, "head_dim": 8},
}


@pytest.mark.parametrize("kind", KINDS)
def test_language_models_of_several_kinds_read_a_prompt_and_forecast(hub: Hub, kind: str) -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    description = {"model_type": kind, **sizes, "vocab_size": 300, "pad_token_id": 0, **KINDS[kind]}
    hub.files[f"someone/{kind}/config.json"] = json.dumps(description).encode()
    for module in (time_llm, st_llm):
        torch.manual_seed(0)
        model = module.Model(task_shape(), module.Config(llm=f"someone/{kind}")).eval()
        model(make_window(task_shape(), model="time_llm")).mean().backward()
        assert [name for name, weight in trained(model) if weight.grad is None] == []
    language, words = load(f"someone/{kind}", "random", depth=0), torch.tensor([[5, 7, 9]])
    tokens = torch.randn(1, 4, 16)
    after = language(tokens, language.remember(words))
    torch.testing.assert_close(after, language(tokens, language.model(input_ids=words).past_key_values))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"model_type": "vit"}, "'vit' is no causal language model"),
        ({"model_type": "nothing"}, "'nothing' is no causal language model"),
        ({"model_type": ["llama"]}, "describes no language model"),
        ({"hidden_size": "wide"}, "describes no language model"),
        ({"quantization_config": {"quant_method": "fp8"}}, "its weights are quantised"),
        ({"model_type": "bart"}, "someone/llama|bart"),
        ({"model_type": "bert"}, "is no plain causal language model"),
    ],
)
def test_a_description_that_cannot_be_used_is_an_error(hub: Hub, changed: dict[str, object], reason: str) -> None:
    llama_on(hub, **changed)
    with pytest.raises(WeightsError, match=reason):
        load("someone/llama", "random", depth=0)


@pytest.mark.usefixtures("small")
def test_weights_of_another_model_are_refused_by_the_tensor_that_differs(hub: Hub, tmp_path: Path) -> None:
    state = gpt2_on(hub).state_dict()
    place = "openai-community/gpt2/model.safetensors"
    for broken in (
        {**state, "h.1.ln_1.weight": torch.ones(3)},
        {k: v for k, v in state.items() if "h.1.ln_1" not in k},
    ):
        hub.files[place] = safetensors(broken)
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        with pytest.raises(WeightsError, match=r"h\.1\.ln_1\.weight should have the shape \[16\]"):
            load("gpt2", "pretrained", depth=0)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("module", [time_llm, st_llm])
def test_weights_that_cannot_be_had_are_one_sentence_and_never_random_ones(module: object) -> None:
    with pytest.raises(WeightsError, match=r"openai-community/gpt2/model\.safetensors are neither in the weights"):
        module.Model(task_shape(), module.Config(llm="gpt2", weights="pretrained"))  # type: ignore[attr-defined]


def test_names_that_are_no_models_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gpt2_medium'"):
        load("gpt2_medum", "random", depth=0)
    with pytest.raises(WeightsError, match="do not name a file on the hub"):
        load("../../etc", "random", depth=0)
    with pytest.raises(ConfigError, match="has no pre-trained weights"):
        load("gpt2_tiny", "pretrained", depth=0)


def test_the_table_and_a_file_are_compared_without_loading_either(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors({"wte.weight": torch.zeros(2, 2)}))
    with pytest.raises(WeightsError, match=r"wte\.weight should have the shape \[50257, 768\]"):
        _language.check("gpt2", path)


def test_long_histories_and_wide_grids_have_forecasts_of_their_shape() -> None:
    shape = TaskShape(history=64, horizon=64, channels=1, grid=(3, 40), slots_per_day=96)
    for module in (time_llm, st_llm):
        assert module.Model(shape, module.Config())(make_window(shape, batch=1, model="time_llm")).shape == (
            1,
            64,
            1,
            3,
            40,
        )
