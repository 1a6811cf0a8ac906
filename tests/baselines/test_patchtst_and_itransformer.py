"""PatchTST and iTransformer: each against slow code or PyTorch's own, and each setting for what it promises."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import pytest
import torch
from models import SLOTS, build, make_window, size_of, task_shape, with_statistics
from torch import Tensor, nn

from baselines import itransformer, patchtst
from bench.types import TaskShape


def slow_norm(norm: nn.BatchNorm1d, token: Tensor) -> Tensor:
    return (token - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


@pytest.mark.parametrize(
    ("history", "patch", "stride", "tokens"),
    [(64, 16, 8, 8), (32, 16, 8, 4), (12, 4, 2, 6), (6, 2, 1, 6), (1, 1, 1, 2)],
)
def test_patchtsts_patches_fit_the_history(history: int, patch: int, stride: int, tokens: int) -> None:
    model = patchtst.Model(task_shape(history=history), patchtst.Config())
    assert (model.patch, model.stride, len(model.positions)) == (patch, stride, tokens)


def test_patchtsts_patches_are_slices_of_the_series_and_one_stride_of_its_last_value() -> None:
    model = patchtst.Model(task_shape(history=9), patchtst.Config(patch=4))
    row = [float(step) for step in range(9)]
    longer = [*row, 8.0, 8.0]
    assert model.patches(torch.tensor([row]))[0].tolist() == [longer[start : start + 4] for start in (0, 2, 4, 6)]


@pytest.mark.parametrize(("patch", "width", "layers"), [(16, 16, 2), (4, 16, 2), (16, 32, 2), (16, 16, 1)])
def test_patchtst_has_the_parameters_of_its_formula(patch: int, width: int, layers: int) -> None:
    shape = task_shape((2, 3), horizon=5, history=32)
    tokens = {16: 4, 4: 16}[patch]
    attention, feed, norms = 4 * width * (width + 1), 2 * width * (width + 1) + width * (2 * width + 1), 4 * width
    ends = (patch + 1) * width + tokens * width + (tokens * width + 1) * 5
    model = patchtst.Model(shape, patchtst.Config(patch=patch, width=width, layers=layers))
    assert size_of(model) == ends + layers * (attention + feed + norms)


def slow_patchtst_layer(
    layer: patchtst.Layer, tokens: list[Tensor], scores: dict[tuple[int, int, int], Tensor]
) -> list[Tensor]:
    """One token and one head at a time; ``scores`` holds those of the layers before and is added to."""
    size = len(tokens[0]) // layer.heads
    query, key, value = (
        [rows @ token + bias for token in tokens]
        for rows, bias in zip(layer.into.weight.chunk(3), layer.into.bias.chunk(3), strict=True)
    )
    outputs = []
    for here, token in enumerate(tokens):
        mixed = []
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            for there in range(len(tokens)):
                score = (query[here][part] * key[there][part]).sum() / size**0.5
                scores[head, here, there] = scores.get((head, here, there), torch.zeros(())) + score
            shares = torch.stack([scores[head, here, there] for there in range(len(tokens))]).softmax(0)
            mixed.append(sum(share * other[part] for share, other in zip(shares, value, strict=True)))
        hidden = slow_norm(layer.norms[0], token + layer.out(torch.cat(mixed)))
        outputs.append(slow_norm(layer.norms[1], hidden + layer.feed(hidden)))
    return outputs


def test_patchtst_is_a_transformer_over_the_patches_of_each_standardised_series() -> None:
    shape = task_shape((2, 3), channels=2, horizon=3, history=8)
    torch.manual_seed(0)
    model, window = patchtst.Model(shape, patchtst.Config(width=8, layers=3, heads=2)), make_window(shape)
    with_statistics(model)
    with torch.no_grad():
        forecast = model(window)
        for batch, channel, row, column in ((0, 0, 0, 0), (1, 1, 1, 2)):
            past = window.history[batch, :, channel, row, column]
            mean, scale = past.mean(), (past.var(correction=0) + 1e-5).sqrt()
            normal = (torch.cat((past, past[-1:].repeat(2))) - mean) / scale
            tokens = [
                model.embedding.weight @ normal[2 * n : 2 * n + 4] + model.embedding.bias + model.positions[n]
                for n in range(4)
            ]
            scores: dict[tuple[int, int, int], Tensor] = {}
            for layer in model.layers:
                tokens = slow_patchtst_layer(layer, tokens, scores)
            wanted = (model.head.weight @ torch.cat(tokens) + model.head.bias) * scale + mean
            torch.testing.assert_close(forecast[batch, :, channel, row, column], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["patchtst", "itransformer"])
def test_a_model_that_standardises_its_history_forecasts_in_its_units(name: str) -> None:
    shape = task_shape()
    model, window = build(name, shape), make_window(shape)
    level, factor = 3 * torch.randn(1, 1, 2, 6, 5), torch.rand(1, 1, 2, 6, 5) + 0.5
    with torch.no_grad():
        moved = model(dataclasses.replace(window, history=level + factor * window.history))
        torch.testing.assert_close(moved, level + factor * model(window), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["patchtst", "stnorm"])
def test_running_statistics_move_in_training_and_rest_in_evaluation(name: str) -> None:
    shape = task_shape()
    model, window = build(name, shape), make_window(shape)
    norms = [norm for norm in model.modules() if isinstance(norm, nn.BatchNorm1d)]
    before = [norm.running_mean.clone() for norm in norms]
    with torch.no_grad():
        model(window)
        assert all(torch.equal(norm.running_mean, old) for norm, old in zip(norms, before, strict=True))
        model.train()(window)
        assert not any(torch.equal(norm.running_mean, old) for norm, old in zip(norms, before, strict=True))


def test_patchtst_takes_series_in_pieces_in_evaluation_and_all_at_once_in_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = task_shape()
    model, window, taken = with_statistics(build("patchtst", shape)), make_window(shape), []
    assert isinstance(model, patchtst.Model)
    continued = model.continued
    monkeypatch.setattr(model, "continued", lambda rows: taken.append(len(rows)) or continued(rows))
    with torch.no_grad():
        wanted = model(window)
        monkeypatch.setattr(patchtst, "PIECE", 7)
        torch.testing.assert_close(model(window), wanted)
        model.train()(window)
    whole = 3 * 2 * 6 * 5
    assert taken == [whole, *[7] * (whole // 7), whole % 7, whole]


@pytest.mark.parametrize("module", [patchtst, itransformer])
def test_another_number_of_heads_divides_the_same_weights_otherwise(module: ModuleType) -> None:
    shape = task_shape()
    two, four = (module.Model(shape, module.Config(heads=heads)).eval() for heads in (2, 4))
    two.load_state_dict(four.state_dict())
    with torch.no_grad():
        assert not torch.allclose(two(make_window(shape)), four(make_window(shape)), atol=1e-4)


def is_random_in_training(model: nn.Module, shape: TaskShape) -> bool:
    window = make_window(shape)
    with torch.no_grad():
        return not torch.equal(model.train()(window), model(window))


@pytest.mark.parametrize("module", [patchtst, itransformer])
def test_dropout_makes_training_random_and_its_rate_can_be_zero(module: ModuleType) -> None:
    shape = task_shape()
    assert is_random_in_training(module.Model(shape, module.Config(dropout=0.3)), shape)
    assert not is_random_in_training(module.Model(shape, module.Config(dropout=0.0)), shape)


@pytest.mark.parametrize(("width", "layers"), [(32, 2), (16, 2), (32, 1)])
def test_itransformer_has_the_parameters_of_its_formula_whatever_the_grid(width: int, layers: int) -> None:
    attention, feed, norms = 4 * width * (width + 1), 2 * width * (width + 1), 4 * width
    ends = (4 + 1) * width + 2 * width + (width + 1) * 3
    for grid in ((2, 3), (10, 20)):
        model = itransformer.Model(task_shape(grid), itransformer.Config(width=width, layers=layers))
        assert size_of(model) == ends + layers * (attention + feed + norms)


def torchs_layer(layer: itransformer.Layer, width: int) -> nn.TransformerEncoderLayer:
    """PyTorch's own post-norm layer with the same weights."""
    other = nn.TransformerEncoderLayer(width, layer.heads, width, 0.0, "gelu", batch_first=True)
    other.self_attn.in_proj_weight, other.self_attn.in_proj_bias = layer.into.weight, layer.into.bias
    other.self_attn.out_proj.load_state_dict(layer.out[0].state_dict())
    other.linear1, other.linear2 = layer.feed[0], layer.feed[3]
    other.norm1, other.norm2 = layer.norms
    return other.train()  # without dropout, and without the fused form of evaluation


def test_itransformer_is_pytorchs_encoder_over_series_and_clock() -> None:
    shape = task_shape((2, 3), channels=2, horizon=3, history=4)
    torch.manual_seed(0)
    model, window = itransformer.Model(shape, itransformer.Config(width=8)).eval(), make_window(shape, batch=2)
    for values in (values for values in model.parameters() if values.ndim == 1):
        nn.init.normal_(values, 1.0, 0.3)
    places = [(channel, row, column) for channel in range(2) for row in range(2) for column in range(3)]
    with torch.no_grad():
        forecast = model(window)
        for batch in range(2):
            pasts = [window.history[batch, :, channel, row, column] for channel, row, column in places]
            marks = [
                torch.tensor([tick[which] / last - 0.5 for tick in window.history_clock[batch].tolist()])
                for which, last in ((0, SLOTS - 1), (1, 6))
            ]
            scales = [(past.var(correction=0) + 1e-5).sqrt() for past in pasts]
            normal = [(past - past.mean()) / scale for past, scale in zip(pasts, scales, strict=True)]
            tokens = torch.stack([model.embedding[0](series) for series in normal + marks])[None]
            for layer in model.encoder[:-1]:
                tokens = torchs_layer(layer, 8)(tokens)
            for past, scale, token, place in zip(pasts, scales, model.encoder[-1](tokens)[0], places, strict=False):
                wanted = model.projection(token) * scale + past.mean()
                torch.testing.assert_close(forecast[(batch, slice(None), *place)], wanted, rtol=1e-4, atol=1e-5)


def test_itransformer_knows_no_place() -> None:
    shape = task_shape((2, 3))
    model, window = build("itransformer", shape), make_window(shape)
    order = torch.randperm(6)

    def moved(grids: Tensor) -> Tensor:
        return grids.flatten(3)[..., order].view_as(grids)

    with torch.no_grad():
        elsewhere = model(dataclasses.replace(window, history=moved(window.history)))
        torch.testing.assert_close(elsewhere, moved(model(window)), rtol=1e-4, atol=1e-5)


def test_itransformers_marks_reach_from_minus_to_plus_a_half() -> None:
    model = itransformer.Model(task_shape(history=2), itransformer.Config())
    clock = torch.tensor([[[0, 6], [SLOTS - 1, 3]]])
    torch.testing.assert_close(model.marks(clock), torch.tensor([[[-0.5, 0.5], [0.5, 0.0]]]))


@pytest.mark.parametrize("sees", [True, False])
def test_itransformer_sees_the_clock_if_it_is_told_to(sees: bool) -> None:
    shape = task_shape()
    model, window = itransformer.Model(shape, itransformer.Config(clock=sees)).eval(), make_window(shape)
    later = dataclasses.replace(window, history_clock=(window.history_clock + 3) % 7)
    with torch.no_grad():
        assert torch.equal(model(window), model(later)) is not sees


@pytest.mark.parametrize("norm", [True, False])
def test_itransformer_standardises_if_it_is_told_to(norm: bool) -> None:
    shape = task_shape()
    model, window = itransformer.Model(shape, itransformer.Config(norm=norm)).eval(), make_window(shape)
    higher = dataclasses.replace(window, history=window.history + 5)
    with torch.no_grad():
        assert torch.allclose(model(higher), model(window) + 5, rtol=1e-3, atol=1e-3) is norm
