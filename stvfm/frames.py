"""What the two branches are shown, and what a forecast is a change of.

Letters as in ``bench.types``; K days before.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.types import TaskShape, Window

STIFFNESS: Final = 0.1  # added to squared slopes of scaled values: where nothing changes along the grid nothing moves
FASTEST: Final = 3.0  # cells per step


def with_days(window: Window) -> tuple[Tensor, Tensor]:
    """Frames ``[B, K*F + P, C, H, W]`` and their clock ``[B, K*F + P, 2]``, the longest ago first."""
    past, clock = days_before(window), window.past_clock
    assert clock is not None  # noqa: S101 - the model's DAYS_BACK asks for it
    frames = torch.cat((past.flatten(1, 2), window.history), dim=1)
    return frames, torch.cat((clock.flatten(1, 2), window.history_clock), dim=1)


def days_before(window: Window) -> Tensor:
    """The values at each step to forecast, so many days before, ``[B, K, F, C, H, W]``."""
    assert window.past is not None  # noqa: S101 - the model's DAYS_BACK asks for it
    return window.past


def flow(history: Tensor) -> Tensor:
    """Change since the step before, ``[B, P, C, H, W]``; the first step, which has none before it, is 0."""
    return history.diff(dim=1, prepend=history[:, :1])


def motion(history: Tensor) -> Tensor:
    """Velocity of the values over the grid since the step before, ``[B, P, 2*C, H, W]``: rows first, then columns.

    Lucas and Kanade's optical flow ("An iterative image registration technique with an application to stereo vision",
    IJCAI 1981): the velocity v that best explains the change of a cell and its neighbours, ``slope . v = -change``, by
    least squares, drawn towards 0 where the slopes do not tell. It is in cells per step, and bounded.

    Args:
        history: ``[B, P, C, H, W]``, scaled.
    """
    change = flow(history)
    middle = history - change / 2
    down, right = slopes(middle, -2), slopes(middle, -1)
    products = (down * down, down * right, right * right, down * change, right * change)
    dd, dr, rr, dt, rt = around(torch.stack(products))
    dd, rr = dd + STIFFNESS, rr + STIFFNESS
    determinant = dd * rr - dr * dr
    rows, columns = (dr * rt - rr * dt) / determinant, (dr * dt - dd * rt) / determinant
    return torch.cat((rows, columns), dim=2).clamp(-FASTEST, FASTEST)


def slopes(frames: Tensor, dim: int) -> Tensor:
    """Half the difference of the two neighbours along a side of the grid; at its ends the grid goes on as it ends."""
    first, last = frames.narrow(dim, 0, 1), frames.narrow(dim, -1, 1)
    padded = torch.cat((first, frames, last), dim=dim)
    size = frames.shape[dim]
    return (padded.narrow(dim, 2, size) - padded.narrow(dim, 0, size)) / 2


def around(frames: Tensor) -> Tensor:
    """The mean of each cell and its neighbours on the grid, ``[..., H, W]``."""
    cells = frames.flatten(0, -3)[:, None]
    return functional.avg_pool2d(cells, 3, stride=1, padding=1, count_include_pad=False).view_as(frames)


class BaseMix(nn.Module):
    """For each step and channel a trained mix of the last value and the values so many days before the step.

    It starts at their mean. Where a day before is not known, the last value stands in for it.
    """

    def __init__(self, shape: TaskShape, days: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((days + 1, shape.horizon, shape.channels, 1, 1), 1 / (days + 1)))

    def forward(self, window: Window) -> Tensor:
        """The value from which each step is forecast, ``[B, F, C, H, W]``."""
        past, valid = days_before(window), window.past_valid
        assert valid is not None  # noqa: S101 - as above
        last = window.history[:, -1:, None].expand_as(past[:, :1])
        known = torch.cat((past.where(valid, last), last), dim=1)  # [B, K+1, F, C, H, W]
        mixed: Tensor = (known * self.weights).sum(dim=1)
        return mixed
