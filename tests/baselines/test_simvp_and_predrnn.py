"""SimVP and TAU, and PredRNN, each against its formula and a slow version of its own part."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import conv, double, double_window, make_window, size_of, task_shape, unreached
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu, group_norm, pad, silu

from baselines import predrnn, simvp
from bench.types import TaskShape

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
