"""Windows and splits against slow references."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data
from hypothesis import given
from hypothesis import strategies as st
from pages import beside
from torch import nn

from bench.catalog.npy import mapped
from bench.context import RunContext
from bench.errors import LeakError, TaskError
from bench.scoring import score
from bench.settings import TaskSettings, TrainSettings, chronological_split
from bench.task import Task
from bench.train import train_model
from bench.windows import fit_scaler, origins

CPU = torch.device("cpu")


def slow_origins(bounds, segments, history, horizon, protocol):
    """Try every slot as an origin and look at each step of its window."""
    starts = []
    for origin in range(bounds[1] + 1):
        window = range(origin - history, origin + horizon)
        target = range(origin, origin + horizon)
        owned = all(bounds[0] <= slot < bounds[1] for slot in (window if protocol == "unist" else target))
        unbroken = any(all(low <= slot < high for slot in window) for low, high in segments)
        if owned and unbroken:
            starts.append(origin)
    return starts


@st.composite
def layouts(draw):
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    borders = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    segments = tuple(itertools.pairwise(borders))
    start = draw(st.integers(0, borders[-1]))
    stop = draw(st.integers(start, borders[-1]))
    return (start, stop), segments


@given(
    layout=layouts(),
    history=st.integers(1, 9),
    horizon=st.integers(1, 9),
    protocol=st.sampled_from(["strict", "unist"]),
)
def test_origins_are_those_a_slow_search_finds(layout, history, horizon, protocol):
    bounds, segments = layout
    fast = origins(bounds, segments=segments, history=history, horizon=horizon, protocol=protocol)
    assert fast.tolist() == slow_origins(bounds, segments, history, horizon, protocol)


@given(slots=st.integers(20, 30_000))
def test_the_split_covers_every_slot_once_and_in_order(slots):
    split = chronological_split(slots)
    assert split["train"][0] == 0
    assert split["train"][1] == split["val"][0]
    assert split["val"][1] == split["test"][0]
    assert split["test"][1] == slots
    assert abs(split["train"][1] - 0.7 * slots) < 1
    assert abs(split["test"][0] - 0.85 * slots) < 1


def test_sixty_days_of_half_hours_give_the_counts_behind_published_tables():
    task = Task(make_data(slots=2880, grid=(2, 2)), TaskSettings(name="short", protocol="unist"), CPU)
    counts = {"train": 2005, "val": 421, "test": 421, "per_epoch": 2005}
    assert task.counts() == {**counts, "val_there": 421, "test_there": 421}


def test_a_strict_target_never_leaves_its_split_and_its_history_may():
    task = Task(make_data(slots=200), TaskSettings(name="short", history=5, horizon=3), CPU)
    first, last = task.first_origins()["test"]
    assert first == 170
    assert last + 3 == 200
    assert task.first_origins()["val"] == (140, 167)


def test_a_batch_holds_exactly_the_slots_its_origin_names():
    data = make_data(slots=120, grid=(3, 4), channels=2)
    task = Task(data, TaskSettings(name="short", history=4, horizon=2), CPU)
    chosen = torch.tensor([5, 0, 17])
    window, (target, _) = task.train.window(chosen), task.train.target(chosen)
    for row, position in enumerate(chosen.tolist()):
        origin = int(task.train.origins[position])
        past = task.scaler.physical(window.history[row]).numpy()
        np.testing.assert_allclose(past, data.values[origin - 4 : origin], rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(target[row].numpy(), data.values[origin : origin + 2])
        np.testing.assert_array_equal(window.history_clock[row].numpy(), data.clock[origin - 4 : origin])
        np.testing.assert_array_equal(window.horizon_clock[row].numpy(), data.clock[origin : origin + 2])


def test_the_last_short_batch_is_neither_dropped_nor_padded():
    task = Task(make_data(slots=200), TaskSettings(name="short"), CPU)
    batches = task.val.positions(7)
    assert len(task.val) % 7 != 0
    assert torch.cat(batches).tolist() == list(range(len(task.val)))


def test_a_shuffled_pass_sees_every_window_once():
    task = Task(make_data(slots=200), TaskSettings(name="short"), CPU)
    batches = task.train.drawn(-(-len(task.train) // 16), 16, torch.Generator().manual_seed(3))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(task.train)))
    assert torch.cat(batches).tolist() != list(range(len(task.train)))


def test_the_scaler_sees_the_training_part_only():
    data = make_data(slots=300)
    task = Task(data, TaskSettings(name="short"), CPU)
    changed = data.values.copy()
    changed[task.train_stop :] = 1e6
    other = Task(make_data(slots=300, values=changed), TaskSettings(name="short"), CPU)
    assert task.train_stop == 210
    torch.testing.assert_close(task.scaler.center, other.scaler.center, rtol=0, atol=0)
    torch.testing.assert_close(task.scaler.scale, other.scaler.scale, rtol=0, atol=0)
    mean = data.values[:210].astype(np.float64).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(task.scaler.center.flatten().numpy(), mean, rtol=1e-6)


def test_the_leaky_scaler_is_a_switch_and_maps_the_whole_range_to_one():
    data = make_data(slots=300)
    task = Task(data, TaskSettings(name="short", leaky_scaler=True), CPU)
    scaled = task.scaler.scaled(torch.from_numpy(data.values))
    assert task.scaler.fitted_on == (0, 300)
    torch.testing.assert_close(scaled.amin(dim=(0, 2, 3)), torch.full((2,), -1.0))
    torch.testing.assert_close(scaled.amax(dim=(0, 2, 3)), torch.full((2,), 1.0))


def test_a_constant_channel_keeps_scale_one():
    values = np.full((10, 1, 2, 2), 7, dtype=np.float32)
    scaler = fit_scaler(values, np.ones_like(values, dtype=bool), (0, 10), "standard")
    assert scaler.scale.item() == 1
    assert scaler.center.item() == 7


def test_missing_values_and_padding_cells_count_nowhere():
    data = make_data(slots=200, grid=(2, 3))
    mask = np.ones(data.values.shape, dtype=bool)
    mask[::3] = False
    cells = np.array([[True, True, False], [True, True, True]])
    task = Task(make_data(slots=200, grid=(2, 3), mask=mask, cell_mask=cells), TaskSettings(name="short"), CPU)
    expected = data.values[: task.train_stop][mask[: task.train_stop] & cells].mean()
    assert task.scaler.center.mean().item() == pytest.approx(expected, rel=0.2)
    assert not task.train.valid[0].any()
    assert not task.train.valid[:, :, 0, 2].any()
    window = task.train.window(torch.tensor([0]))
    assert window.history[..., 0, 2].abs().max() == 0


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_a_target_that_counts_is_one_sentence(split):
    mask = np.ones(make_data(slots=200).values.shape, dtype=bool)
    mask[{"train": slice(0, 140), "val": slice(140, 170), "test": slice(170, 200)}[split]] = False
    with pytest.raises(TaskError, match=f"every target value in the {split} split of 'toy' is missing"):
        Task(make_data(slots=200, mask=mask), TaskSettings(name="short"), CPU)


def test_test_targets_open_once():
    task = Task(make_data(), TaskSettings(name="short"), CPU)
    task.open_test()
    with pytest.raises(LeakError, match="already read"):
        task.open_test()
    assert task.test_reads == 1


def test_test_targets_stay_closed_to_tuning():
    task = Task(make_data(), TaskSettings(name="short"), CPU, test_allowed=False)
    with pytest.raises(LeakError, match="validation only"):
        task.open_test()


def test_what_training_sees_ends_where_validation_ends():
    data = make_data(slots=300)
    task = Task(data, TaskSettings(name="short"), CPU)
    assert len(task.train.values) == task.split["val"][1] == 255
    for tensor in (task.train.values, task.train.valid, task.train.clock, *vars(task.series).values()):
        for array in (data.values, data.cell_mask, data.clock):
            assert not np.may_share_memory(tensor.numpy(), array)


def on_disk(data, folder):
    """The same data set, mapped."""
    np.save(folder / "values.npy", data.values)
    values, mask = mapped(folder / "values.npy"), data.mask
    if mask is not None:
        np.save(folder / "mask.npy", mask)
        mask = mapped(folder / "mask.npy")
    return replace(data, values=values, mask=mask)


def arrays_of(data):
    return [data.values, data.cell_mask, data.clock, *([] if data.mask is None else [data.mask])]


class Scribbler(nn.Module):
    """Repeats the last value; where it ``writes``, its fit has written into every tensor of the series."""

    def __init__(self, *, writes):
        super().__init__()
        self.writes = writes

    def fit(self, series):
        if self.writes:
            series.values.fill_(1e6)
            series.mask.logical_not_()
            series.mask[::2] = False
            series.clock.zero_()
            series.origins.zero_()

    def forward(self, window):
        return window.history[:, -1:].expand(-1, window.horizon_clock.shape[1], -1, -1, -1)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("padding", [False, True])
def test_a_task_of_mapped_data_is_that_of_data_in_memory(missing, padding, tmp_path):
    shape = make_data(slots=300).values.shape
    mask = np.random.default_rng(0).random(shape) < 0.8 if missing else None
    cells = np.array([[True] * 4, [True] * 4, [True, True, False, True]]) if padding else None
    data = make_data(slots=300, mask=mask, cell_mask=cells)
    tasks = [Task(data, TaskSettings(name="short"), CPU, days_back=(1,)) for data in (data, on_disk(data, tmp_path))]
    for windows in zip(*((task.train, task.val, task.open_test()) for task in tasks), strict=True):
        chosen = torch.arange(len(windows[0]))
        for one, other in zip(*(vars(part.window(chosen)).values() for part in windows), strict=True):
            assert torch.equal(one, other)
        for one, other in zip(*(part.target(chosen) for part in windows), strict=True):
            assert torch.equal(one, other)
    for one, other in zip(*(vars(task.series).values() for task in tasks), strict=True):
        assert torch.equal(one, other)


def test_what_training_sees_of_mapped_data_ends_there_too_and_is_its_own(tmp_path):
    mask = np.ones((300, 2, 3, 4), dtype=bool)
    mask[0] = False
    data = on_disk(make_data(slots=300, mask=mask), tmp_path)
    task = Task(data, TaskSettings(name="short"), CPU)
    before = data.values.copy()
    for tensor in (task.train.values, task.train.valid, task.series.values):
        behind = beside(tensor.numpy())[1]
        assert behind.size > 0
        assert not behind.any()
    for values in (task.train.values, task.series.values):
        values.fill_(9)
    np.testing.assert_array_equal(data.values, before)
    np.testing.assert_array_equal(np.load(tmp_path / "values.npy"), before)


@pytest.mark.parametrize("missing", [False, True])
def test_a_fit_may_write_to_all_of_its_series_and_no_score_changes(missing, tmp_path):
    mask = np.random.default_rng(0).random(make_data(slots=300).values.shape) < 0.8 if missing else None
    in_memory = make_data(slots=300, mask=mask)
    for data in (in_memory, on_disk(in_memory, tmp_path)):
        before = [np.array(array) for array in arrays_of(data)]
        outcomes = []
        for fitted in (Scribbler(writes=False), Scribbler(writes=True)):
            task = Task(data, TaskSettings(name="short"), CPU)
            train_model(fitted, task, TrainSettings(precision="fp32"), RunContext(seed=0, device=CPU))
            outcomes.append([score(fitted, part, task).sums.sums for part in (task.val, task.open_test())])
        for one, other in zip(*outcomes, strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(before, arrays_of(data), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_split_too_short_is_one_sentence():
    with pytest.raises(TaskError, match=r"train split of 'toy' has 70 slots .* 64 -> 64 .* use a shorter task"):
        Task(make_data(slots=100), TaskSettings(name="short", history=64, horizon=64, protocol="unist"), CPU)


# The past of days before --------------------------------------------------------------------------------------------


def slow_past(data, origin, step, days, segment):
    """The value so many days, or as few multiples of them as needed, before a step to forecast; None if not there."""
    slot = origin + step
    while slot >= origin:
        slot -= days * data.card.slots_per_day
    return data.values[slot] if slot >= segment[0] else None


@pytest.mark.parametrize("horizon", [6, 60])
@pytest.mark.parametrize("protocol", ["strict", "unist"])
def test_the_past_is_that_of_a_slow_search_and_never_the_future(horizon, protocol):
    segments = ((0, 700), (700, 1500))
    data = make_data(slots=1500, segments=segments)
    settings = TaskSettings(name="short", horizon=horizon, protocol=protocol)
    task = Task(data, settings, CPU, days_back=(1, 7))
    for windows in (task.train, task.val, task.open_test()):
        for position in (0, len(windows) // 3, len(windows) - 1):
            origin = int(windows.origins[position])
            segment = next(piece for piece in segments if piece[0] <= origin < piece[1])
            past = windows.window(torch.tensor([position])).past[0]
            for (row, days), step in itertools.product(enumerate((1, 7)), range(horizon)):
                wanted = slow_past(data, origin, step, days, segment)
                if wanted is None:
                    assert not past[row, step].any()
                else:
                    np.testing.assert_allclose(windows.scaler.physical(past[row, step]), wanted, rtol=1e-4, atol=1e-4)


def test_a_model_that_asks_for_no_past_gets_none():
    task = Task(make_data(), TaskSettings(name="short"), CPU)
    assert task.train.window(torch.tensor([0])).past is None


@pytest.mark.parametrize("days", [(0,), (-1, 7), (1.0,), ("1",)])
def test_days_back_must_be_whole_days(days):
    with pytest.raises(TaskError, match="DAYS_BACK"):
        Task(make_data(), TaskSettings(name="short"), CPU, days_back=days)
