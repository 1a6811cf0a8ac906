"""ST-LLM and its tokens, the squares of cells, against slow versions of themselves."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import make_window, size_of, task_shape, trained

from baselines import st_llm, time_llm
from baselines._cells import Squares, squares
from bench.errors import ConfigError


@pytest.mark.parametrize(("grid", "side"), [((4, 6), 1), ((4, 6), 2), ((5, 7), 2), ((3, 5), 4)])
def test_squares_hold_their_cells_row_by_row_and_come_together_again(grid: tuple[int, int], side: int) -> None:
    places, frames = Squares(grid=grid, side=side), torch.randn(2, 3, *grid)
    cut = places.cut(frames)
    across = -(-grid[1] // side)
    assert cut.shape == (2, places.count, 3 * side * side)
    for k, row, column in ((0, 0, 0), (2, grid[0] - 1, grid[1] - 1), (1, 2, 3)):
        square = row // side * across + column // side
        within = (k * side + row % side) * side + column % side
        assert torch.equal(cut[:, square, within], frames[:, k, row, column])
    assert torch.equal(places.paste(cut), frames)


@pytest.mark.parametrize(
    ("grid", "side", "found"), [((10, 10), 0, 1), ((10, 20), 0, 2), ((32, 32), 0, 4), ((32, 32), 1, 1)]
)
def test_the_side_is_the_smallest_power_of_two_that_leaves_few_enough(
    grid: tuple[int, int], side: int, found: int
) -> None:
    assert squares(grid, side, most=100).side == found


def test_a_token_of_st_llm_is_a_cell_its_place_and_the_last_steps_calendar() -> None:
    torch.manual_seed(0)
    shape = task_shape((2, 3))
    model, window = st_llm.Model(shape, st_llm.Config(control="identity")), make_window(shape)
    forecast = model(window)
    for batch, row, column in ((0, 0, 0), (2, 1, 2)):
        past = window.history[batch, :, :, row, column].flatten()
        slot, day = window.history_clock[batch, -1]
        parts = (model.series(past), model.slot[slot] + model.day[day], model.place[3 * row + column])
        wanted = model.head(model.fusion(torch.cat(parts))).view(3, 2)
        torch.testing.assert_close(forecast[batch, :, :, row, column], wanted)


def test_a_cell_of_st_llm_sees_the_cells_before_it_and_no_other() -> None:
    torch.manual_seed(0)
    shape = task_shape((3, 4))
    model, window = st_llm.Model(shape, st_llm.Config()), make_window(shape)
    history = window.history.clone()
    history[..., 1, 2] += 1.0
    change = (model(dataclasses.replace(window, history=history)) - model(window)).abs().amax((0, 1, 2)).flatten()
    assert (change[:6] == 0).all()
    assert (change[6:] > 1e-6).all()


@pytest.mark.usefixtures("small_gpt2")
def test_st_llm_trains_norms_and_positions_and_the_attention_of_its_last_blocks() -> None:
    model = st_llm.Model(task_shape(), st_llm.Config(llm="gpt2", depth=3, unfrozen=1))
    inside = {name.removeprefix("body.model.") for name, _ in trained(model) if name.startswith("body.model.")}
    norms = {
        f"h.{block}.{norm}.{leaf}" for block in range(3) for norm in ("ln_1", "ln_2") for leaf in ("weight", "bias")
    }
    attention = {f"h.2.attn.{part}.{leaf}" for part in ("c_attn", "c_proj") for leaf in ("weight", "bias")}
    assert inside == norms | attention | {"wpe.weight", "ln_f.weight", "ln_f.bias"}


def test_st_llm_has_the_parameters_of_its_parts() -> None:
    shape, width = task_shape((4, 5), channels=2, horizon=3, history=6), 8
    embeddings = (12 + 1) * width + (48 + 7 + 20) * width + (3 * width + 1) * 64
    head = (64 + 1) * 6
    language = 1024 * 64 + (2 * 2 + 1) * 2 * 64 + (64 + 1) * 3 * 64 + (64 + 1) * 64
    assert size_of(st_llm.Model(shape, st_llm.Config(width=width))) == embeddings + head + language
    assert size_of(st_llm.Model(shape, st_llm.Config(width=width, control="identity"))) == embeddings + head


def test_no_more_blocks_are_unfrozen_than_there_are() -> None:
    sizes = [size_of(st_llm.Model(task_shape(), st_llm.Config(unfrozen=last))) for last in (0, 1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]


def test_a_grid_of_more_cells_than_positions_shares_tokens_and_asking_for_more_is_an_error() -> None:
    shape = task_shape((33, 32))
    assert st_llm.Model(shape, st_llm.Config()).squares.side == 2
    with pytest.raises(ConfigError, match="1056 tokens are more than the 1024 positions"):
        st_llm.Model(shape, st_llm.Config(side=1))
    with pytest.raises(ConfigError, match="are more than the 1024 positions"):
        time_llm.Model(task_shape((1, 1), history=1000), time_llm.Config(patch=1))
