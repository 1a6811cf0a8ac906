"""Readers of CSV files and of UniST's JSON files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_grid import CARD, CLOCK, ONE, H, T, W, counts, same, the_error

from bench.types import DatasetCard, RawSeries
from datasets._formats import grid_csv, read_first, sensor_csv
from datasets._unist import LONG, SHORT

# ---------------------------------------------------------------- CSV


def grid_lines(values: np.ndarray, *, skip: Sequence[int] = ()) -> list[str]:
    times = np.datetime64("2016-07-01T00:00") + 30 * np.arange(len(values)).astype("m8[m]")
    lines = ["dyna_id,type,time,row_id,column_id,inflow,outflow"]
    for r in range(H):
        for c in range(W):
            for t in range(len(values)):
                if t not in skip:
                    inflow, outflow = values[t, :, r, c]
                    lines.append(f"{len(lines) - 1},state,{times[t]}:00Z,{r},{c},{inflow},{outflow}")
    return lines


def read_grid(folder: Path, lines: Sequence[str]) -> RawSeries:
    (folder / "ANY.grid").write_text("\n".join(lines) + "\n")
    return read_first(CARD, folder, (grid_csv("*.grid"),))


def test_a_grid_csv_is_read_whatever_the_order_of_its_lines(tmp_path: Path) -> None:
    values = counts()
    lines = grid_lines(values)
    same(read_grid(tmp_path, lines), values)
    np.random.default_rng(0).shuffle(rest := lines[1:])
    same(read_grid(tmp_path, [lines[0], *rest]), values)


def test_a_grid_csv_may_have_another_span_than_the_card(tmp_path: Path) -> None:
    same(read_grid(tmp_path, grid_lines(counts()[:7])), counts()[:7], CLOCK[:7])


def test_a_csv_with_a_gap_in_time_names_both_ends(tmp_path: Path) -> None:
    message = the_error(lambda: read_grid(tmp_path, grid_lines(counts(), skip=(5, 6))), "gap in time")
    assert "from 2016-07-01T02:00 to 2016-07-01T03:30" in message


def test_a_csv_that_lacks_or_repeats_a_cell_is_one_sentence(tmp_path: Path) -> None:
    lines = grid_lines(counts())
    the_error(lambda: read_grid(tmp_path, lines[:-1]), "1151 lines", "each time and cell once")
    the_error(lambda: read_grid(tmp_path, [*lines[:-1], lines[1]]), "each time and cell once")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda lines: [lines[0].replace("outflow", "out"), *lines[1:]], "wanted 'outflow'"),
        (lambda lines: lines[:1], "no line"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",3,0,"), *lines[2:]], "grid of 4 x 4"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",-1,0,"), *lines[2:]], "negative row_id"),
        (lambda lines: [lines[0], lines[1].replace(",0,0,", ",a,0,"), *lines[2:]], "cannot be read"),
        (lambda lines: [lines[0], lines[1].replace("2016-07-01", "yesterday"), *lines[2:]], "ISO date-time"),
        (lambda lines: [lines[0], lines[1][: lines[1].rindex(",") + 1], *lines[2:]], "1 NaN"),
        (lambda _: ["\x00\xff"], "wanted"),
        (lambda _: [""], "cannot be read"),
    ],
)
def test_a_csv_of_another_content_is_one_sentence(
    tmp_path: Path, change: Callable[[list[str]], list[str]], word: str
) -> None:
    lines = grid_lines(counts())
    the_error(lambda: read_grid(tmp_path, change(lines)), word)


def test_sensors_lie_row_by_row_on_a_canvas_and_the_rest_is_padding(tmp_path: Path) -> None:
    card = replace(ONE, zero_is_missing=True)
    table = np.random.default_rng(0).uniform(1, 70, (T, 10))
    table[4, 3] = np.nan
    lines = [",".join(f"s{n}" for n in range(10))]
    lines += [",".join("" if np.isnan(x) else repr(float(x)) for x in row) for row in table]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    found = read_first(card, tmp_path, (sensor_csv("s.csv"),))
    assert found.cell_mask is not None
    for n in range(H * W):
        r, c = n // W, n % W
        assert found.cell_mask[r, c] == (n < 10)
        np.testing.assert_array_equal(found.values[:, 0, r, c], table[:, n] if n < 10 else np.zeros(T))
    (tmp_path / "s.csv").write_text("\n".join(lines[:-1]))
    the_error(lambda: read_first(card, tmp_path, (sensor_csv("s.csv"),)), "95 slots")
    (tmp_path / "s.csv").write_text("1,2,3\n" * (T + 1))
    the_error(lambda: read_first(card, tmp_path, (sensor_csv("s.csv"),)), "3 sensors")


# ---------------------------------------------------------------- UniST


def moments(first: int, slots: int) -> np.ndarray:
    """Minutes since Wednesday 2020-11-11."""
    return 30 * (first + np.arange(slots))


def ids(minutes: np.ndarray) -> list[Any]:
    return (minutes // 30).tolist()


def pairs(minutes: np.ndarray) -> list[Any]:
    return [[(2 + m // 1440) % 7, m % 1440 // 30] for m in minutes.tolist()]


def dates(minutes: np.ndarray) -> list[Any]:
    start = np.datetime64("2020-11-11T00:00")
    return [f"{start + np.timedelta64(int(m), 'm')}:00".replace("T", " ") for m in minutes]


def unist(
    series: Sequence[tuple[np.ndarray, np.ndarray]], stamp: Callable[[np.ndarray], list[Any]], length: int = 12
) -> dict[str, Any]:
    """UniST's content for three splits of (values [T, H, W], minutes [T])."""
    content: dict[str, Any] = {"timestamps": {}}
    for split, (values, minutes) in zip(("train", "val", "test"), series, strict=True):
        starts = [
            i for i in range(len(values) - length + 1) if minutes[i + length - 1] - minutes[i] == 30 * (length - 1)
        ]
        content[f"X_{split}"] = [[values[i : i + length].tolist() for i in starts], []]
        content["timestamps"][split] = [stamp(minutes[i : i + length]) for i in starts]
    return content


def read_unist(folder: Path, content: Any, card: DatasetCard = ONE) -> RawSeries:
    (folder / "Toy_short.json").write_text(json.dumps(content))
    return read_first(card, folder, (SHORT, LONG))


def three(values: np.ndarray, first: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    minutes = moments(first, len(values))
    return [(values[a:b], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]


@pytest.mark.parametrize("stamp", [ids, pairs, dates])
def test_unist_windows_glue_back_into_the_series_they_came_from(
    tmp_path: Path, stamp: Callable[[np.ndarray], list[Any]]
) -> None:
    values = counts(1)
    found = read_unist(tmp_path, unist(three(values[:, 0], 40), stamp))
    same(found, values, np.array([[(40 + t) % 48, (2 + (40 + t) // 48) % 7] for t in range(T)]))
    assert found.segments == ((0, T),)
    assert found.layout == "unist"


@pytest.mark.parametrize("stamp", [ids, dates])
def test_unist_time_that_was_skipped_begins_a_segment(tmp_path: Path, stamp: Callable[[np.ndarray], list[Any]]) -> None:
    values, minutes = counts(1), moments(0, T)
    minutes[30:] += 30 * 500
    minutes[78:] += 30
    pieces = [(values[a:b, 0], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]
    found = read_unist(tmp_path, unist(pieces, stamp))
    np.testing.assert_array_equal(found.values, values)
    assert found.segments == ((0, 30), (30, 78), (78, 96))
    assert found.clock[30].tolist() == [530 % 48, (2 + 530 // 48) % 7]


def test_unist_pairs_may_skip_time_between_splits_only(tmp_path: Path) -> None:
    values, minutes = counts(1), moments(0, T)
    minutes[60:] += 30 * 5
    pieces = [(values[a:b, 0], minutes[a:b]) for a, b in ((0, 60), (60, 78), (78, 96))]
    found = read_unist(tmp_path, unist(pieces, pairs))
    np.testing.assert_array_equal(found.values, values)
    assert found.segments == ((0, 60), (60, 96))
    minutes[30:] += 30 * 5
    the_error(lambda: read_unist(tmp_path, unist(pieces, pairs)), "minutes apart")


@settings(max_examples=20, deadline=None)
@given(cut=st.tuples(st.integers(4, 40), st.integers(4, 40)), length=st.integers(2, 4), first=st.integers(0, 400))
def test_unist_gluing_undoes_windowing_for_any_split(
    tmp_path_factory: pytest.TempPathFactory, cut: tuple[int, int], length: int, first: int
) -> None:
    values = counts(1, T, seed=first)
    minutes = moments(first, T)
    a, b = cut[0], cut[0] + cut[1]
    pieces = [(values[s, 0], minutes[s]) for s in (slice(0, a), slice(a, b), slice(b, T))]
    for stamp in (ids, pairs):
        found = read_unist(tmp_path_factory.mktemp("u"), unist(pieces, stamp, length))
        np.testing.assert_array_equal(found.values, values)
        assert found.segments == ((0, T),)


def spoil(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = unist(three(counts(1)[:, 0]), ids)
    change(content)
    return content


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda c: c["X_val"][0][3][5][1].__setitem__(2, 1.5), "do not overlap exactly"),
        (lambda c: (c["X_train"][0].pop(3), c["timestamps"]["train"].pop(3)), "begin 60 minutes apart"),
        (lambda c: (c["X_val"][0].reverse(), c["timestamps"]["val"].reverse()), "wanted windows in order"),
        (lambda c: c["timestamps"]["test"][0].__setitem__(4, 0), "not 30 minutes apart"),
        (lambda c: c["timestamps"]["test"].pop(), "7 test windows"),
        (lambda c: c["timestamps"]["test"][0].pop(), "not a regular array"),
        (lambda c: c["timestamps"].pop("val"), "timestamps of shape []"),
        (lambda c: c["timestamps"].update(val=[["x"] * 12] * 7), "neither integers nor dates"),
        (lambda c: c["timestamps"].update(val=[[0.5] * 12] * 7), "neither integers nor dates"),
        (lambda c: c.pop("timestamps"), "timestamps of shape []"),
        (lambda c: c.pop("X_val"), "no X_val"),
        (lambda c: c.update(X_val=[[]]), "shape [0]"),
        (lambda c: c["X_val"][0][0].pop(), "not a regular array"),
        (lambda c: c["X_val"][0][0][0][0].__setitem__(0, "a"), "not a regular array"),
        (lambda c: [c["X_train"][0][i][0][0].__setitem__(0, float("nan")) for i in (0,)], "NaN"),
    ],
)
def test_unist_content_that_is_no_series_is_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], word: str
) -> None:
    the_error(lambda: read_unist(tmp_path, spoil(change)), word)


def test_unist_pairs_of_another_interval_are_refused(tmp_path: Path) -> None:
    content = unist(three(counts(1)[:, 0]), pairs)
    the_error(lambda: read_unist(tmp_path, content, replace(ONE, interval=60)), "slots 0 to 23")


def test_a_unist_grid_that_the_card_does_not_have_is_refused(tmp_path: Path) -> None:
    content = unist(three(counts(1)[:, 0]), ids)
    the_error(lambda: read_unist(tmp_path, content, replace(ONE, grid=(4, 3))), "grid of 3 x 4", "says 4 x 3")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"X_train": 3}'])
def test_broken_json_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "Toy_short.json").write_text(text)
    the_error(lambda: read_first(ONE, tmp_path, (SHORT,)), "Toy_short.json")
