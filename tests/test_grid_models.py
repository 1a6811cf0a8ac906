"""SimVP and TAU, PredRNN, the U-Net and the ViT, each against its formula and a slow version of its own part."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import make_window, size_of, task_shape, trained
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu, group_norm, pad, silu

from baselines import predrnn, simvp, unet, vit
from bench.types import TaskShape, Window


def double(model: nn.Module) -> nn.Module:
    """The model in float64 with every weight and running statistic drawn anew, so that no zero hides a mistake."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 2.0)
    return model.double()


def double_window(shape: TaskShape, batch: int = 2) -> Window:
    window = make_window(shape, batch)
    return dataclasses.replace(window, history=window.history.double())


def unreached(model: nn.Module, window: Window) -> list[str]:
    """Names of the trained weights that the sum of a forecast's squares has no gradient for."""
    model.zero_grad()
    model(window).square().sum().backward()
    return [name for name, weight in trained(model) if weight.grad is None or not weight.grad.any()]


def conv(layer: nn.Conv2d, inputs: Tensor, **settings: int) -> Tensor:
    return conv2d(inputs, layer.weight, layer.bias, **settings)


# SimVP and TAU


def simvp_formula(shape: TaskShape, config: simvp.Config) -> int:
    """Weights of the coders (one doubling of the grid), the blocks and what changes their width."""
    d, outside, hidden = config.width, shape.history * config.width, config.hidden
    plain = 9 * d * d + d + 2 * d
    coders = (9 * shape.channels * d + d + 2 * d) + plain + plain + (9 * d * 4 * d + 4 * d + 2 * d)
    sizes = [outside] + [hidden] * (config.blocks - 1)
    total = coders + (d + 1) * shape.channels + (outside + 1) * hidden + (hidden + 1) * outside
    for size in sizes:
        few, inner = size // max(size // 16, 4), config.expansion * size
        ends = {"gsta": 2 * size * (size + 1), "tau": size * (size + 1) + 2 * size * few}[config.translator]
        attention = 2 * size * (size + 1) + (25 + 1) * size + (49 + 1) * size + ends
        feed = inner * (size + 1) + 10 * inner + size * (inner + 1)
        total += attention + feed + 4 * size + 2 * size
    return total


@pytest.mark.parametrize("translator", ["gsta", "tau"])
@pytest.mark.parametrize(("width", "hidden", "blocks", "expansion"), [(8, 20, 2, 3), (4, 72, 3, 2)])
def test_simvp_has_the_parameters_of_its_formula(
    translator: str, width: int, hidden: int, blocks: int, expansion: int
) -> None:
    shape = task_shape(channels=2, history=5)
    config = simvp.Config(translator=translator, width=width, hidden=hidden, blocks=blocks, expansion=expansion)
    assert size_of(simvp.Model(shape, config)) == simvp_formula(shape, config)


def slow_large_kernel(attention: nn.Module, hidden: Tensor) -> Tensor:
    """The 5x5 and the dilated 7x7 depthwise products, cell by cell and channel by channel."""
    for layer, size, step in zip(attention.large, (5, 7), (1, 3), strict=True):
        reach, after = step * (size // 2), torch.empty_like(hidden)
        wide = pad(hidden, (reach,) * 4)
        for row in range(hidden.shape[2]):
            for column in range(hidden.shape[3]):
                seen = wide[:, :, row : row + 2 * reach + 1 : step, column : column + 2 * reach + 1 : step]
                after[:, :, row, column] = (seen * layer.weight[:, 0]).sum(dim=(2, 3)) + layer.bias
        hidden = after
    return hidden


def slow_attention(attention: nn.Module, hidden: Tensor) -> Tensor:
    large, mix = slow_large_kernel(attention, hidden), attention.mix
    mixed = torch.einsum("oi,bihw->bohw", mix.weight[:, :, 0, 0], large) + mix.bias[:, None, None]
    if isinstance(attention, simvp.GatedAttention):
        width = hidden.shape[1]
        return mixed[:, :width] / (1 + torch.exp(-mixed[:, width:]))
    mean = hidden.sum(dim=(2, 3)) / hidden[0, 0].numel()
    few = (mean @ attention.squeeze.weight.T).clamp(min=0)
    return mixed * hidden / (1 + torch.exp(-few @ attention.excite.weight.T))[:, :, None, None]


def slow_block(block: simvp.Block, hidden: Tensor) -> Tensor:
    def normed(norm: nn.BatchNorm2d, inputs: Tensor) -> Tensor:
        mean, spread = norm.running_mean[:, None, None], (norm.running_var + 1e-5).sqrt()[:, None, None]
        return (inputs - mean) / spread * norm.weight[:, None, None] + norm.bias[:, None, None]

    first = normed(block.norm_1, hidden)
    enter, _, attention, leave = block.attention
    hidden = hidden + block.scale_1 * (conv(leave, slow_attention(attention, gelu(conv(enter, first)))) + first)
    wide, depthwise, _, narrow = block.feed
    inner = conv(depthwise, conv(wide, normed(block.norm_2, hidden)), padding=1, groups=wide.out_channels)
    return hidden + block.scale_2 * conv(narrow, gelu(inner))


def slow_coder(layer: nn.Sequential, frame: Tensor, *, stride: int = 1, grow: bool = False) -> Tensor:
    after = conv(layer[0], frame, stride=stride, padding=1)
    if grow:  # four channels become a square of four cells
        batch, channels, height, width = after.shape
        after = after.view(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
        after = after.reshape(batch, channels // 4, 2 * height, 2 * width)
    return silu(group_norm(after, 2, layer[2].weight, layer[2].bias))


@pytest.mark.parametrize("translator", ["gsta", "tau"])
def test_simvp_encodes_frames_one_by_one_mixes_their_stack_and_decodes_each_with_its_skip(translator: str) -> None:
    shape = task_shape((5, 7), channels=2, horizon=3, history=3)
    config = simvp.Config(translator=translator, width=4, hidden=6, blocks=2, expansion=2)
    model, window = double(simvp.Model(shape, config)).eval(), double_window(shape)
    with torch.no_grad():
        frames = [pad(frame, (0, 1, 0, 1)) for frame in window.history.unbind(1)]  # 5x7 to 6x8
        firsts = [slow_coder(model.encoder[0], frame) for frame in frames]
        small = [slow_coder(model.encoder[1], first, stride=2) for first in firsts]
        block, narrow, last, wide = model.translator
        stack = slow_block(block, torch.cat(small, dim=1))
        stack = conv(wide, slow_block(last, conv(narrow, stack)))
        for step, first in enumerate(firsts):
            large = slow_coder(model.decoder[0], stack[:, 4 * step : 4 * step + 4], grow=True)
            wanted = conv(model.readout, slow_coder(model.decoder[1], large + first))[:, :, :5, :7]
            torch.testing.assert_close(model(window)[:, step], wanted)


@pytest.mark.parametrize("horizon", [2, 4, 8, 9])
def test_simvp_cuts_off_a_short_horizon_and_reads_its_own_frames_for_a_long_one(horizon: int) -> None:
    shape, config = task_shape(history=4, horizon=4), simvp.Config(width=4, hidden=8, blocks=2)
    whole = double(simvp.Model(shape, config)).eval()
    other = simvp.Model(task_shape(history=4, horizon=horizon), config).double().eval()
    other.load_state_dict(whole.state_dict())
    window = double_window(shape)
    with torch.no_grad():
        frames, parts = window.history, []
        for _ in range(3):
            frames = whole(dataclasses.replace(window, history=frames))
            parts.append(frames)
        torch.testing.assert_close(other(window), torch.cat(parts, dim=1)[:, :horizon])


def test_simvp_drops_whole_branches_of_samples_in_training_alone() -> None:
    block = double(simvp.Block(6, 0.25, simvp.Config()))
    branch = torch.ones(4000, 6, 2, 2)
    dropped = block.drop(branch)
    kept = dropped[:, 0, 0, 0] > 0
    assert torch.equal(dropped, 4 / 3 * branch * kept[:, None, None, None])
    assert 0.7 < kept.double().mean() < 0.8
    assert torch.equal(block.eval().drop(branch), branch)


def test_stochastic_depth_of_simvp_grows_from_a_hundredth_to_its_rate() -> None:
    model = simvp.Model(task_shape(), simvp.Config(blocks=4, drop_path=0.1))
    rates = [layer.rate for layer in model.translator if isinstance(layer, simvp.Block)]
    assert rates == pytest.approx([0.01, 0.04, 0.07, 0.1])
    still = simvp.Model(task_shape(), simvp.Config(drop_path=0.0)).train()
    assert torch.equal(still(make_window(task_shape())), still(make_window(task_shape())))


@pytest.mark.parametrize(("layers", "smallest"), [(1, (10, 7)), (2, (5, 4)), (3, (5, 4)), (4, (3, 2))])
def test_every_second_coder_layer_of_simvp_halves_the_grid(layers: int, smallest: tuple[int, int]) -> None:
    shape = task_shape((10, 7))
    model, seen = simvp.Model(shape, simvp.Config(coder_layers=layers)).eval(), []
    model.translator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2:]))
    assert model(make_window(shape)).shape == (3, 3, 2, 10, 7)
    assert seen == [smallest]
    assert len(model.encoder) == len(model.decoder) == layers


@pytest.mark.parametrize("translator", ["gsta", "tau"])
@pytest.mark.parametrize(("history", "horizon", "channels"), [(4, 3, 1), (3, 7, 2), (2, 2, 1)])
def test_every_weight_of_simvp_is_trained(translator: str, history: int, horizon: int, channels: int) -> None:
    shape = task_shape((5, 3), channels, horizon, history)
    model = simvp.Model(shape, simvp.Config(translator=translator, width=8, hidden=32)).train()
    assert unreached(model, make_window(shape)) == []


# PredRNN


@pytest.mark.parametrize(("layers", "kernel", "patch"), [(2, 3, 2), (3, 5, 1)])
def test_predrnn_has_the_parameters_of_its_formula(layers: int, kernel: int, patch: int) -> None:
    width, channels = 5, 2 * patch**2
    config = predrnn.Config(width=width, layers=layers, kernel=kernel, patch=patch)
    gates = kernel**2 * width * (4 * width + 3 * width + 2 * width)  # from hidden state, memory, both memories
    inputs = kernel**2 * 7 * width * (channels + (layers - 1) * width)
    head = width * channels
    assert size_of(predrnn.Model(task_shape(), config)) == layers * (gates + 2 * width * width) + inputs + head


def slow_cell(
    cell: predrnn.Cell, inputs: Tensor, hidden: Tensor, own: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The equations of the docstring, one gate at a time."""
    width = hidden.shape[1]

    def product(layer: nn.Conv2d, index: int, given: Tensor) -> Tensor:
        rows = layer.weight[index * width : (index + 1) * width]
        return conv2d(given, rows, padding=rows.shape[-1] // 2)

    def both(index: int, other: nn.Conv2d, given: Tensor, place: int) -> Tensor:
        return product(cell.from_input, index, inputs) + product(other, place, given)

    into, forget = both(0, cell.from_hidden, hidden, 0).sigmoid(), (both(1, cell.from_hidden, hidden, 1) + 1).sigmoid()
    own_after = forget * own + into * both(2, cell.from_hidden, hidden, 2).tanh()
    into, forget = both(3, cell.from_memory, memory, 0).sigmoid(), (both(4, cell.from_memory, memory, 1) + 1).sigmoid()
    memory_after = forget * memory + into * both(5, cell.from_memory, memory, 2).tanh()
    joined = torch.cat((own_after, memory_after), dim=1)
    out = (both(6, cell.from_hidden, hidden, 3) + product(cell.from_both, 0, joined)).sigmoid()
    return out * product(cell.join, 0, joined).tanh(), own_after, memory_after


@pytest.mark.parametrize("layers", [2, 3])
def test_predrnn_hands_its_memory_up_the_stack_and_from_the_top_to_the_next_step(layers: int) -> None:
    shape = task_shape((4, 5), channels=2, horizon=3, history=3)
    model, window = double(predrnn.Model(shape, predrnn.Config(width=3, layers=layers, patch=1))), double_window(shape)
    with torch.no_grad():
        zeros = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
        hidden, own, memory = [zeros] * layers, [zeros] * layers, zeros
        known, wanted = list(window.history.unbind(1)), []
        for step in range(5):
            below = known[step]
            for layer, cell in enumerate(model.cells):
                hidden[layer], own[layer], memory = slow_cell(cell, below, hidden[layer], own[layer], memory)
                below = hidden[layer]
            frame = conv2d(below, model.head.weight)
            if step >= 2:
                wanted.append(frame)
                known.append(frame)
        torch.testing.assert_close(model(window), torch.stack(wanted, dim=1))


def test_a_patch_of_predrnn_holds_its_cells_as_channels_and_zeros_beyond_the_grid() -> None:
    shape = task_shape((3, 5), channels=2)
    model, frame = predrnn.Model(shape, predrnn.Config(patch=2)), make_window(shape).history[:, 0]
    folded = model.folded(frame)
    assert folded.shape == (3, 8, 2, 3)
    for row in range(4):
        for column in range(6):
            inside = row < 3 and column < 5
            for channel in range(2):
                place = folded[:, 4 * channel + 2 * (row % 2) + column % 2, row // 2, column // 2]
                assert torch.equal(place, frame[:, channel, row, column] if inside else torch.zeros(3))
    assert torch.equal(model.unfolded(folded), frame)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_the_first_forecast_of_predrnn_is_the_same_for_any_horizon(patch: int) -> None:
    config = predrnn.Config(width=4, patch=patch)
    short, long = (double(predrnn.Model(task_shape((5, 6), horizon=steps), config)) for steps in (1, 4))
    window = double_window(task_shape((5, 6), horizon=4))
    torch.testing.assert_close(short(window), long(window)[:, :1])


@pytest.mark.parametrize(("kernel", "reach"), [(3, 2), (5, 4)])
def test_the_kernel_of_predrnn_decides_how_far_one_step_sees(kernel: int, reach: int) -> None:
    shape = task_shape((11, 11), channels=1, horizon=1, history=1)
    model = double(predrnn.Model(shape, predrnn.Config(width=3, layers=1, kernel=kernel, patch=1)))
    window = double_window(shape)
    history = window.history.requires_grad_()
    model(dataclasses.replace(window, history=history))[..., 5, 5].sum().backward()
    rows = history.grad.abs().sum(dim=(0, 1, 2, 4)).nonzero().flatten().tolist()
    assert rows == list(range(5 - reach, 6 + reach))  # once into the memories, once from them into the output gate


@pytest.mark.parametrize(("history", "horizon", "channels"), [(4, 3, 1), (2, 5, 2), (1, 2, 1)])
def test_every_weight_of_predrnn_is_trained(history: int, horizon: int, channels: int) -> None:
    shape = task_shape((5, 3), channels, horizon, history)
    model = predrnn.Model(shape, predrnn.Config(width=8, layers=3, patch=4))
    assert unreached(model, make_window(shape)) == []


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
