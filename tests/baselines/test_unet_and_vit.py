"""The U-Net and the ViT, each against its formula and a slow version of its own part."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import conv, double, double_window, make_window, size_of, task_shape, unreached
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from baselines import unet, vit

# U-Net


@pytest.mark.parametrize(("grid", "levels"), [((1, 9), 1), ((3, 9), 2), ((5, 9), 3), ((40, 40), 3)])
def test_a_unet_has_the_parameters_of_its_formula_with_as_many_levels_as_its_grid_allows(
    grid: tuple[int, int], levels: int
) -> None:
    width, shape = 8, task_shape(grid, channels=2, horizon=3, history=5)

    def twice(inputs: int, outputs: int) -> int:
        return 9 * (inputs + outputs) * outputs + 2 * outputs + 4 * outputs

    wanted = twice(10, width) + (width + 1) * 6
    for level in range(1, levels):
        fine, coarse = width * 2 ** (level - 1), width * 2**level
        wanted += twice(fine, coarse) + (4 * coarse + 1) * fine + twice(2 * fine, fine)
    assert size_of(unet.Model(shape, unet.Config(width=width, levels=3))) == wanted


@pytest.mark.parametrize(
    ("grid", "most", "levels"),
    [
        ((1, 1), 3, 1),
        ((2, 30), 3, 1),
        ((3, 3), 3, 2),
        ((4, 30), 3, 2),
        ((5, 5), 3, 3),
        ((10, 20), 3, 3),
        ((10, 20), 2, 2),
    ],
)
def test_the_coarsest_level_of_a_unet_has_two_rows_and_columns_at_least(
    grid: tuple[int, int], most: int, levels: int
) -> None:
    assert unet.levels_of(grid, most) == levels
    shape, seen = task_shape(grid), []
    model = unet.Model(shape, unet.Config(width=4, levels=most))
    model.down[-1].register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[2:])))
    assert model(make_window(shape)).shape == (3, 3, 2, *grid)
    assert seen == [tuple(-(-side // 2 ** (levels - 1)) for side in grid)]
    assert levels == 1 or min(seen[0]) >= 2


def slow_twice(layer: nn.Sequential, hidden: Tensor) -> Tensor:
    for first, norm in ((layer[0], layer[1]), (layer[3], layer[4])):
        hidden = conv(first, hidden, padding=1)
        groups = hidden.view(len(hidden), 4, -1)
        mean, spread = groups.mean(dim=2, keepdim=True), (groups.var(dim=2, keepdim=True, correction=0) + 1e-5).sqrt()
        hidden = ((groups - mean) / spread).view(hidden.shape) * norm.weight[:, None, None] + norm.bias[:, None, None]
        hidden = hidden.clamp(min=0)
    return hidden


def slow_pool(hidden: Tensor) -> Tensor:
    pooled = torch.empty_like(hidden[:, :, ::2, ::2])
    for row in range(pooled.shape[2]):
        for column in range(pooled.shape[3]):
            square = hidden[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            pooled[:, :, row, column] = square.amax(dim=(2, 3))
    return pooled


def slow_grow(layer: nn.ConvTranspose2d, hidden: Tensor) -> Tensor:
    batch, _, height, width = hidden.shape
    grown = hidden.new_empty(batch, layer.out_channels, 2 * height, 2 * width)
    for row in range(2 * height):
        for column in range(2 * width):
            product = hidden[:, :, row // 2, column // 2] @ layer.weight[:, :, row % 2, column % 2]
            grown[:, :, row, column] = product + layer.bias
    return grown


def test_a_unet_pools_grows_and_joins_each_level_with_its_skip() -> None:
    shape = task_shape((5, 6), channels=2, horizon=3, history=4)
    model, window = double(unet.Model(shape, unet.Config(width=4, levels=3))), double_window(shape)
    with torch.no_grad():
        stacked = torch.zeros(2, 8, 8, 8, dtype=torch.float64)
        for step in range(4):
            for channel in range(2):
                stacked[:, 2 * step + channel, :5, :6] = window.history[:, step, channel]
        fine = slow_twice(model.down[0], stacked)
        middle = slow_twice(model.down[1], slow_pool(fine))
        coarse = slow_twice(model.down[2], slow_pool(middle))
        middle = slow_twice(model.up[1], torch.cat((middle, slow_grow(model.grow[1], coarse)), dim=1))
        fine = slow_twice(model.up[0], torch.cat((fine, slow_grow(model.grow[0], middle)), dim=1))
        wanted = conv(model.head, fine)[:, :, :5, :6]
        forecast = model(window)
        for step in range(3):
            for channel in range(2):
                torch.testing.assert_close(forecast[:, step, channel], wanted[:, 2 * step + channel])


def test_a_unet_without_its_biases_could_not_tell_a_history_from_its_double() -> None:
    shape = task_shape()
    model, window = double(unet.Model(shape, unet.Config())), double_window(shape)
    twice = dataclasses.replace(window, history=2 * window.history)
    assert not torch.allclose(model(window), model(twice), rtol=0.01)
    with torch.no_grad():
        model.down[0][0].bias.zero_()
    torch.testing.assert_close(model(window), model(twice), rtol=0.001, atol=0.001)


@pytest.mark.parametrize(("history", "horizon", "channels"), [(4, 3, 1), (2, 9, 2)])
@pytest.mark.parametrize("grid", [(5, 7), (3, 4), (2, 2)])
def test_every_weight_of_a_unet_is_trained(grid: tuple[int, int], history: int, horizon: int, channels: int) -> None:
    shape = task_shape(grid, channels, horizon, history)
    assert unreached(unet.Model(shape, unet.Config()), make_window(shape)) == []


# ViT


@pytest.mark.parametrize(("patch", "tokens"), [(1, 35), (2, 12), (4, 4)])
@pytest.mark.parametrize(("layers", "expansion"), [(1, 3), (2, 2)])
def test_a_vit_has_the_parameters_of_its_formula(patch: int, tokens: int, layers: int, expansion: int) -> None:
    shape, width = task_shape((5, 7), channels=2, horizon=3, history=4), 6
    config = vit.Config(width=width, heads=2, patch=patch, layers=layers, expansion=expansion)
    attention = 4 * width * (width + 1)
    inner = expansion * width
    feed = inner * (width + 1) + width * (inner + 1)
    ends = width * (8 * patch**2 + 1) + 6 * patch**2 * (width + 1)
    assert size_of(vit.Model(shape, config)) == tokens * width + ends + layers * (attention + feed + 4 * width) + (
        2 * width
    )


def slow_norm(norm: nn.LayerNorm, tokens: Tensor) -> Tensor:
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def slow_layer(layer: nn.TransformerEncoderLayer, tokens: Tensor, heads: int) -> Tensor:
    """One sample ``[N, D]``: attention head by head, norms first."""
    own, size = layer.self_attn, tokens.shape[1] // heads
    query, key, value = (slow_norm(layer.norm1, tokens) @ own.in_proj_weight.T + own.in_proj_bias).chunk(3, dim=1)
    parts = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        parts.append(torch.softmax(query[:, part] @ key[:, part].T / size**0.5, dim=1) @ value[:, part])
    tokens = tokens + torch.cat(parts, dim=1) @ own.out_proj.weight.T + own.out_proj.bias
    inner = gelu(slow_norm(layer.norm2, tokens) @ layer.linear1.weight.T + layer.linear1.bias)
    return tokens + inner @ layer.linear2.weight.T + layer.linear2.bias


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("patch", [2, 4])
def test_a_vit_is_attention_between_patches_and_adds_the_last_value(heads: int, patch: int) -> None:
    shape = task_shape((5, 7), channels=2, horizon=3, history=4)
    config = vit.Config(width=6, heads=heads, patch=patch, layers=2, expansion=2)
    model, window = double(vit.Model(shape, config)).eval(), double_window(shape)
    with torch.no_grad():
        forecast = model(window)
        padded = pad(window.history, (0, 1, 0, 3 if patch == 4 else 1))
        corners = [(row, column) for row in range(0, 5, patch) for column in range(0, 7, patch)]
        for sample in range(2):
            squares = [padded[sample, :, :, r : r + patch, c : c + patch].flatten() for r, c in corners]
            tokens = torch.stack(squares) @ model.enter.weight.T + model.enter.bias + model.positions
            for layer in model.layers:
                tokens = slow_layer(layer, tokens, heads)
            outputs = slow_norm(model.norm, tokens) @ model.leave.weight.T + model.leave.bias
            change = torch.empty_like(padded[sample, :3])
            for (r, c), output in zip(corners, outputs, strict=True):
                change[:, :, r : r + patch, c : c + patch] = output.view(3, 2, patch, patch)
            torch.testing.assert_close(forecast[sample], window.history[sample, -1:] + change[:, :, :5, :7])


def test_the_layers_of_a_vit_start_with_different_weights() -> None:
    first, second, *_ = vit.Model(task_shape(), vit.Config(layers=2)).layers
    assert not torch.allclose(first.linear1.weight, second.linear1.weight)


def test_dropout_of_a_vit_acts_in_training_alone() -> None:
    shape = task_shape()
    window = make_window(shape)
    for rate, alike in ((0.3, False), (0.0, True)):
        model = vit.Model(shape, vit.Config(dropout=rate)).train()
        assert torch.equal(model(window), model(window)) is alike
        model.eval()
        assert torch.equal(model(window), model(window))


@pytest.mark.parametrize(("history", "horizon", "channels"), [(4, 3, 1), (2, 9, 2)])
@pytest.mark.parametrize("patch", [1, 4])
def test_every_weight_of_a_vit_is_trained(patch: int, history: int, horizon: int, channels: int) -> None:
    shape = task_shape((5, 7), channels, horizon, history)
    model = vit.Model(shape, vit.Config(patch=patch))
    assert unreached(model, make_window(shape)) == []
