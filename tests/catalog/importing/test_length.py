"""Series that are too short for a task, which an import tells as a run would."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from builders import make_data
from commands import Shell

from bench.catalog.importing.length import doubt_about_length
from bench.errors import TaskError
from bench.settings import TASKS, TaskSettings
from bench.task import Task

SHORT = TASKS["short"]


def refusal(slots: int, settings: TaskSettings) -> str:
    """What a run says of a series of this length; empty if it takes it."""
    try:
        Task(make_data(slots=slots), settings, torch.device("cpu"))
    except TaskError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "settings", [SHORT, replace(SHORT, history=3, horizon=5), replace(SHORT, history=9, horizon=1)]
)
def test_a_series_is_doubted_where_a_run_refuses_it_and_the_number_it_needs_is_the_first_that_a_run_takes(
    settings: TaskSettings,
) -> None:
    card = make_data(slots=90).card
    told = {slots: doubt_about_length(replace(card, slots=slots), settings) for slots in range(1, 90)}
    for slots in range(4, 90):
        assert bool(told[slots]) == bool(refusal(slots, settings)), slots
    (wanted,) = {int(re.search(r"which needs (\d+)", text)[1]) for text in told.values() if text}
    assert [slots for slots, text in told.items() if text] == list(range(1, wanted))


@pytest.mark.parametrize("slots", [4, 7, 13, 14, 25, 36])
def test_the_shorter_task_that_is_named_is_that_of_the_refusal(slots: int) -> None:
    told, refused = doubt_about_length(replace(make_data(slots=90).card, slots=slots)), refusal(slots, SHORT)
    steps = re.findall(r"task\.\w+=\d", refused)
    assert len(steps) == 2
    assert re.findall(r"task\.\w+=\d", told) == steps
    shorter = replace(SHORT, history=int(steps[0][-1]), horizon=int(steps[1][-1]))
    assert refusal(slots, shorter) == ""


def test_a_series_that_no_task_takes_is_told_how_many_slots_one_does() -> None:
    told = doubt_about_length(replace(make_data(slots=90).card, slots=3))
    least = int(re.search(r"no task does with fewer than (\d+)$", told)[1])
    smallest = replace(SHORT, history=1, horizon=1)
    assert (bool(refusal(least - 1, smallest)), refusal(least, smallest)) == (True, "")


def test_an_import_warns_in_one_sentence(shell: Shell) -> None:
    (shell.folder / "card.toml").write_text('name = "bus"\ninterval = 60\ngrid = [1, 2]\n')
    (shell.folder / "bus.csv").write_text("a,b\n" + "1,2\n" * 20 + "3,4\n" * 5)
    printed = shell.prints("import", "bus.csv", "--card", "card.toml")
    assert "! bus has too few slots (25) for the task 'short' of 6 -> 6 steps, which needs " in printed
    (shell.folder / "bus.csv").write_text("a,b\n" + "1,2\n" * 80 + "3,4\n" * 5)
    assert "too few" not in shell.prints("import", "bus.csv", "--card", "card.toml", "--force")
