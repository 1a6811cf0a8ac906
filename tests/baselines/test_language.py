"""Language models inside Time-LLM and ST-LLM: their settings, and where weights and words come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hub import Hub, safetensors
from models import make_window, task_shape, trained
from torch import nn
from torch.nn import functional

from baselines import _language, st_llm, time_llm
from baselines._language import Vocabulary, load, sizes_of, stand_in
from bench.catalog.data import Catalog
from bench.errors import ConfigError, UnknownNameError, WeightsError
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.types import TaskShape

PARAMETERS = {"distilgpt2": 81_912_576, "gpt2": 124_439_808, "gpt2_medium": 354_823_168, "gpt2_large": 774_030_080}


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


@pytest.mark.parametrize("control", ["identity", "attention", "block"])
def test_a_control_of_time_llm_reprograms_as_the_model_does(control: str) -> None:
    config = time_llm.Config(control=control)
    model = time_llm.Model(task_shape(), config)
    spread = model.sources().std(dim=1, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=0.05, atol=0.0)
    whole = {name for name, _ in trained(time_llm.Model(task_shape(), time_llm.Config()))}
    inside = {name for name, _ in trained(model) if not name.startswith(("body.", "prototypes"))}
    assert inside == {name for name in whole if not name.startswith("mapping.")}


def test_a_trained_layer_in_place_of_a_language_model_sees_all_tokens_and_the_block_keeps_each() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, 5, 64)
    changed = tokens.clone()
    changed[:, 4] = torch.randn(2, 64)
    for control in ("attention", "block"):
        layer = stand_in(control, 64)
        with torch.no_grad():
            seen, other = layer(tokens), layer(changed)
        assert (seen[:, 0] != other[:, 0]).any(), control
    assert stand_in("identity", 64)(tokens) is tokens

    block = stand_in("block", 64)
    with torch.no_grad():  # what the attention and the MLP write is taken away
        for part in (block.block.self_attn.out_proj, block.block.linear2):
            part.weight.zero_()
            part.bias.zero_()
        torch.testing.assert_close(block(tokens), functional.layer_norm(tokens, (64,)))


@pytest.mark.parametrize("suite", ["time_llm_controls", "st_llm_controls"])
def test_the_controls_of_a_language_model_are_planned_on_one_model(catalog: Catalog, suite: str) -> None:
    def planned(profile: str) -> dict[str, tuple[str, str]]:
        runs = plan(load_suite(suite), Selection(datasets=("tiny",), profile=profile, seeds=(0,)), catalog)
        found = {run.method: run.spec for run in runs if "llm" in run.spec.config}
        return {line: (spec.config["llm"], spec.weights) for line, spec in found.items()}

    weights = ["pretrained", "random", "none", "none", "none"]
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


@pytest.mark.usefixtures("small_gpt2")
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
        ({"model_type": "bart"}, "cannot be fed with vectors"),
        ({"model_type": "bert"}, "is no plain causal language model"),
    ],
)
def test_a_description_that_cannot_be_used_is_an_error(hub: Hub, changed: dict[str, object], reason: str) -> None:
    llama_on(hub, **changed)
    with pytest.raises(WeightsError, match=reason):
        load("someone/llama", "random", depth=0)


@pytest.mark.usefixtures("small_gpt2")
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
