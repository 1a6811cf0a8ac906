"""What is printed after an import: spans, ranges, a map, a profile, and what may not be as it was meant."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from desk import Desk

import bench
from bench import mapped
from bench.catalog.imported import read_imported
from bench.catalog.importing import import_array
from bench.catalog.importing.summary import ChannelFacts, doubts, facts_of, text_of
from bench.clock import MONTH, WEEK
from bench.types import DatasetCard


def known(desk: Desk, values: np.ndarray, *lines: str) -> tuple[DatasetCard, list[ChannelFacts]]:
    desk.say('missing = "nan"', *lines)
    card, folder = import_array(desk.npy(values.astype(np.float32)), desk.card, desk.data, force=True)
    return card, facts_of(card, read_imported(folder)[1])


def rhythm(slots: int = 96) -> np.ndarray:
    """``[T, 1, 2, 3]``: cell n has n + 1 times the number of the slot in a day of 48."""
    return (np.arange(slots) % 48)[:, None, None, None] * np.arange(1.0, 7).reshape(1, 1, 2, 3)


def test_facts_are_those_of_a_slow_loop_in_pieces_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(-3, 9, (96, 2, 2, 3)).astype(np.float64)
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    monkeypatch.setattr(mapped, "PIECE", 12 * 5)
    _, facts = known(desk, values, 'channels = ["in", "out"]', "nonnegative = false", 'start = "2024-03-01T12:00"')
    for number, channel in enumerate(facts):
        x = values[:, number]
        ordered = np.unique(x[~np.isnan(x)])
        assert (channel.lowest, channel.after_lowest) == (ordered[0], ordered[1])
        assert (channel.highest, channel.before_highest) == (ordered[-1], ordered[-2])
        assert channel.at_lowest == (x == ordered[0]).sum()
        assert channel.at_highest == (x == ordered[-1]).sum()
        assert channel.nearest_below == -1
        assert (channel.values, channel.missing) == ((~np.isnan(x)).sum(), np.isnan(x).sum())
        assert channel.zeros == (x == 0).sum()
        assert channel.mean == pytest.approx(np.nanmean(x))
        np.testing.assert_allclose(channel.cell_means, np.nanmean(x, axis=0))
        turned = np.roll(x, 24, axis=0)  # the first slot is noon
        np.testing.assert_allclose(channel.profile, [np.nanmean(turned[slot::48]) for slot in range(48)])


@pytest.mark.parametrize(
    ("interval", "slots", "words"),
    [(WEEK, 487, "487 weeks, 9.37 years"), (MONTH, 12, "12 months, 1 year"), (WEEK, 1, "1 week, 0.0192 years")],
)
def test_weeks_and_months_are_counted_as_what_they_are(desk: Desk, interval: int, slots: int, words: str) -> None:
    card, facts = known(desk, rhythm())
    yearly = dataclasses.replace(card, interval=interval, slots=slots)
    assert f"slots    {words}" in text_of(yearly, facts)


def test_text_tells_times_cells_shares_and_ranges(desk: Desk) -> None:
    values = rhythm()
    values[0, 0, 0, 0] = np.nan
    text = text_of(*known(desk, values, 'start = "2024-03-01"', 'unit = "veh"'))
    assert "times    Fri 2024-03-01 00:00 to Sat 2024-03-02 23:30" in text
    assert "slots    96 of 30 minutes, 2 days" in text
    assert "cells    2 rows x 3 columns" in text
    assert "missing  0.17 % (1 of 576 values)" in text
    line = next(line.split() for line in text.splitlines() if line.startswith("  value"))
    assert line[:3] == ["value", "veh", "0"]
    assert line[4] == "282"
    assert "highest 164.5 at 23:30" in text


def test_a_map_and_a_profile_rise_with_the_values(desk: Desk) -> None:
    card, facts = known(desk, rhythm(), 'start = "2024-03-01"')
    for blocks, first, second in ((True, "|░░▒▒▒▒|", "|▓▓▓▓██|"), (False, "|..::::|", "|****##|")):
        lines = text_of(card, facts, blocks=blocks).splitlines()
        (top,) = (at for at, line in enumerate(lines) if first in line)
        assert second in lines[top + 1]
    bars = next(line for line in text_of(card, facts).splitlines() if "▁" in line)
    shown = bars[bars.index("▁") :]
    assert list(shown) == sorted(shown)
    assert len(shown) == 48


@pytest.mark.parametrize("grid", [(1, 1), (3, 70), (90, 4), (40, 40)])
def test_text_fits_into_80_columns_with_long_names_and_large_grids(grid: tuple[int, int], desk: Desk) -> None:
    names = [f"a_channel_with_a_very_long_name_{n}" for n in range(20)]
    desk.card.write_text(desk.card.read_text().replace("[2, 3]", str(list(grid))))
    text = f'channels = {names}\nunit = "vehicles per five minutes"\n'
    desk.card.write_text(desk.card.read_text() + text)
    values = np.random.default_rng(0).gamma(1, 1e6, (50, 20, *grid)).astype(np.float32)
    card, folder = import_array(desk.npy(values), desk.card, desk.data)
    printed = text_of(card, facts_of(card, read_imported(folder)[1]))
    assert max(map(len, printed.splitlines())) <= 80
    assert "and 8 more" in printed
    assert len(printed.splitlines()) < 75


def test_a_channel_that_is_called_by_a_common_word_stands_in_quotes(desk: Desk) -> None:
    card, (facts,) = known(desk, np.random.default_rng(0).random((96, 1, 2, 3)))
    named = [dataclasses.replace(facts, name=name) for name in ("in", "out")]
    assert "mean of “in” in each cell, row 0 on top" in text_of(card, named)


def test_a_cell_that_is_always_missing_is_blank_on_the_map(desk: Desk) -> None:
    values = rhythm()
    values[:, 0, 0, 1] = np.nan
    assert "|░░  ▒▒|" in text_of(*known(desk, values))


def test_days_as_slots_have_a_profile_of_the_week(desk: Desk) -> None:
    desk.card.write_text(desk.card.read_text().replace("30", "1440"))
    desk.card.write_text(desk.card.read_text() + 'start = "2024-03-01"\n')
    values = np.ones((14, 1, 2, 3), np.float32)
    values[[2, 9]] = 5  # Sundays
    card, folder = import_array(desk.npy(values), desk.card, desk.data)
    assert "highest 5 on Su" in text_of(card, facts_of(card, read_imported(folder)[1]))


@pytest.mark.parametrize(
    ("marks", "pattern"),
    [
        ({(3, 1): -1.0, (5, 2): -1.0}, "2 values (0.35 %) of 'value' are -1, and no other is negative"),
        ({(3, 1): -999.0, (5, 2): -999.0, (6, 0): -2.0}, "are -999, and no other is near"),
        ({(3, 1): 9999.0, (5, 2): 9999.0}, "2 values (0.35 %) of 'value' are 9999, and no other is near"),
    ],
)
def test_a_value_that_stands_apart_is_doubted(marks: dict[tuple[int, int], float], pattern: str, desk: Desk) -> None:
    values = rhythm()
    for (slot, column), mark in marks.items():
        values[slot, 0, 0, column] = mark
    (doubt,) = doubts(known(desk, values, "nonnegative = false")[1])
    assert pattern in doubt
    assert f"say missing = [{min(marks.values(), key=lambda mark: -abs(mark)):g}]" in doubt


def test_temperatures_and_counts_are_not_doubted(desk: Desk) -> None:
    assert not doubts(known(desk, rhythm())[1])
    assert not doubts(known(desk, rhythm() - 20, "nonnegative = false")[1])


def test_a_channel_that_never_changes_or_is_all_missing_is_doubted(desk: Desk) -> None:
    values = np.repeat(rhythm(), 2, axis=1)
    values[:, 0], values[:, 1] = 3, np.nan
    same, absent = doubts(known(desk, values, 'channels = ["in", "out"]')[1])
    assert "all values of 'in' are 3" in same
    assert "all values of 'out' are missing" in absent
    assert text_of(*known(desk, values, 'channels = ["in", "out"]'))


def test_a_zero_that_means_a_silent_sensor_is_missing_in_all_that_is_shown(desk: Desk) -> None:
    card, (channel,) = known(desk, rhythm(), "zero_is_missing = true")
    assert (channel.missing, channel.zeros, channel.lowest) == (12, 0, 1)
    assert "missing  2.1 % (12 of 576 values)" in text_of(card, [channel])


def test_python_is_told_what_the_command_prints(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    values = rhythm()
    values[:2, 0, 0, 0] = -1
    card = {"name": "citybus", "interval": 30, "grid": [2, 3], "nonnegative": False}
    bench.import_data(values, card, desk.data, on_note=print)
    printed = capsys.readouterr().out
    assert "missing  0 % (0 of 576 values)" in printed
    assert "are -1, and no other is negative" in printed
    assert "the times of citybus are unknown" in printed
    with pytest.warns(UserWarning, match="unknown|-1") as warned:
        bench.import_data(values, card, desk.data, force=True)
    assert [str(warning.message) for warning in warned] == printed.splitlines()[-len(warned) :]
    assert {warning.filename for warning in warned} == {__file__}
    assert not capsys.readouterr().out
