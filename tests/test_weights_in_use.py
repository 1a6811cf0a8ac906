"""Pre-trained weights in use: from the hub into a model, and as the commands list, fetch and verify them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub import Hub, put, safetensors
from torch import nn
from typer.testing import CliRunner

from bench import known_weights
from bench.cli.weights import app
from bench.errors import BenchError, UnknownNameError, WeightsError
from bench.weights import Source, fetch, locate, read
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


# From the hub into a model


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every architecture 24 wide and three blocks deep, so that its file is small."""
    tiny = {name: dataclasses.replace(facts, width=24, depth=3, heads=2) for name, facts in BACKBONES.items()}
    monkeypatch.setattr(backbones, "BACKBONES", tiny)


def published(name: str) -> nn.Module:
    """A model with weights of its own, as its authors might have trained it."""
    facts = backbones.BACKBONES[name]
    torch.manual_seed(5)
    model = LIBRARIES[facts.library].make(facts, facts.depth)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model.eval()


def state_on_the_hub(name: str, model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights with what its repository holds besides: a classifier, or the text tower."""
    if BACKBONES[name].library == "timm":
        return {**model.state_dict(), "head.weight": torch.zeros(7, 24), "head.bias": torch.zeros(7)}
    visual = {f"visual.{key}": tensor for key, tensor in model.state_dict().items()}
    return {**visual, "token_embedding.weight": torch.zeros(5, 8), "logit_scale": torch.tensor(1.0)}


FAMILIES = [name for name in BACKBONES if name.endswith(("tiny", "small"))] + ["mae_base", "siglip_base", "clip_base"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.usefixtures("small")
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
@pytest.mark.usefixtures("small")
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


@pytest.mark.usefixtures("small")
def test_half_precision_on_the_hub_becomes_single_precision_here(hub: Hub) -> None:
    state = state_on_the_hub("clip_base", published("clip_base"))
    hub.files[str(BACKBONES["clip_base"].source)] = safetensors({key: value.half() for key, value in state.items()})
    backbone = build("clip_base", "pretrained", (2, 2), depth=0)
    assert {tensor.dtype for tensor in [*backbone.parameters(), *backbone.buffers()]} == {torch.float32}
    found = backbone.blocks[2].mlp.c_fc.weight
    assert torch.equal(found, state["visual.transformer.resblocks.2.mlp.c_fc.weight"].half().float())


@pytest.mark.usefixtures("small")
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
@pytest.mark.usefixtures("small")
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


# The commands


def answer(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "300"})
    if isinstance(result.exception, BenchError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def row(text: str, name: str) -> str:
    (found,) = (line.rstrip() for line in text.splitlines() if line.split()[:1] == [name])
    return found


@pytest.mark.usefixtures("small")
def test_list_says_what_is_here_and_where(hub: Hub, folder: Path) -> None:
    for name in ("deit_tiny", "clip_base"):
        hub.files[str(BACKBONES[name].source)] = b"whatever"
    fetch(BACKBONES["deit_tiny"].source, folder)
    fetch(BACKBONES["clip_base"].source)
    text = answer("list")
    assert row(text, "deit_tiny").endswith("folder")
    assert row(text, "clip_base").endswith("cache")
    assert row(text, "mae_base").split() == (
        ["mae_base", "model.backbone", "timm/vit_base_patch16_224.mae", "cc-by-nc-4.0", "768", "x", "12", "absent"]
    )
    assert row(text, "gpt2").split()[1:3] == ["model.llm", "openai-community/gpt2"]
    assert row(text, "vit_mae_base").split()[1:3] == ["model.mae", "facebook/vit-mae-base"]
    assert f"weights folder: {folder}" in text


@pytest.mark.usefixtures("small")
def test_fetch_fills_the_folder_once_and_verify_finds_what_changed_since(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    content = safetensors(published("dino_small").state_dict())
    hub.files[str(source)] = content
    path = source.within(folder)
    assert f"dino_small: {path}" in answer("fetch", "dino_small")
    hub.requests.clear()
    assert "already in" in answer("fetch", "dino_small")
    assert not hub.requests
    assert row(answer("verify"), "dino_small").endswith("unknown to us")
    assert f"model.safetensors is unknown to us, sha256 {hashlib.sha256(content).hexdigest()}" in answer("verify")

    path.write_bytes(content[:-4] + b"\0\0\0\1")
    assert row(answer("verify", code=1), "dino_small").endswith("changed")
    path.write_bytes(content[:-4])
    assert "is not a complete safetensors file" in answer("verify", code=1)
    (path.parent / ".cache/huggingface/download/model.safetensors.metadata").unlink()
    path.write_bytes(content[:-4] + b"\0\0\0\1")
    assert row(answer("verify", "dino_small"), "dino_small").endswith("unknown to us")


@pytest.mark.usefixtures("small")
def test_verify_says_known_or_not_these_where_digests_of_a_file_are_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = safetensors(published("dino_small").state_dict())
    put(BACKBONES["dino_small"].source.within(folder), content)
    known = {"a" * 64: "the hub's", hashlib.sha256(content).hexdigest(): "as a package carries it"}
    monkeypatch.setattr(known_weights, "known_digests", lambda repository, file: known)
    text = answer("verify", "dino_small")
    assert row(text, "dino_small").endswith("known")
    assert "✓ dino_small: model.safetensors is known (as a package carries it), sha256 " in text

    known.popitem()
    text = answer("verify", "dino_small", code=1)
    assert row(text, "dino_small").endswith("not these")
    assert (
        f"is not these weights (wanted sha256 {'a' * 64} (the hub's), found {hashlib.sha256(content).hexdigest()})"
        in text
    )


@pytest.mark.usefixtures("small")
def test_verify_says_that_weights_as_they_are_initialised_look_untrained(folder: Path) -> None:
    facts = backbones.BACKBONES["dino_small"]
    fresh = LIBRARIES["timm"].make(facts, facts.depth)
    put(facts.source.within(folder), safetensors(fresh.state_dict()))
    assert row(answer("verify", "dino_small"), "dino_small").endswith("unknown to us, looks untrained")
    put(facts.source.within(folder), safetensors(published("dino_small").state_dict()))
    assert "untrained" not in answer("verify", "dino_small")


@pytest.mark.usefixtures("small")
def test_a_pointer_of_git_lfs_is_named_by_list_and_verify_and_replaced_by_fetch(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    path = put(source.within(folder), b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 22883348\n")
    assert row(answer("list"), "dino_small").endswith("a Git LFS pointer, not the weights")
    text = answer("verify", "dino_small", code=1)
    assert row(text, "dino_small").endswith("a Git LFS pointer")
    assert "is a Git LFS pointer, not the weights; run 'git lfs pull' there" in text

    text = answer("fetch", "dino_small", code=1)
    assert "✓" not in text
    assert "is a Git LFS pointer, not the weights" in text
    assert "fetching it again failed: the pre-trained weights" in text
    hub.files[str(source)] = content = safetensors(published("dino_small").state_dict())
    assert f"✓ dino_small: {path}" in answer("fetch", "dino_small")
    assert path.read_bytes() == content


@pytest.mark.usefixtures("small")
def test_fetch_replaces_what_verify_calls_broken_and_takes_nothing_broken_from_the_hub(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    content = safetensors(published("dino_small").state_dict())
    path = put(source.within(folder), content[:-4])
    hub.files[str(source)] = content
    assert f"✓ dino_small: {path}" in answer("fetch", "dino_small")
    assert path.read_bytes() == content
    hub.files[str(BACKBONES["dino_base"].source)] = content[:-4]
    assert "✗ dino_base: " in answer("fetch", "dino_base", code=1)


@pytest.mark.usefixtures("small")
def test_fetch_refuses_other_files_than_the_published_one(hub: Hub, folder: Path) -> None:
    hub.files[str(BACKBONES["deit_tiny"].source)] = safetensors(published("deit_tiny").state_dict())
    text = answer("fetch", "deit_tiny", code=1)
    assert "✗ deit_tiny: " in text
    assert "is not these weights (wanted sha256 " in text


@pytest.mark.usefixtures("small")
def test_fetch_goes_on_after_what_cannot_be_had_and_says_so_at_the_end(hub: Hub, folder: Path) -> None:
    hub.files[str(BACKBONES["dino_base"].source)] = content = safetensors(published("dino_base").state_dict())
    lines = answer("fetch", "vit_tiny", "dino_base", "mae_base", code=1).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["✓ dino_base", "✗ vit_tiny", "✗ mae_base"]
    assert all("the hub answers with status 404" in line for line in lines[1:])
    assert BACKBONES["dino_base"].source.within(folder).read_bytes() == content


def test_verify_of_absent_weights_fails_only_when_they_were_named() -> None:
    assert "nothing to verify" in answer("verify")
    assert "absent" in row(answer("verify", "mae_base", code=1), "mae_base")


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(command: str) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'clip_base'"):
        answer(command, "clip_bas")


def test_a_weights_folder_that_is_not_there_is_an_error_unless_it_is_to_be_filled(hub: Hub, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(BenchError, match="is not a folder"):
        answer("list", "--weights-dir", absent)
    hub.files[str(BACKBONES["mae_base"].source)] = content = safetensors({"a": torch.zeros(1)})
    answer("fetch", "mae_base", "--weights-dir", absent)
    assert BACKBONES["mae_base"].source.within(absent).read_bytes() == content


def test_listing_weights_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom bench.__main__ import main\nsys.argv = ['stbench', 'weights', 'list']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print('HEAVY', [name for name in ('torch', 'timm', 'open_clip', 'transformers') if name in sys.modules])\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "dinov2_reg_large" in done.stdout
    assert done.stdout.rstrip().endswith("HEAVY []")


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
