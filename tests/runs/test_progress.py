"""Lines that say how far a plan is, one a minute at most."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.runs.progress import MinuteLines


def planned(seed, epochs=10):
    train, task = SimpleNamespace(epochs=epochs), SimpleNamespace(fraction=1.0)
    spec = SimpleNamespace(train=train, task=task, sources=())
    return SimpleNamespace(run_id=str(seed), title=f"tiny / stid / seed {seed}", spec=spec)


@pytest.fixture
def follow():
    """Lines of runs of so many seconds each, and the clock they look at."""

    def made(*seconds):
        clock, lines = SimpleNamespace(now=0.0), []
        observer = MinuteLines(
            lines.append,
            {str(seed): length for seed, length in enumerate(seconds)},
            clock=lambda: clock.now,
        )
        return observer, lines, clock

    return made


def test_a_line_says_what_is_done_what_is_under_way_and_what_is_left(follow):
    observer, lines, clock = follow(600.0, 600.0, 600.0, 600.0)
    first, second = planned(0), planned(1)
    observer.run_started(first)
    observer.run_started(second)
    clock.now = 59.0
    observer.epoch(first, {"epoch": 1})
    assert lines == []
    clock.now = 60.0
    observer.epoch(first, {"epoch": 2})
    clock.now = 90.0
    observer.epoch(first, {"epoch": 3})
    clock.now = 600.0
    observer.run_finished(first, None)
    clock.now = 660.0
    observer.epoch(second, {"epoch": 1})
    assert lines == [
        "0 of 4 runs done; tiny / stid / seed 0 at epoch 2 of 10 and 1 beside it; about 19 min left",
        "1 of 4 runs done; tiny / stid / seed 1; about 30 min left",
        "1 of 4 runs done; tiny / stid / seed 1 at epoch 1 of 10; about 29 min left",
    ]


def test_the_last_epoch_of_a_run_is_not_its_end_and_without_a_pace_no_time_is_told(follow):
    observer, lines, clock = follow(0.0, 0.0)
    clock.now = 61.0
    observer.epoch(planned(0), {"epoch": 10})
    clock.now = 122.0
    observer.run_skipped(planned(1), "elsewhere")
    observer.run_finished(planned(0), None)
    assert lines == ["0 of 2 runs done; tiny / stid / seed 0 at epoch 10 of 10"]


def test_one_run_alone_is_not_counted(follow):
    observer, lines, clock = follow(1.0)
    clock.now = 25.0
    observer.epoch(planned(0), {"epoch": 1})
    clock.now = 100.0
    observer.epoch(planned(0), {"epoch": 4})
    assert lines == ["tiny / stid / seed 0 at epoch 4 of 10; about 2 min left"]


def test_what_an_earlier_call_has_done_is_no_pace(follow):
    observer, lines, clock = follow(*[600.0] * 6)
    clock.now = 60.0
    observer.epoch(planned(0, epochs=60), {"epoch": 51})  # goes on from the 50th
    assert lines == ["0 of 6 runs done; tiny / stid / seed 0 at epoch 51 of 60; about 5.2 h left"]


def test_no_time_is_told_where_some_runs_have_no_pace(follow):
    observer, lines, clock = follow(600.0, 0.0)
    clock.now = 61.0
    observer.epoch(planned(0), {"epoch": 5})
    assert lines == ["0 of 2 runs done; tiny / stid / seed 0 at epoch 5 of 10"]
