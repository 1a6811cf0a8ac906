"""The auto-encoder of VisionTS: what it sees and paints, its size, what of it is trained, and its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from hub import Hub, put, safetensors
from models import size_of, task_shape, trained
from torch import Tensor, nn
from visionts_models import built, window_of

from baselines import visionts
from baselines._zoo import AUTOENCODERS
from baselines.visionts import Model
from bench.errors import WeightsError
from bench.types import TaskShape

pytestmark = pytest.mark.usefixtures("no_weights")


# What it sees, and its size


@pytest.mark.parametrize(("align", "shown"), [(0.4, 1), (0.7, 2), (1.0, 3)])
def test_the_auto_encoder_sees_every_patch_on_the_left_and_no_other(align: float, shown: int) -> None:
    model = built(task_shape(), align=align)
    assert model.canvas.shown == shown
    with torch.no_grad():
        images = torch.randn(2, 1, 16, 16)
        painted = model._paint(images)
        for row in range(4):
            for column in range(4):
                changed = images.clone()
                changed[:, :, 4 * row + 2, 4 * column + 3] += 1
                assert torch.equal(model._paint(changed), painted) == (column >= shown)


def test_the_painting_is_the_mean_of_the_colours_of_every_patch_in_its_place() -> None:
    model = built(task_shape())
    with torch.no_grad():
        images = torch.randn(2, 1, 16, 16)
        painted = model._paint(images)
        logits = model.mae(torch.cat([images] * 3, dim=1), noise=model.order.repeat(2, 1)).logits
    for row, column in ((0, 0), (3, 4), (6, 15), (15, 5)):
        patch, pixel = row // 4 * 4 + column // 4, row % 4 * 4 + column % 4
        torch.testing.assert_close(painted[:, 0, row, column], logits[:, patch, 3 * pixel : 3 * pixel + 3].mean(dim=1))


def test_random_weights_know_where_a_patch_is_as_the_library_says() -> None:
    mae = built(task_shape()).mae
    found = mae.decoder.decoder_pos_embed.clone()
    torch.testing.assert_close(mae.vit.embeddings.position_embeddings, found)  # as wide as the decoder's
    mae.decoder.initialize_weights(16)
    torch.testing.assert_close(found, mae.decoder.decoder_pos_embed)
    for token in (mae.vit.embeddings.cls_token, mae.decoder.mask_token):
        assert token.abs().min() > 0


LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}


@pytest.mark.parametrize(("mae", "facts"), [("vit_mae_base", {}), ("vit_mae_large", LARGE)])
def test_the_published_sizes_are_the_librarys(mae: str, facts: dict[str, int]) -> None:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    with torch.device("meta"):
        library = ViTMAEForPreTraining(ViTMAEConfig(**facts))  # its defaults are those of base
        ours = ViTMAEForPreTraining(visionts._configuration(AUTOENCODERS[mae], 4))
    assert shapes(ours) == shapes(library)
    for part in ("vit", "decoder"):
        heads = [getattr(model, part).config.num_attention_heads for model in (ours, library)]
        assert heads[0] == heads[1]
    assert {layer.eps for layer in ours.modules() if isinstance(layer, nn.LayerNorm)} == {1e-6}  # as MAE's authors


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in model.state_dict().items()}


def norms(model: nn.Module) -> set[str]:
    layers = ((name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.LayerNorm))
    return {f"{name}.{part}" for name, layer in layers for part, _ in layer.named_parameters()}


def test_the_tiny_auto_encoder_has_the_parameters_of_its_formula_and_trains_none() -> None:
    model, width, places = built(task_shape()), 16, 16 + 1
    layer = 4 * width * (width + 1) + 8 * width**2 + 5 * width + 4 * width
    ends = (3 * 16 + 1) * width + width + places * width + 2 * width
    decoder = (width + 1) * width + width + places * width + 2 * width + (width + 1) * 3 * 16
    assert sum(weight.numel() for weight in model.parameters()) == 3 * layer + ends + decoder
    assert trained(model) == []


def test_tuning_trains_all_layer_norms_and_nothing_else_however_many_are_painted_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = task_shape((2, 3))
    window, gradients = window_of(shape), []
    for pixels in (2**23, 5 * 16**2):
        monkeypatch.setattr(visionts, "PIXELS", {"cpu": pixels})
        model = built(shape, tuning="norm").train()
        assert {name for name, _ in trained(model)} == norms(model)
        assert size_of(model) == 2 * 16 * (2 * 2 + 1) + 2 * 16 * (2 * 1 + 1)
        painted, paint = [], model._paint
        monkeypatch.setattr(
            model, "_paint", lambda images, painted=painted, paint=paint: painted.append(1) or paint(images)
        )
        forecast = model(window)
        chunks = len(painted)
        forecast.square().mean().backward()
        assert len(painted) == 2 * chunks  # painted anew, since nothing was kept
        assert all(weight.grad.any() for _, weight in trained(model))
        assert all(weight.grad is None for weight in model.parameters() if not weight.requires_grad)
        gradients.append(torch.cat([weight.grad for _, weight in trained(model)]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


# Weights


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published sizes 24 wide and three blocks deep, so that a file is small."""
    few = {"image": 16, "patch": 4, "width": 24, "depth": 3, "heads": 2, "decoder": (16, 2, 2)}
    shrunk = {name: dataclasses.replace(AUTOENCODERS[name], **few) for name in ("vit_mae_base", "vit_mae_large")}
    monkeypatch.setattr(visionts, "AUTOENCODERS", shrunk)


def published(shape: TaskShape) -> Model:
    """A model with weights of its own in every place, as its authors might have trained it."""
    model = built(shape, seed=5, mae="vit_mae_base")
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def state_on_the_hub(model: Model) -> dict[str, Tensor]:
    """The weights with the names of the hub's files, which are older than the library's."""
    names = {
        "vit.layers.": "vit.encoder.layer.",
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    state = {}
    for name, tensor in model.mae.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = tensor
    return state


@pytest.mark.usefixtures("small")
def test_pretrained_weights_are_those_of_the_hub_and_then_need_no_hub(hub: Hub) -> None:
    shape = task_shape((2, 3))
    model, window = published(shape), window_of(shape)
    hub.files["facebook/vit-mae-base/model.safetensors"] = safetensors(state_on_the_hub(model))
    fetched = built(shape, mae="vit_mae_base", weights="pretrained")
    hub.files.clear()
    cached = built(shape, mae="vit_mae_base", weights="pretrained")
    for other in (fetched, cached):
        assert torch.equal(other(window), model(window))
        assert trained(other) == []
    assert not torch.allclose(built(shape, mae="vit_mae_base")(window), model(window), atol=0.01)


@pytest.mark.usefixtures("small")
def test_the_library_reads_the_same_weights_from_the_same_file(tmp_path: Path) -> None:
    from transformers import ViTMAEForPreTraining

    model = published(task_shape())
    state = state_on_the_hub(model)
    assert "decoder.decoder_layers.1.attention.attention.query.weight" in state  # a name as on the hub
    put(tmp_path / "model.safetensors", safetensors(state))
    model.mae.config.save_pretrained(tmp_path)
    library = ViTMAEForPreTraining.from_pretrained(tmp_path).state_dict()
    assert library.keys() == model.mae.state_dict().keys()
    assert all(torch.equal(library[name], tensor) for name, tensor in model.mae.state_dict().items())


@pytest.mark.usefixtures("small")
def test_a_file_of_another_model_is_refused_by_the_tensor_that_differs(hub: Hub) -> None:
    shape = task_shape()
    state = state_on_the_hub(published(shape))
    short = {name: tensor for name, tensor in state.items() if "mask_token" not in name}
    wide = {name: torch.zeros(5) if name.endswith("key.bias") else tensor for name, tensor in state.items()}
    for mae, content, found in (
        ("vit_mae_base", short, "there is no such tensor"),
        ("vit_mae_large", wide, r"there is shape \[5\]"),
    ):
        hub.files[str(AUTOENCODERS[mae].source)] = safetensors(content)
        with pytest.raises(WeightsError, match=found):
            built(shape, mae=mae, weights="pretrained")


@pytest.mark.timeout(60)  # the client by itself asks again for minutes
def test_weights_that_cannot_be_had_are_one_sentence_within_seconds() -> None:
    with pytest.raises(WeightsError, match=r"facebook/vit-mae-large/model.safetensors are neither in") as caught:
        built(task_shape(), mae="vit_mae_large", weights="pretrained")
    assert "\n" not in str(caught.value)
