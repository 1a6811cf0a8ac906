"""ST-VFM: the frozen backbone is the vision model it claims to be, and what is trained does what its docstring says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.errors import ConfigError, WeightsError
from bench.types import TaskShape, Window
from stvfm import backbones
from stvfm.adapters import Attention, CrossPrompts, Patching, TokenAdapter, auto_patch
from stvfm.model import Config, Model, flow

SLOTS = 48


def task_shape(grid: tuple[int, int] = (6, 5), channels: int = 2, horizon: int = 3, history: int = 4) -> TaskShape:
    return TaskShape(history=history, horizon=horizon, channels=channels, grid=grid, slots_per_day=SLOTS)


def make_window(shape: TaskShape, batch: int = 3, seed: int = 0) -> Window:
    torch.manual_seed(seed)

    def clock(steps: int) -> Tensor:
        return torch.stack((torch.randint(SLOTS, (batch, steps)), torch.randint(7, (batch, steps))), dim=-1)

    history = torch.randn(batch, shape.history, shape.channels, *shape.grid)
    return Window(history=history, history_clock=clock(shape.history), horizon_clock=clock(shape.horizon))


def make_model(config: Config | None = None, shape: TaskShape | None = None, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model(shape or task_shape(), config or Config(depth=1))


def vision_transformer(**changes: object) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    small = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2, "dynamic_img_size": True}
    torch.manual_seed(0)
    vit: nn.Module = VisionTransformer(**{**small, **changes}).eval()
    with torch.no_grad():
        for weight in vit.parameters():  # prefix tokens and biases start near 0, where a mistake would not show
            weight.add_(0.1 * torch.randn_like(weight))
    return vit


VARIANTS = (
    {},
    {"reg_tokens": 2},
    {"reg_tokens": 2, "no_embed_class": True},
    {"class_token": False, "global_pool": "avg"},
    {"pre_norm": True},
)


@pytest.mark.parametrize("image", [(32, 32), (24, 40)])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_fed_with_its_own_patches_the_backbone_is_the_vision_model(
    variant: dict[str, object], image: tuple[int, int]
) -> None:
    vit = vision_transformer(**variant)
    images = torch.randn(2, 3, *image)
    patches = vit.patch_embed(images)  # [B, rows, columns, D]
    backbone = backbones.Backbone(vit, tuple(patches.shape[1:3]), depth=3)
    wanted = vit.forward_features(images)[:, vit.num_prefix_tokens :]
    torch.testing.assert_close(backbone(patches.flatten(1, 2)), wanted, rtol=1e-5, atol=1e-5)


def test_a_shallow_backbone_is_the_vision_model_up_to_that_block() -> None:
    vit = vision_transformer()
    images = torch.randn(2, 3, 32, 32)
    (wanted,) = vit.forward_intermediates(images, indices=[1], norm=True, output_fmt="NLC", intermediates_only=True)
    backbone = backbones.Backbone(vit, (4, 4), depth=2)
    torch.testing.assert_close(backbone(vit.patch_embed(images).flatten(1, 2)), wanted, rtol=1e-5, atol=1e-5)


def test_the_registered_backbone_has_the_width_and_depth_of_its_table() -> None:
    for name, facts in backbones.ARCHITECTURES.items():
        backbone = backbones.build(name, "random", (3, 4), depth=0)
        assert (backbone.width, len(backbone.blocks)) == (facts.width, facts.depth)


def test_the_token_scale_is_that_of_patches_of_normal_pixels() -> None:
    vit = vision_transformer()
    patches = vit.patch_embed.proj(torch.randn(400, 3, 32, 32)) - vit.patch_embed.proj.bias[:, None, None]
    assert backbones.Backbone(vit, (4, 4), depth=1).token_scale == pytest.approx(patches.std().item(), rel=0.02)


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


def test_random_weights_follow_the_seed_and_leave_the_generator_as_it_was() -> None:
    drawn, weights = [], []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        backbone = backbones.build("vit_tiny", "random", (2, 2), depth=1)
        weights.append(torch.cat([value.flatten() for value in backbone.state_dict().values()]))
        drawn.append(torch.rand(1))
    torch.manual_seed(1)
    assert torch.equal(drawn[0], torch.rand(1))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_depth_beyond_the_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth 13 does not fit vit_tiny, which has 12 blocks"):
        make_model(Config(depth=13))


@pytest.fixture
def empty_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An empty hub cache, and no proxy between the test and loopback."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(backbones, "CONNECT_S", 0.3)
    monkeypatch.setenv("NO_PROXY", "*")
    return monkeypatch


def hub_at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", constants.ENDPOINT + "/{repo_id}/{revision}/{filename}"
    )


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[ThreadingHTTPServer, Path]]:
    """A hub on loopback that serves one file, or 404 while there is none."""
    served = tmp_path / "served.safetensors"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            found = served.exists()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(served.stat().st_size if found else 0))
            self.send_header("ETag", '"0123"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(served.read_bytes())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, served
        server.shutdown()
        thread.join()


def assert_refused(reason: str) -> None:
    with pytest.raises(WeightsError, match=reason) as caught:
        backbones.build("vit_tiny", "pretrained", (2, 2), depth=1)
    assert "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k" in str(caught.value)
    assert "weights=random" in str(caught.value)


@pytest.mark.timeout(60)
def test_absent_weights_and_a_hub_that_never_answers_are_one_sentence(empty_hub: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub_at(empty_hub, silent.getsockname()[1])
        assert_refused(r"the hub does not answer \(ReadTimeout\)")


@pytest.mark.timeout(60)
def test_absent_weights_and_a_hub_that_refuses_are_one_sentence(empty_hub: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:  # bound but not listening, so nobody else gets the port
        unused.bind(("127.0.0.1", 0))
        hub_at(empty_hub, unused.getsockname()[1])
        assert_refused(r"the hub does not answer \(ConnectionError\)")


def test_weights_unknown_to_the_hub_are_one_sentence(
    empty_hub: pytest.MonkeyPatch, hub: tuple[ThreadingHTTPServer, Path]
) -> None:
    hub_at(empty_hub, hub[0].server_port)
    assert_refused("the hub answers with status 404")


def test_absent_weights_and_the_offline_switch_are_one_sentence(empty_hub: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    empty_hub.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_refused("HF_HUB_OFFLINE is set")


def test_pretrained_weights_come_from_the_hub_once_and_then_from_its_cache(
    empty_hub: pytest.MonkeyPatch, hub: tuple[ThreadingHTTPServer, Path]
) -> None:
    from safetensors.torch import save_file
    from timm import create_model

    server, served = hub
    torch.manual_seed(123)
    source = create_model("vit_tiny_patch16_224")
    save_file(source.state_dict(), served)
    hub_at(empty_hub, server.server_port)
    torch.manual_seed(0)
    fetched = backbones.build("vit_tiny", "pretrained", (2, 2), depth=2)
    served.unlink()
    cached = backbones.build("vit_tiny", "pretrained", (2, 2), depth=2)
    for backbone in (fetched, cached):
        for name, weight in backbone.blocks.named_parameters():
            assert torch.equal(weight, source.blocks.get_parameter(name))


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


def test_the_token_adapter_follows_its_equations() -> None:
    shape, patching, width = task_shape((4, 5)), Patching(grid=(4, 5), patch=2), 8
    torch.manual_seed(0)
    adapter = TokenAdapter(shape, patching, width, scale=0.5)
    window = make_window(shape, batch=2)
    with torch.no_grad():
        found = adapter(window.history, window.history_clock)
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
            weights = torch.softmax(adapter.pool(tokens)[:, 0], dim=0)
            torch.testing.assert_close(found[batch, token], 0.5 * (weights @ tokens))


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


def test_cross_prompts_start_closed_and_then_tell_each_branch_of_the_other() -> None:
    torch.manual_seed(0)
    cross, raw, moving, other = CrossPrompts(8, prompts=2), *torch.randn(3, 2, 5, 8)
    with torch.no_grad():
        assert all(map(torch.equal, cross(raw, moving), (raw, moving)))
        cross.gates.copy_(torch.tensor([1.0, 0.0]))
        assert not torch.allclose(cross(raw, moving)[0], cross(raw, other)[0])
        assert torch.equal(cross(raw, moving)[1], moving)
        cross.gates.copy_(torch.tensor([0.0, 1.0]))
        assert not torch.allclose(cross(raw, moving)[1], cross(other, moving)[1])
        assert torch.equal(cross(raw, moving)[0], raw)


def test_the_head_changes_the_last_value_by_multiples_of_the_amplitude_of_its_patch() -> None:
    model, window = make_model(Config(patch=3, depth=1), task_shape((6, 6))), make_window(task_shape((6, 6)))
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.fill_(2.0)
        change = model(window) - window.history[:, -1:]
    for box in (slice(0, 3), slice(3, 6)):
        amplitude = window.history[..., box, :3].square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt()
        torch.testing.assert_close(change[..., box, :3] / amplitude, torch.full((3, 3, 2, 3, 3), 2.0))


def test_the_trained_parameters_are_those_of_the_formula() -> None:
    shape = task_shape((6, 5), channels=2, horizon=3, history=4)
    model = make_model(Config(patch=2, prompts=3, rounds=2, depth=1), shape)
    width, tokens, pixels = 192, 3 * 3, 2 * 2 * 2
    mixer = 2 * width + (width + 1) * 48 + (4 + 1) * 4 + (48 + 1) * width
    adapter = (pixels + 1) * width + (tokens + 4 + SLOTS + 7) * width + mixer + (width + 1) + 1
    attention = 3 * (width + 1) * 64 + (64 + 1) * width
    cross = 2 * 3 * width + 4 * attention + 2
    head = (2 * width + 1) * 3 * pixels
    found = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert found == 2 * adapter + 2 * cross + head
