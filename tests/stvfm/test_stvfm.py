"""ST-VFM: the frozen backbone is the vision model it claims to be, and what is trained does what its docstring says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import SLOTS, make_window, task_shape
from stvfm_models import make_model
from torch import nn

from bench.errors import ConfigError
from stvfm.adapters import (
    Attention,
    AttentionPool,
    ChannelPool,
    CrossPrompts,
    Fusion,
    Patching,
    PlainTokens,
    TokenAdapter,
    amplitude,
    auto_patch,
)
from stvfm.frames import flow
from stvfm.head import CellHead, LinearHead
from stvfm.model import Config


def test_training_leaves_every_frozen_weight_and_buffer_bit_for_bit() -> None:
    model, window = make_model(), make_window(task_shape())
    frozen = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    free = {name: weight.clone() for name, weight in model.named_parameters() if weight.requires_grad}
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    model.train()
    assert not any(module.training for module in model.backbone.modules())
    for _ in range(3):
        optimiser.zero_grad()
        model(window).square().mean().backward()
        optimiser.step()
    assert all(torch.equal(frozen[name], value) for name, value in model.backbone.state_dict().items())
    assert all(weight.grad is None for weight in model.backbone.parameters())
    assert not any(torch.equal(free[name], weight) for name, weight in model.named_parameters() if name in free)


def test_both_branches_pass_the_backbone_in_one_batch() -> None:
    model, sizes = make_model(), []
    model.backbone.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    model(make_window(task_shape(), batch=3))
    assert sizes == [6]


def test_a_depth_beyond_the_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth 13 does not fit vit_tiny, which has 12 blocks"):
        make_model(Config(depth=13))


@given(
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    patch=st.integers(1, 5),
    lead=st.sampled_from([(), (2,), (2, 3)]),
)
@settings(deadline=None, max_examples=50)
def test_cut_and_paste_are_inverse_and_cut_is_what_a_loop_cuts(
    grid: tuple[int, int], patch: int, lead: tuple[int, ...]
) -> None:
    patching = Patching(grid=grid, patch=patch)
    frames = torch.randn(*lead, 2, *grid)
    patches = patching.cut(frames)
    assert torch.equal(patching.paste(patches), frames)
    rows, columns = patching.tokens
    padded = frames.new_zeros(*lead, 2, rows * patch, columns * patch)
    padded[..., : grid[0], : grid[1]] = frames
    for row in range(rows):
        for column in range(columns):
            box = padded[..., row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            assert torch.equal(patches[..., row * columns + column, :], box.flatten(-3))


@pytest.mark.parametrize(
    ("grid", "patch"), [((10, 20), 2), ((16, 8), 2), ((16, 20), 2), ((32, 32), 4), ((28, 32), 4), ((8, 8), 1)]
)
def test_the_automatic_patch_leaves_at_most_a_hundred_tokens(grid: tuple[int, int], patch: int) -> None:
    assert auto_patch(grid, 100) == patch


def test_the_flow_is_the_change_since_the_step_before_and_starts_at_zero() -> None:
    history = torch.randn(2, 4, 1, 3, 3)
    found = flow(history)
    assert not found[:, 0].any()
    assert torch.equal(found[:, 1:], history[:, 1:] - history[:, :-1])


@pytest.mark.parametrize("by_channel", [True, False])
def test_the_token_adapter_follows_its_equations(by_channel: bool) -> None:
    shape, patching, width = task_shape((4, 5)), Patching(grid=(4, 5), patch=2), 8
    torch.manual_seed(0)
    adapter = TokenAdapter(shape, patching, width, by_channel=by_channel)
    window = make_window(shape, batch=2)
    with torch.no_grad():
        found = adapter(patching.cut(window.history), window.history_clock)
        for batch, token in ((0, 0), (1, 4)):
            steps = []
            for step, (slot, day) in enumerate(window.history_clock[batch].tolist()):
                patch = patching.cut(window.history[batch, step])[token]
                where, when = adapter.space[token], adapter.time[step] + adapter.slot[slot] + adapter.day[day]
                steps.append(adapter.patch.weight @ patch + adapter.patch.bias + where + when)
            tokens = torch.stack(steps)  # [P, D]
            narrow = nn.functional.gelu(adapter.mixer.down(adapter.mixer.norm(tokens)))
            mixed = adapter.mixer.steps.weight @ narrow + adapter.mixer.steps.bias[:, None]
            tokens = tokens + adapter.mixer.up(nn.functional.gelu(mixed))
            if isinstance(adapter.pool, ChannelPool):
                pooled = (adapter.pool.weights * tokens).sum(dim=0)
            else:
                pooled = torch.softmax(adapter.pool.score(tokens)[:, 0], dim=0) @ tokens
            torch.testing.assert_close(found[batch, token], pooled)


def test_a_pool_by_channel_tells_steps_apart_that_a_pool_by_token_blurs() -> None:
    torch.manual_seed(0)
    one_value = torch.zeros(4, 4, 1, 6)  # four windows of one token, each with the same value at another step
    one_value[torch.arange(4), torch.arange(4)] = torch.randn(6)
    with torch.no_grad():
        directions = [torch.linalg.matrix_rank(pool(one_value)[:, 0]) for pool in (ChannelPool(4, 6), AttentionPool(6))]
    assert directions == [4, 1]


def test_plain_tokens_are_one_linear_map_of_the_stacked_history_and_the_place() -> None:
    shape, patching = task_shape((4, 5)), Patching(grid=(4, 5), patch=2)
    torch.manual_seed(0)
    adapter, window = PlainTokens(shape, patching, 8), make_window(shape)
    with torch.no_grad():
        found = adapter(patching.cut(window.history), window.history_clock)
        for batch, token in ((0, 0), (2, 4)):
            stacked = torch.cat([patching.cut(window.history[batch, step])[token] for step in range(shape.history)])
            wanted = adapter.patch.weight @ stacked + adapter.patch.bias + adapter.space[token]
            torch.testing.assert_close(found[batch, token], wanted)


def test_attention_is_a_softmax_over_the_memory_in_every_head() -> None:
    torch.manual_seed(0)
    attention, queries, memory = Attention(6, inner=8, heads=2), torch.randn(1, 3, 6), torch.randn(1, 5, 6)
    with torch.no_grad():
        query, (key, value) = attention.query(queries)[0], attention.key_value(memory)[0].split(8, dim=-1)
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            weights = torch.softmax(query[:, part] @ key[:, part].T / 4**0.5, dim=-1)
            heads.append(weights @ value[:, part])
        torch.testing.assert_close(attention(queries, memory)[0], attention.out(torch.cat(heads, dim=-1)))


def test_cross_prompts_start_closed_and_then_tell_a_branch_of_the_prompts_of_the_other() -> None:
    torch.manual_seed(0)
    cross, raw, flowing = CrossPrompts(8, prompts=2), *torch.randn(2, 2, 5, 8)
    with torch.no_grad():
        assert torch.equal(cross(raw, flowing), raw)
        cross.gate.fill_(0.3)
        prompts = cross.read(cross.queries.expand(2, -1, -1), flowing)
        assert prompts.shape == (2, 2, 8)
        torch.testing.assert_close(cross(raw, flowing), raw + 0.3 * cross.condition(raw, prompts))


def test_fusion_starts_closed_and_then_joins_the_branches_token_by_token() -> None:
    torch.manual_seed(0)
    fuse, raw, flowing = Fusion(8), *torch.randn(2, 2, 5, 8)
    with torch.no_grad():
        assert torch.equal(fuse(raw, flowing), raw)
        fuse.gate.fill_(0.3)
        for token in range(5):
            alone = fuse(raw[:, token], flowing[:, token])
            torch.testing.assert_close(fuse(raw, flowing)[:, token], alone)
            assert not torch.equal(alone, raw[:, token])


def test_fusion_is_about_as_large_as_the_prompts_it_stands_in_for() -> None:
    def size(part: nn.Module) -> int:
        return sum(weight.numel() for weight in part.parameters())

    for width in (192, 768):
        assert size(Fusion(width)) == pytest.approx(size(CrossPrompts(width, prompts=4)), rel=0.02)


def test_the_head_is_an_mlp_on_each_cell_of_its_token_and_identities() -> None:
    shape, patching, window = task_shape((4, 5)), Patching(grid=(4, 5), patch=2), make_window(task_shape((4, 5)))
    torch.manual_seed(0)
    head, features = CellHead(shape, patching, 8, Config(hidden=6, layers=2)).eval(), torch.randn(3, 6, 8)
    with torch.no_grad():
        found = head(features, window.horizon_clock).view(3, shape.horizon, shape.channels, 4, 5)
        for batch, row, column in ((0, 0, 0), (1, 3, 4), (2, 1, 2)):
            token, inside = row // 2 * 3 + column // 2, row % 2 * 2 + column % 2
            slot, day = window.horizon_clock[batch, 0].tolist()
            hidden = head.unfold(features[batch, token]).view(6, 4)[:, inside]
            hidden = hidden + head.cell[row * 5 + column] + head.slot[slot] + head.day[day]
            for layer in head.layers:
                norm, first, _, _, second = layer.body
                hidden = hidden + second(nn.functional.gelu(first(norm(hidden))))
            wanted = head.out(hidden).view(shape.horizon, shape.channels)
            torch.testing.assert_close(found[batch, :, :, row, column], wanted)


def test_the_head_may_be_told_the_series_of_each_cell_around_the_backbone() -> None:
    shape, patching, window = task_shape((4, 5)), Patching(grid=(4, 5), patch=2), make_window(task_shape((4, 5)))
    torch.manual_seed(0)
    head = CellHead(shape, patching, 8, Config(hidden=6, layers=0, series=True))
    features = torch.randn(3, 6, 8)
    with torch.no_grad():
        told = head(features, window.horizon_clock, window.history)
        head.series, series = None, head.series
        change = (told - head(features, window.horizon_clock)).view(3, shape.horizon, shape.channels, 4, 5)
        for batch, row, column in ((0, 0, 0), (2, 3, 4)):
            hidden = series(window.history[batch, :, :, row, column].flatten())
            wanted = (head.out.weight @ hidden).view(shape.horizon, shape.channels)
            torch.testing.assert_close(change[batch, :, :, row, column], wanted, rtol=1e-4, atol=1e-5)


def test_the_head_that_is_linear_gives_every_token_its_values() -> None:
    shape, patching = task_shape((4, 5)), Patching(grid=(4, 5), patch=2)
    torch.manual_seed(0)
    head, features = LinearHead(shape, patching, 8), torch.randn(3, 6, 8)
    found = head(features, make_window(shape).horizon_clock)
    padded = head.out(features).view(3, 2, 3, shape.horizon * shape.channels, 2, 2)
    torch.testing.assert_close(found[:, :, 2:4, 4], padded[:, 1, 2, :, :, 0])


def test_the_forecast_is_a_change_of_the_last_value_that_starts_with_the_head() -> None:
    model, window = make_model(), make_window(task_shape())
    with torch.no_grad():
        for weight in model.head.out.parameters():
            weight.fill_(0.0)
        model.head.out.bias.fill_(2.0)
        torch.testing.assert_close(model(window), (window.history[:, -1:] + 2.0).expand(-1, 3, -1, -1, -1))


def test_the_amplitude_is_what_a_norm_takes_from_a_token() -> None:
    tokens = torch.randn(2, 5, 64) * torch.tensor([0.1, 1.0, 5.0, 20.0, 90.0])[:, None]
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(
        amplitude(centred) * nn.functional.layer_norm(centred, (64,)), centred, rtol=1e-2, atol=1e-2
    )


def test_the_head_sees_features_as_large_as_the_tokens_of_their_branch_before_they_were_scaled() -> None:
    model, window, seen = make_model(), make_window(task_shape()), []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.backbone.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    with torch.no_grad():
        model.scale.copy_(torch.tensor([0.3, 2.0]))
        model(window)
    (scaled, features), given = seen
    for branch, part in enumerate(given.chunk(2, dim=-1)):
        rows = slice(3 * branch, 3 * branch + 3)
        size = scaled[rows].square().mean(-1, keepdim=True).sqrt() / model.scale[branch]
        direction = features[rows] / features[rows].square().mean(-1, keepdim=True).sqrt()
        torch.testing.assert_close(part, size * direction)


def test_an_adapter_makes_tokens_of_unit_size_of_values_of_unit_size() -> None:
    shape, patching = task_shape((12, 12), channels=1, history=6), Patching(grid=(12, 12), patch=4)
    torch.manual_seed(0)
    window = make_window(shape, batch=64)
    makers = (TokenAdapter(shape, patching, 192, by_channel=True), PlainTokens(shape, patching, 192))
    with torch.no_grad():
        sizes = [float(make(patching.cut(window.history), window.history_clock).std()) for make in makers]
    assert sizes == pytest.approx([1, 1], rel=0.1)


def test_the_trained_parameters_are_those_of_the_formula() -> None:
    shape = task_shape((6, 5), channels=2, horizon=3, history=4)
    model = make_model(Config(patch=2, prompts=3, rounds=2, hidden=32, layers=1, depth=1), shape)
    width, tokens, pixels, hidden = 192, 3 * 3, 2 * 2 * 2, 32
    mixer = 2 * width + (width + 1) * 48 + (4 + 1) * 4 + (48 + 1) * width
    adapter = (pixels + 1) * width + (tokens + 4 + SLOTS + 7) * width + mixer + 4 * width + 1
    attention = 3 * (width + 1) * 64 + (64 + 1) * width
    cross = 2 * (3 * width + 2 * attention + 1)
    mlp = 2 * hidden + (hidden + 1) * 2 * hidden + (2 * hidden + 1) * hidden
    head = (2 * width + 1) * 4 * hidden + (6 * 5 + SLOTS + 7) * hidden + mlp + (hidden + 1) * 3 * 2
    found = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert found == 2 * adapter + 2 * cross + head
