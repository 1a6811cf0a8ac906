"""The further worker processes of ``stbench tune``."""

from __future__ import annotations

import time
from pathlib import Path

import errands
import pytest

from bench.errors import DeviceError
from bench.runs.executors.processes import Processes
from bench.tuning.search import Workplace, work
from bench.tuning.studies import Target

TARGET = Target(trials=1)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(results=tmp_path, data_dir=None, storage=None, device="cpu")


def test_helpers_may_start_processes_of_their_own(workplace: Workplace) -> None:
    with Processes(["cpu"] * 2, 1).beside(errands.helps_in_another_process, [], workplace, TARGET):
        pass
    assert [file.read_text() for file in workplace.results.iterdir()] == ["6 True"]


def test_helpers_end_with_an_error_of_the_command(workplace: Workplace) -> None:

    def interrupted() -> None:
        with Processes(["cpu"] * 3, 1).beside(errands.helps_for_long, [], workplace, TARGET):
            while len(list(workplace.results.iterdir())) < 2:
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(workplace.results.glob("* ended"))


def test_the_context_says_whether_a_helper_is_left(workplace: Workplace) -> None:
    with Processes(["cpu"] * 2, 1).beside(errands.helps_in_another_process, [], workplace, TARGET) as at_work:
        assert at_work()
        while at_work():
            time.sleep(0.02)


def test_what_keeps_a_helper_from_any_work_is_raised(workplace: Workplace) -> None:
    with pytest.raises(DeviceError):
        work([], workplace, TARGET, "cuda:7")
