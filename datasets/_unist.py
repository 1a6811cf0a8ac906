"""UniST's JSON (Yuan et al., KDD 2024): stride-1 windows of one channel, glued back into the series they came from.

``X_train``, ``X_val`` and ``X_test`` each hold ``[windows [N, T, H, W], periodic]``, and ``timestamps`` holds for each
split ``[N, T]`` half-hour ids or date strings, or ``[N, T, 2]`` pairs of weekday (Monday is 0) and slot of the day.
Half hour 0 is the midnight of a Wednesday, as in UniST's own loader. A window that follows one slot later must repeat
the slots it shares with the one before to the last bit. One that begins after the end of the one before joins it end
to end, or starts a new segment where time was skipped. Pairs repeat every week, so they may skip time between splits
only.

The file does not say which channel of an in/out flow it holds; the canonical data then have one channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.clock import MONDAY, clock_of
from bench.errors import DataError
from bench.types import MINUTES_PER_DAY, DatasetCard, RawSeries

from . import _io
from ._formats import Layout, check_grid, check_shape, segments_of, series

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
HALF_HOUR = 30
WEDNESDAY = 2 * MINUTES_PER_DAY
WEEK = 7 * MINUTES_PER_DAY
Ints = np.ndarray[Any, np.dtype[np.int64]]


def _read(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    (path,) = paths
    content = _io.read_json(path)
    pieces = [_windows(card, content, split, path) for split in SPLITS]
    times = [_times(card, content, split, len(piece), path) for split, piece in zip(SPLITS, pieces, strict=True)]
    weekly = any(period for _, period in times)
    joints = np.cumsum([len(piece) for piece in pieces])[:-1]
    windows, minutes = np.concatenate(pieces), np.concatenate([stamps for stamps, _ in times])
    steps = _steps(card, minutes, path, weekly=weekly, joints=joints)
    values, moments = _glue(windows, minutes, steps, path)
    if weekly:
        moments = _unwrap(moments)
    segments = segments_of(moments, card.interval, path)
    return series(card, values[:, None], clock_of(moments, card.interval), "unist", path, segments=segments)


def _windows(card: DatasetCard, content: dict[str, Any], split: str, path: Path) -> NDArray[np.float32]:
    """``[N, T, H, W]`` of one split."""
    held = content.get(f"X_{split}")
    if not isinstance(held, list) or not held:
        raise DataError(f"{path} has no X_{split} with windows in it: get the file again")
    windows = _io.as_array(held[0], f"{path}, X_{split}", np.float32)
    check_shape(windows, (None, None, None, None), path)
    check_grid(card, windows.shape[2:], path)
    return windows


def _times(card: DatasetCard, content: dict[str, Any], split: str, count: int, path: Path) -> tuple[Ints, bool]:
    """``[N, T]`` minutes since a Monday, and whether they are known modulo a week only."""
    stamps = content.get("timestamps")
    held = _io.as_array(stamps.get(split) if isinstance(stamps, dict) else None, f"{path}, timestamps of {split}")
    if held.ndim not in (2, 3) or len(held) != count or held.shape[2:] not in ((), (2,)):
        raise DataError(
            f"{path} has timestamps of shape {list(held.shape)} for {count} {split} windows; wanted one a slot"
        )
    try:
        if held.dtype.kind == "U":
            return (held.astype("datetime64[m]") - MONDAY).astype(np.int64), False
        whole = held.astype(np.int64, casting="same_kind")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} has {split} timestamps that are neither integers nor dates: get the file again"
        ) from error
    if whole.ndim == 2:
        return whole * HALF_HOUR + WEDNESDAY, False
    weekday, slot = whole[..., 0], whole[..., 1]
    if weekday.min() < 0 or weekday.max() > 6 or slot.min() < 0 or slot.max() >= card.slots_per_day:
        raise DataError(
            f"{path} has (weekday, slot) pairs up to ({weekday.max()}, {slot.max()}); wanted weekdays 0 to 6 and slots "
            f"0 to {card.slots_per_day - 1}"
        )
    return weekday * MINUTES_PER_DAY + slot * card.interval, True


def _steps(card: DatasetCard, minutes: Ints, path: Path, *, weekly: bool, joints: Ints) -> Ints:
    """How many slots each window begins after the one before, ``[N - 1]``."""
    within, between = np.diff(minutes, axis=1), np.diff(minutes[:, 0])
    if weekly:
        within, between = within % WEEK, between % WEEK
    if (within != card.interval).any():
        raise DataError(f"{path} has a window whose slots are not {card.interval} minutes apart, as {card.name}'s are")
    steps, length = between // card.interval, minutes.shape[1]
    allowed = (steps == 1) | (steps == length)
    if weekly:
        allowed[joints - 1] = True
    else:
        allowed |= steps > length
    bad = np.flatnonzero(~allowed | (between % card.interval != 0))
    if bad.size:
        raise DataError(
            f"{path} has windows {bad[0]} and {bad[0] + 1} that begin {between[bad[0]]} minutes apart; wanted windows "
            f"in order, one slot of {card.interval} minutes apart"
        )
    return steps


def _glue(windows: NDArray[np.float32], minutes: Ints, steps: Ints, path: Path) -> tuple[NDArray[np.float32], Ints]:
    """Slots ``[S, H, W]`` and their minutes ``[S]``: the last slot of a window that moved by one, else all of it."""
    follows = steps == 1
    for index in np.flatnonzero(follows):
        if not np.array_equal(windows[index, 1:], windows[index + 1, :-1], equal_nan=True):
            raise DataError(
                f"{path} has windows {index} and {index + 1} that do not overlap exactly, though they are one slot "
                f"apart; wanted windows of stride 1 over one series"
            )
    keep = np.ones(minutes.shape, dtype=bool)
    keep[1:, :-1] = ~follows[:, None]
    return windows[keep], minutes[keep]


def _unwrap(moments: Ints) -> Ints:
    """Minutes of the week as ever growing minutes; where time was skipped, the least possible skip."""
    steps = np.diff(moments) % WEEK
    grown: Ints = moments[0] + np.concatenate([[0], np.cumsum(np.where(steps == 0, WEEK, steps))])
    return grown


SHORT = Layout(("*_short.json",), _read)
LONG = Layout(("*_long.json",), _read)
