"""Which models can be trained on several cities: what they learn is the same tensors on every grid."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cities import CPU, RECIPE, Line, city, opened, transferred
from torch import nn

from bench.context import RunContext
from bench.errors import TransferError
from bench.transfer import Transfer

TARGET, FIRST, SECOND = city((3, 4)), city((2, 5), seed=1), city((4, 3), seed=2, slots=300)


class Normed(Line):
    """With running statistics, which are learnt and are no parameter."""

    class Model(Line.Model):
        def __init__(self, shape, config=None):
            super().__init__(shape, config)
            self.norm = nn.BatchNorm2d(shape.channels)

        def forward(self, window):
            return super().forward(
                replace(window, history=self.norm(window.history.flatten(0, 1)).view_as(window.history))
            )


def test_cities_share_what_is_learnt_to_the_very_tensor_and_nothing_else():
    task = opened(TARGET, FIRST, SECOND)
    model = Normed.Model(task.shape)
    context = RunContext(seed=0, device=CPU)
    cities = Transfer(make=Normed.Model, settings=RECIPE, context=context).cities(model, task)
    for one in cities:
        assert one.model is not model
        assert one.model.linear.weight is model.linear.weight
        assert one.model.norm.running_mean is model.norm.running_mean
    trained, _ = transferred(task, Normed)
    assert not torch.equal(trained.norm.running_var, torch.ones(2))
    assert int(trained.norm.num_batches_tracked) in (6, 12, 18)


class Cells(Line):
    class Model(Line.Model):
        def __init__(self, shape, config=None):
            super().__init__(shape, config)
            self.cell = nn.Parameter(torch.zeros(shape.cells))


class Fitted(Line):
    class Model(Line.Model):
        def fit(self, series):
            raise AssertionError("never called")


class Replacing(Line):
    class Model(Line.Model):
        def __init__(self, shape, config=None):
            super().__init__(shape, config)
            self.register_buffer("level", torch.zeros(()))

        def forward(self, window):
            if self.training:
                self.level = self.level + 1
            return super().forward(window)


class CountingCells(Line):
    class Model(Line.Model):
        def __init__(self, shape, config=None):
            super().__init__(shape, config)
            self.register_buffer("seen", torch.zeros(shape.grid))

        def forward(self, window):
            if self.training:
                self.seen += 1
            return super().forward(window)


class FixedCells(Line):
    """What is of one grid is never trained."""

    class Model(Line.Model):
        def __init__(self, shape, config=None):
            super().__init__(shape, config)
            self.register_buffer("places", torch.linspace(0, 1, shape.cells).view(shape.grid))
            self.fixed = nn.Parameter(torch.ones(shape.grid), requires_grad=False)

        def forward(self, window):
            return super().forward(window) + self.places * self.fixed


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (Cells, "its parameter cell depends on the grid"),
        (Fitted, "fitted at once"),
        (Replacing, "its buffer level is replaced"),
        (CountingCells, "its buffer seen depends on the grid"),
    ],
)
def test_a_model_that_learns_what_is_of_one_grid_says_so_before_it_is_trained(plugin, words):
    twin = city((3, 4), seed=5)  # on the same grid, by chance
    with pytest.raises(TransferError, match=words) as caught:
        transferred(opened(TARGET, twin), plugin, on_epoch=lambda row: pytest.fail(f"trained: {row}"))
    assert "\n" not in str(caught.value)


def test_what_is_fixed_may_depend_on_the_grid():
    model, training = transferred(opened(TARGET, FIRST, SECOND), FixedCells)
    assert training.epoch == 3
    assert model.fixed.shape == (3, 4)
