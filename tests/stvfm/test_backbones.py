"""Backbones: each is the vision model it claims to be, and the table says of it what the libraries say."""

from __future__ import annotations

import dataclasses
from typing import get_args, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from bench.errors import ConfigError, UnknownNameError
from stvfm import backbones
from stvfm.backbones import BACKBONES, LIBRARIES, Backbone, build
from stvfm.model import Config

TIMM = [name for name, facts in BACKBONES.items() if facts.library == "timm"]
CLIP = [name for name, facts in BACKBONES.items() if facts.library == "open_clip"]
GRIDS = [(4, 4), (3, 5)]  # the small models' native grid, and another


def shaken(model: nn.Module) -> nn.Module:
    """Prefix tokens, biases and layer scales start near 0, where a mistake would not show."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model.eval()


def small_timm(name: str) -> nn.Module:
    from timm import create_model

    facts = BACKBONES[name]
    sizes = {"embed_dim": 24, "num_heads": 2, "depth": 3, "img_size": 4 * facts.patch, "dynamic_img_size": True}
    return shaken(create_model(facts.name, num_classes=0, **sizes))


def small_clip(grid: tuple[int, int] = (4, 4)) -> nn.Module:
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision = CLIPVisionCfg(layers=3, width=24, head_width=12, patch_size=8, image_size=(8 * grid[0], 8 * grid[1]))
    text = CLIPTextCfg(context_length=4, vocab_size=8, width=8, heads=2, layers=1)
    return shaken(CLIP(embed_dim=8, vision_cfg=vision, text_cfg=text, quick_gelu=True))


def clip_features(tower: nn.Module, images: Tensor, depth: int = 3) -> Tensor:
    answer = tower.forward_intermediates(
        images, indices=[depth - 1], normalize_intermediates=True, output_fmt="NLC", intermediates_only=True
    )
    features: Tensor = answer["image_intermediates"][0]
    return features


def split(name: str, model: nn.Module, grid: tuple[int, int]) -> Backbone:
    return Backbone(LIBRARIES[BACKBONES[name].library].split(model, grid))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("name", TIMM)
def test_fed_with_its_own_patches_a_backbone_gives_timms_own_features(name: str, grid: tuple[int, int]) -> None:
    vit, side = small_timm(name), BACKBONES[name].patch
    images = torch.randn(2, 3, grid[0] * side, grid[1] * side)
    patches = vit.patch_embed(images)  # [B, rows, columns, D]
    assert patches.shape[1:3] == grid
    wanted = vit.forward_features(images)[:, vit.num_prefix_tokens :]
    torch.testing.assert_close(split(name, vit, grid)(patches.flatten(1, 2)), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_fed_with_its_own_patches_a_backbone_gives_open_clips_own_features(grid: tuple[int, int]) -> None:
    from open_clip.model import resize_pos_embed

    native, resized = small_clip(), small_clip(grid)
    state = native.state_dict()
    resize_pos_embed(state, resized)
    resized.load_state_dict(state)
    images = torch.randn(2, 3, 8 * grid[0], 8 * grid[1])
    patches = native.visual.conv1(images).flatten(2).mT
    wanted = clip_features(resized.visual, images)
    found = split("clip_base", native.visual, grid)(patches)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_every_prefix_token_and_position_matters_to_the_features() -> None:
    backbone, tokens = split("dinov2_reg_small", small_timm("dinov2_reg_small"), (3, 5)), torch.randn(1, 15, 24)
    found = backbone(tokens)
    assert backbone.prefix.shape == (1, 5, 24)
    for buffer, index in [(backbone.prefix, token) for token in range(5)] + [(backbone.positions, 7)]:
        kept = buffer[0, index].clone()
        buffer[0, index] = torch.randn(24)
        assert not torch.allclose(backbone(tokens), found, atol=1e-4)
        buffer[0, index] = kept


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every architecture 24 wide and three blocks deep, so that it is made in no time."""
    tiny = {name: dataclasses.replace(facts, width=24, depth=3, heads=2) for name, facts in BACKBONES.items()}
    monkeypatch.setattr(backbones, "BACKBONES", tiny)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.usefixtures("small")
def test_every_backbone_is_built_frozen_and_carries_gradients_to_its_tokens(name: str) -> None:
    backbone = build(name, "random", (2, 3), depth=0).train()
    assert (backbone.width, len(backbone.blocks)) == (24, 3)
    assert not any(module.training for module in backbone.modules())
    assert not any(weight.requires_grad for weight in backbone.parameters())
    tokens = torch.randn(2, 6, 24, requires_grad=True)
    features = backbone(tokens)
    assert features.shape == tokens.shape
    features.square().sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.abs().min() > 0


@pytest.mark.parametrize("name", ["dino_small", "clip_base"])
@pytest.mark.usefixtures("small")
def test_a_shallow_backbone_is_the_vision_model_up_to_that_block(name: str) -> None:
    shallow, deep = build(name, "random", (4, 4), depth=2), build(name, "random", (4, 4), depth=0)
    assert (len(shallow.blocks), len(deep.blocks)) == (2, 3)
    if name == "clip_base":
        tower = small_clip().visual
        images = torch.randn(2, 3, 32, 32)
        patches, wanted = tower.conv1(images).flatten(2).mT, clip_features(tower, images, depth=2)
    else:
        tower = small_timm(name)
        images = torch.randn(2, 3, 64, 64)
        patches = tower.patch_embed(images).flatten(1, 2)
        (wanted,) = tower.forward_intermediates(
            images, indices=[1], norm=True, output_fmt="NLC", intermediates_only=True
        )
    backbone = split(name, tower, (4, 4))
    backbone.blocks = backbone.blocks[:2]
    torch.testing.assert_close(backbone(patches), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TIMM)
def test_the_table_agrees_with_timms_registry(name: str) -> None:
    from timm import create_model
    from timm.models import get_pretrained_cfg

    facts = BACKBONES[name]
    listed = get_pretrained_cfg(f"{facts.name}.{facts.tag}")
    assert listed is not None
    assert (listed.hf_hub_id, listed.license) == (facts.source.repository, facts.licence)
    assert (listed.input_size[-1], facts.source.file) == (facts.image, "model.safetensors")
    with torch.device("meta"):
        vit = create_model(facts.name)
    found = (vit.embed_dim, len(vit.blocks), vit.blocks[0].attn.num_heads, vit.num_reg_tokens)
    assert found == (facts.width, facts.depth, facts.heads, facts.registers)
    assert vit.patch_embed.patch_size == (facts.patch, facts.patch)


@pytest.mark.parametrize("name", CLIP)
def test_the_table_agrees_with_open_clips_registry(name: str) -> None:
    import open_clip
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME
    from timm.models import get_pretrained_cfg

    facts = BACKBONES[name]
    listed = open_clip.get_pretrained_cfg(facts.name.removesuffix("-quickgelu"), facts.tag)
    assert listed["hf_hub"] == f"{facts.source.repository}/"
    assert listed["quick_gelu"]
    assert facts.source.file == HF_SAFE_WEIGHTS_NAME
    assert facts.licence == get_pretrained_cfg(facts.source.repository.removeprefix("timm/")).license
    with torch.device("meta"):
        library = open_clip.CLIP(**open_clip.get_model_config(facts.name)).visual
        ours = LIBRARIES["open_clip"].make(facts, facts.depth)
    assert str(ours) == str(library)  # layers, sizes, activation
    assert shapes(ours) == shapes(library)
    assert (ours.image_size, library.image_size) == ((facts.image, facts.image),) * 2
    heads = {block.attn.num_heads for block in library.transformer.resblocks}
    assert heads == {facts.heads} == {block.attn.num_heads for block in ours.transformer.resblocks}


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in model.state_dict().items()}


@pytest.mark.parametrize("name", TIMM)
def test_what_is_built_is_timms_model_without_its_head(name: str) -> None:
    from timm import create_model

    facts = BACKBONES[name]
    with torch.device("meta"):
        library, ours = create_model(facts.name), LIBRARIES["timm"].make(facts, facts.depth)
    wanted = {key: shape for key, shape in shapes(library).items() if not key.startswith(("head.", "attn_pool."))}
    assert shapes(ours) == wanted
    assert str(ours.blocks) == str(library.blocks)  # activation, norm, layer scale


def test_the_models_settings_offer_every_backbone_of_the_table_and_no_other() -> None:
    assert set(get_args(get_type_hints(Config)["backbone"])) == set(BACKBONES)


@pytest.mark.parametrize("name", ["vit_tiny", "clip_base"])
@pytest.mark.usefixtures("small")
def test_random_weights_follow_the_seed_and_leave_the_generator_as_it_was(name: str) -> None:
    drawn, weights = [], []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        backbone = build(name, "random", (2, 2), depth=1)
        tensors = [*backbone.parameters(), *backbone.buffers()]
        weights.append(torch.cat([value.detach().flatten() for value in tensors]))
        drawn.append(torch.rand(1))
    torch.manual_seed(1)
    assert torch.equal(drawn[0], torch.rand(1))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.usefixtures("small")
def test_a_checkpoint_holds_no_prefix_and_no_positions() -> None:
    backbone = build("dinov2_reg_small", "random", (2, 2), depth=1)
    assert {name for name, _ in backbone.named_buffers()} == {"prefix", "positions"}
    assert not {"prefix", "positions"} & backbone.state_dict().keys()


def test_a_depth_beyond_the_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth 13 does not fit vit_tiny, which has 12 blocks"):
        build("vit_tiny", "random", (2, 2), depth=13)


def test_an_unknown_backbone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dinov2_small'"):
        build("dinov2_smal", "random", (2, 2), depth=1)
