"""The layouts in which the data sets are published, each into a RawSeries.

Two rules hold for every layout of every data set here. A NaN is an error, unless the card says that sensors fall
silent (``zero_is_missing``). A frame that is zero in every cell and channel is an outage of the source, for a whole
city never stands still: it counts as missing, not as truth.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.clock import MONDAY, clock_from, clock_of
from bench.errors import DataError
from bench.types import DatasetCard, RawSeries

from . import _io

if TYPE_CHECKING:
    from numpy.typing import NDArray

Segments = tuple[tuple[int, int], ...]
Parse = Callable[[DatasetCard, Sequence[Path]], RawSeries]


@dataclass(frozen=True)
class Layout:
    """Files that together make one raw layout, and what turns them into a series.

    Attributes:
        files: Patterns, in the order in which ``parse`` wants the paths; each must match exactly one file.
    """

    files: tuple[str, ...]
    parse: Parse


def read_first(card: DatasetCard, folder: Path, layouts: Sequence[Layout]) -> RawSeries:
    """Read the first layout of which a file lies in ``folder``.

    Raises:
        DataError: If there is none, one is incomplete or ambiguous, or its content is not what the card says.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for layout in layouts:
        matches = {pattern: fnmatch.filter(names, pattern) for pattern in layout.files}
        if not any(matches.values()):
            continue
        for pattern, found in matches.items():
            if len(found) != 1:
                held = " and ".join(found) or "no file"
                raise DataError(f"{folder} holds {held} for '{pattern}'; wanted exactly one: {card.how_to_get}")
        return layout.parse(card, [folder / found[0] for found in matches.values()])
    raise DataError(
        f"{folder} holds {', '.join(names[:5]) or 'no file'}, which is no known layout of {card.name}; wanted one of: "
        f"{'; '.join(card.formats)}"
    )


def series(
    card: DatasetCard,
    values: NDArray[Any],
    clock: NDArray[np.int64],
    layout: str,
    where: Path,
    *,
    segments: Segments | None = None,
    cell_mask: NDArray[np.bool_] | None = None,
) -> RawSeries:
    """A RawSeries of ``[T, C, H, W]`` values, after the two rules of this module.

    Raises:
        DataError: If the grid is not the card's, or a value is NaN.
    """
    check_grid(card, values.shape[2:], where)
    gaps = int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
    if gaps and not card.zero_is_missing:
        raise DataError(
            f"{where} holds {gaps} NaN among {values.size} values; wanted none: get the official file again"
        )
    cells = values if cell_mask is None else values[:, :, cell_mask]
    silent: NDArray[np.bool_] = ~(cells != 0).reshape(len(cells), -1).any(axis=1)
    if silent.any():
        values = np.where(silent[:, None, None, None], np.nan, values)
    return RawSeries(values=values, clock=clock, layout=layout, segments=segments, cell_mask=cell_mask)


def check_grid(card: DatasetCard, found: Sequence[int], where: Path) -> None:
    """Raise DataError unless (H, W) is the card's."""
    if tuple(found) != card.grid:
        sizes = " x ".join(str(int(size)) for size in found)
        raise DataError(
            f"{where} has a grid of {sizes}, but the card of {card.name} says {card.grid[0]} x {card.grid[1]}; "
            f"check that this is the right file, and if it is, correct the card's grid"
        )


def check_shape(array: NDArray[Any], wanted: Sequence[int | None], where: Path) -> None:
    """Raise DataError unless the shape is ``wanted``, where None is any size."""
    if array.ndim != len(wanted) or any(size not in (None, got) for size, got in zip(wanted, array.shape, strict=True)):
        text = ", ".join("any" if size is None else str(size) for size in wanted)
        raise DataError(f"{where} holds an array of shape {list(array.shape)}; wanted [{text}]: get the official file")


def calendar(card: DatasetCard, slots: int, where: Path) -> NDArray[np.int64]:
    """The clock of a file without time stamps, counted from the card's start (a Monday where that is unknown).

    Raises:
        DataError: If the file has another length than the card, so that the start cannot be trusted.
    """
    if slots != card.slots:
        raise DataError(
            f"{where} holds {slots} slots without time stamps, but {card.name} has {card.slots}; get the official file"
        )
    return clock_from(card.start, card.interval, slots)


def segments_of(minutes: NDArray[np.int64], interval: int, where: Path) -> Segments:
    """Pieces without a gap of slots that lie at ``minutes``.

    Raises:
        DataError: If time stands still or runs backwards, or a gap is not a whole number of slots.
    """
    steps = np.diff(minutes)
    bad = np.flatnonzero((steps <= 0) | (steps % interval != 0))
    if bad.size:
        raise DataError(
            f"{where} steps by {steps[bad[0]]} minutes after slot {bad[0]}; wanted forward steps of {interval} minutes"
        )
    borders = [0, *(np.flatnonzero(steps != interval) + 1).tolist(), len(minutes)]
    return tuple(pairwise(borders))


def nodes(name: str) -> Layout:
    """``data`` [T, H x W, C + 1] in row-major order; the last column is the time of day as a fraction of a day."""
    return Layout((name,), _nodes)


def _nodes(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    (path,) = paths
    H, W = card.grid
    C = len(card.channels)
    table = _io.read_npz(path, "data")
    check_shape(table, (None, H * W, C + 1), path)
    clock = calendar(card, len(table), path)
    if not np.array_equal(np.rint(table[:, 0, C] * card.slots_per_day), clock[:, 0]):
        raise DataError(f"{path} has times of day in its last column that do not count slots from midnight on")
    values = table[..., :C].reshape(-1, H, W, C).transpose(0, 3, 1, 2)  # [T, H * W, C] -> [T, C, H, W]
    return series(card, values, clock, "npz", path)


def parts(layout: str, key: str, *names: str) -> Layout:
    """Consecutive pieces in ``.npz`` files, each with ``key`` [T, H, W, C]."""

    def parse(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
        return _joined(card, layout, [_io.read_npz(path, key) for path in paths], paths)

    return Layout(names, parse)


def zipped_parts(layout: str, key: str, archive: str, *names: str) -> Layout:
    """As ``parts``, read out of the zip archive in which the authors publish them."""

    def parse(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
        (path,) = paths
        return _joined(card, layout, [_io.read_npz(path, key, member=name) for name in names], [path] * len(names))

    return Layout((archive,), parse)


def _joined(card: DatasetCard, layout: str, pieces: Sequence[NDArray[Any]], paths: Sequence[Path]) -> RawSeries:
    for piece, path in zip(pieces, paths, strict=True):
        check_shape(piece, (None, None, None, len(card.channels)), path)
        check_grid(card, piece.shape[1:3], path)
    values = np.concatenate(pieces).transpose(0, 3, 1, 2)  # [T, H, W, C] -> [T, C, H, W]
    return series(card, values, calendar(card, len(values), paths[0]), layout, paths[0])


def stamped_h5(*names: str) -> Layout:
    """The ST-ResNet authors' HDF5: ``data`` [T, C, H, W] and ``date`` YYYYMMDDss, slots ss counted from 01."""
    return Layout(names, _stamped_h5)


def _stamped_h5(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    pieces = []
    for path in paths:
        values, stamps = _io.read_h5(path, data="data", dates="date")
        check_shape(values, (len(stamps), len(card.channels), None, None), path)
        check_grid(card, values.shape[2:], path)
        pieces.append((_minutes(card, stamps, path), values))
    pieces.sort(key=lambda piece: int(piece[0][0]))
    minutes = np.concatenate([piece[0] for piece in pieces])
    values = np.concatenate([piece[1] for piece in pieces])
    segments = segments_of(minutes, card.interval, paths[0].parent)
    return series(card, values, clock_of(minutes, card.interval), "h5", paths[0], segments=segments)


def _minutes(card: DatasetCard, stamps: Sequence[str], path: Path) -> NDArray[np.int64]:
    if not stamps:
        raise DataError(f"{path} holds no slot at all: get the official file again")
    bad = [s for s in stamps if not (len(s) == 10 and s.isdecimal() and 1 <= int(s[8:]) <= card.slots_per_day)]
    if bad:
        raise DataError(
            f"{path} has the time stamp {bad[0]!r}; wanted YYYYMMDD and a slot from 01 to {card.slots_per_day}"
        )
    try:
        days = np.array([f"{s[:4]}-{s[4:6]}-{s[6:8]}" for s in stamps], dtype="datetime64[m]")
    except ValueError as error:
        raise DataError(f"{path} has a time stamp that is no date ({error}): get the official file again") from error
    slots = np.array([int(s[8:]) - 1 for s in stamps], dtype=np.int64)
    return (days - MONDAY).astype(np.int64) + slots * card.interval


def grid_csv(name: str) -> Layout:
    """LibCity's ``.grid``: one line per time and cell, with ``time``, ``row_id``, ``column_id`` and the channels."""
    return Layout((name,), _grid_csv)


def _grid_csv(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    (path,) = paths
    channels = list(card.channels)
    place = {"time": "str", "row_id": "int64", "column_id": "int64"}
    table = _io.read_table(path, place | dict.fromkeys(channels, "float64"))
    if table.empty:
        raise DataError(f"{path} holds a header and no line: get the official file again")
    rows, columns = table["row_id"].to_numpy(), table["column_id"].to_numpy()
    if min(rows.min(), columns.min()) < 0:
        raise DataError(f"{path} has a negative row_id or column_id: get the official file again")
    check_grid(card, (rows.max() + 1, columns.max() + 1), path)
    times, steps = _times(card, table["time"].to_numpy(), path)
    H, W = card.grid
    cells = (steps * H + rows) * W + columns
    if len(cells) != len(times) * H * W or len(np.unique(cells)) != len(cells):
        raise DataError(
            f"{path} holds {len(cells)} lines for {len(times)} times of {H * W} cells; wanted each time and cell once"
        )
    sorted_lines = np.empty((len(cells), len(channels)))
    sorted_lines[cells] = table[channels].to_numpy()
    values = sorted_lines.reshape(-1, H, W, len(channels)).transpose(0, 3, 1, 2)  # [T, H, W, C] -> [T, C, H, W]
    return series(card, values, clock_of(times, card.interval), "grid", path)


def _times(card: DatasetCard, stamps: NDArray[Any], path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct times in minutes since a Monday, ascending and without a gap, and the index of each line's time."""
    texts, codes = np.unique(stamps.astype(str), return_inverse=True)
    try:
        moments = np.array([datetime.fromisoformat(text).replace(tzinfo=None) for text in texts], dtype="datetime64[m]")
    except ValueError as error:
        raise DataError(f"{path} has a time that is no ISO date-time ({error}): get the official file again") from error
    minutes, order = np.unique((moments - MONDAY).astype(np.int64), return_inverse=True)
    gap = np.flatnonzero(np.diff(minutes) != card.interval)
    if gap.size:
        before, after = (MONDAY + minutes[gap[0]], MONDAY + minutes[gap[0] + 1])
        raise DataError(
            f"{path} has a gap in time from {before} to {after}; wanted a slot every {card.interval} minutes"
        )
    return minutes, order[codes]


def sensor_csv(name: str) -> Layout:
    """A CSV file with one column per sensor; sensor n lies at cell n of the canvas, in row-major order."""
    return Layout((name,), _sensor_csv)


def _sensor_csv(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    (path,) = paths
    H, W = card.grid
    table = _io.read_matrix(path)
    T, sensors = table.shape
    if not H * W - W < sensors <= H * W:
        raise DataError(
            f"{path} has {sensors} sensors, which do not fill the canvas of {H} x {W} cells in {card.name}'s card"
        )
    canvas = np.zeros((T, H * W))
    canvas[:, :sensors] = table
    cell_mask = (np.arange(H * W) < sensors).reshape(H, W)
    values = canvas.reshape(T, 1, H, W)  # [T, sensors] -> [T, 1, H, W]
    return series(card, values, calendar(card, T, path), "csv", path, cell_mask=cell_mask)


def plain_npy(name: str) -> Layout:
    """A bare array without time stamps: [T, H, W], or [T, H x W, 1] in row-major order."""
    return Layout((name,), _plain_npy)


def _plain_npy(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    (path,) = paths
    values = _as_grid(card, _io.read_npy(path), path)
    return series(card, values, calendar(card, len(values), path), "npy", path)


def clocked_npy(name: str, clock: str) -> Layout:
    """As ``plain_npy``, with a second file [T, 2] of weekdays (Monday is 1, Sunday 0 or 7) and slots of the day."""
    return Layout((name, clock), _clocked_npy)


def _clocked_npy(card: DatasetCard, paths: Sequence[Path]) -> RawSeries:
    path, beside = paths
    values = _as_grid(card, _io.read_npy(path), path)
    stamps = _io.read_npy(beside)
    check_shape(stamps, (len(values), 2), beside)
    clock = np.stack([stamps[:, 1], (stamps[:, 0] - 1) % 7], axis=-1).astype(np.int64)
    return series(card, values, clock, "npy", path)


def _as_grid(card: DatasetCard, values: NDArray[Any], path: Path) -> NDArray[Any]:
    H, W = card.grid
    if values.ndim == 3 and values.shape[1:] != (H, W):
        check_shape(values, (None, H * W, 1), path)
    else:
        check_shape(values, (None, H, W), path)
    return values.reshape(-1, 1, H, W)
