"""Pre-trained weights in use: from the hub or a folder into a model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub import Hub, put, safetensors
from stvfm_models import published
from torch import nn

from bench.errors import WeightsError
from bench.weights import Source, locate, read
from stvfm import backbones
from stvfm.backbones import BACKBONES, LIBRARIES, build

pytestmark = pytest.mark.usefixtures("no_weights")
ROOT = Path(__file__).resolve().parent.parent


def stbench(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "2000", "NO_COLOR": "1", "NO_PROXY": "*", **variables}
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(60)  # the client by itself asks again for minutes
def test_a_mirror_that_swallows_packets_costs_a_command_seconds_and_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        answer = stbench("weights", "fetch", "--all", HF_ENDPOINT=mirror, HF_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert f"the hub does not answer (ReadTimeout); download {mirror}/timm/vit_tiny_patch16_224." in answer.stderr


def state_on_the_hub(name: str, model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights with what its repository holds besides: a classifier, or the text tower."""
    if BACKBONES[name].library == "timm":
        return {**model.state_dict(), "head.weight": torch.zeros(7, 24), "head.bias": torch.zeros(7)}
    visual = {f"visual.{key}": tensor for key, tensor in model.state_dict().items()}
    return {**visual, "token_embedding.weight": torch.zeros(5, 8), "logit_scale": torch.tensor(1.0)}


FAMILIES = [name for name in BACKBONES if name.endswith(("tiny", "small"))] + ["mae_base", "siglip_base", "clip_base"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.usefixtures("small_backbones")
def test_a_backbone_from_the_hub_is_the_published_model_and_then_needs_no_hub(name: str, hub: Hub) -> None:
    model = published(name)
    hub.files[str(BACKBONES[name].source)] = safetensors(state_on_the_hub(name, model))
    torch.manual_seed(0)
    fetched = build(name, "pretrained", (3, 4), depth=2)
    hub.files.clear()
    cached = build(name, "pretrained", (3, 4), depth=2)
    random = build(name, "random", (3, 4), depth=2)
    wanted = backbones.Backbone(LIBRARIES[BACKBONES[name].library].split(model, (3, 4)))
    wanted.blocks = wanted.blocks[:2]
    tokens = torch.randn(2, 12, 24)
    for backbone in (fetched, cached):
        assert torch.equal(backbone(tokens), wanted(tokens))
        assert not any(weight.is_meta for weight in [*backbone.parameters(), *backbone.buffers()])
    assert not torch.allclose(random(tokens), wanted(tokens), atol=0.01)


@pytest.mark.parametrize("name", ["dinov2_small", "clip_base"])
@pytest.mark.usefixtures("small_backbones")
def test_matched_and_permuted_weights_are_drawn_by_the_file_and_fail_without_it(name: str, hub: Hub) -> None:
    model = published(name)
    hub.files[str(BACKBONES[name].source)] = safetensors(state_on_the_hub(name, model))
    torch.manual_seed(0)
    known = build(name, "pretrained", (3, 4), depth=2)
    for weights in ("matched", "permuted"):
        drawn = build(name, weights, (3, 4), depth=2)  # type: ignore[arg-type]
        assert drawn.token_scale == known.token_scale
        pairs = [(known.prefix, drawn.prefix), (known.positions, drawn.positions)]
        pairs += zip(known.parameters(), drawn.parameters(), strict=True)
        for old, new in pairs:
            assert not torch.equal(old, new)
            if weights == "permuted":
                assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
            else:
                assert float(new.mean() - old.mean()) == pytest.approx(0, abs=5 * float(old.std()) / old.numel() ** 0.5)
        assert not torch.allclose(drawn(torch.ones(1, 12, 24)), known(torch.ones(1, 12, 24)), atol=0.01)
    other = "dino_small" if name != "clip_base" else "clip_large"
    with pytest.raises(WeightsError):
        build(other, "matched", (3, 4), depth=2)


@pytest.mark.usefixtures("small_backbones")
def test_half_precision_on_the_hub_becomes_single_precision_here(hub: Hub) -> None:
    state = state_on_the_hub("clip_base", published("clip_base"))
    hub.files[str(BACKBONES["clip_base"].source)] = safetensors({key: value.half() for key, value in state.items()})
    backbone = build("clip_base", "pretrained", (2, 2), depth=0)
    assert {tensor.dtype for tensor in [*backbone.parameters(), *backbone.buffers()]} == {torch.float32}
    found = backbone.blocks[2].mlp.c_fc.weight
    assert torch.equal(found, state["visual.transformer.resblocks.2.mlp.c_fc.weight"].half().float())


@pytest.mark.usefixtures("small_backbones")
def test_a_file_with_the_authors_own_names_is_translated_as_timm_does(folder: Path) -> None:
    name = "dinov2_reg_small"
    model = published(name)
    state = model.state_dict()
    original = {key: value for key, value in state.items() if key not in ("reg_token", "pos_embed")}
    original["register_tokens"], original["mask_token"] = state["reg_token"], torch.zeros(1, 24)
    original["pos_embed"] = torch.cat((torch.zeros(1, 1, 24), state["pos_embed"]), dim=1)  # the class token's is first
    put(BACKBONES[name].source.within(folder), safetensors(original))
    wanted = backbones.Backbone(LIBRARIES["timm"].split(model, (3, 4)))
    tokens = torch.randn(1, 12, 24)
    assert torch.equal(build(name, "pretrained", (3, 4), depth=0)(tokens), wanted(tokens))


@pytest.mark.parametrize("name", ["deit_tiny", "clip_base"])
@pytest.mark.usefixtures("small_backbones")
def test_a_file_of_another_model_is_refused_by_the_tensor_that_differs(name: str, folder: Path) -> None:
    place = BACKBONES[name].source.within(folder)
    state = state_on_the_hub(name, published(name))
    short = {key: value for key, value in state.items() if "blocks.2." not in key}
    wide = {key: torch.zeros(5) if "blocks.0." in key and "weight" in key else value for key, value in state.items()}
    for content, found in ((short, "there is no such tensor"), (wide, r"there is shape \[5\]")):
        put(place, safetensors(content))
        with pytest.raises(WeightsError, match=found):
            build(name, "pretrained", (2, 2), depth=0)
        with pytest.raises(WeightsError, match=found):
            backbones.check(name, place)
    put(place, safetensors(state))
    assert backbones.check(name, place) == len(published(name).state_dict())


def test_a_language_model_comes_through_the_same_door(hub: Hub) -> None:
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=11, n_positions=16)
    model = GPT2Model(config).eval()
    sources = {file: Source(repository="someone/gpt", file=file) for file in ("config.json", "model.safetensors")}
    hub.files[str(sources["config.json"])] = config.to_json_string().encode()
    hub.files[str(sources["model.safetensors"])] = safetensors(model.state_dict())
    paths = {file: locate(source) for file, source in sources.items()}
    loaded = GPT2Model(GPT2Config.from_json_file(paths["config.json"])).eval()
    loaded.load_state_dict(read(paths["model.safetensors"]), strict=True)
    words = torch.tensor([[1, 2, 3]])
    assert torch.equal(loaded(words).last_hidden_state, model(words).last_hidden_state)


@pytest.mark.slow
def test_a_run_without_a_network_takes_its_weights_from_the_folder_it_is_given(tiny: Path, tmp_path: Path) -> None:
    source = BACKBONES["vit_tiny"].source
    put(source.within(tmp_path / "weights"), safetensors(published("vit_tiny").state_dict()))
    budget = ["--set", "train.epochs=1", "--set", "train.steps_per_epoch=2", "--no-track", "--data-dir", tiny]
    settings = ["--set", "model.weights=pretrained", "--set", "model.backbone=vit_tiny", *budget]
    places = ["--results", tmp_path / "results", "--weights-dir", tmp_path / "weights"]
    offline = {"HF_HOME": str(tmp_path / "empty"), "HF_HUB_OFFLINE": "1"}
    done = stbench("run", "--dataset", "tiny", "--model", "stvfm", *settings, *places, **offline)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout
