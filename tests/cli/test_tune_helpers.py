"""The further worker processes of ``stbench tune``."""

from __future__ import annotations

import time
from pathlib import Path

import errands
import pytest

from bench.cli.tune import _helpers
from bench.tuning import search
from bench.tuning.search import Workplace
from bench.tuning.studies import Target

TARGET = Target(trials=1)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(results=tmp_path, data_dir=None, storage=None, device="cpu")


def test_helpers_may_start_processes_of_their_own(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "work", errands.helps_in_another_process)
    with _helpers([], workplace, TARGET, 1):
        pass
    assert [file.read_text() for file in workplace.results.iterdir()] == ["6 True"]


def test_helpers_end_with_an_error_of_the_command(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "work", errands.helps_for_long)

    def interrupted() -> None:
        with _helpers([], workplace, TARGET, 2):
            while len(list(workplace.results.iterdir())) < 2:
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(workplace.results.glob("* ended"))
