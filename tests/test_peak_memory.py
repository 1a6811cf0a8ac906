"""The peak of memory in a record is that of the run: from its start on, in its own process, or it is absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from resident import on_linux

from bench import context as context_module
from bench.context import RunContext, held_megabytes
from bench.runs.isolation import call

CPU = torch.device("cpu")


def peak_after(before_mb: int, during_mb: int) -> float | None:
    """The peak of a run in this process that fills so much before it begins, and so much meanwhile; both are freed."""
    np.ones(before_mb * 2**17).sum()
    context = RunContext(seed=0, device=CPU, held=held_megabytes())
    np.ones(during_mb * 2**17).sum()
    return context.peak_megabytes()


@on_linux
@pytest.mark.parametrize(("before", "during"), [(400, 100), (0, 300)])
def test_what_was_filled_and_freed_before_a_run_is_not_in_its_peak(before: int, during: int) -> None:
    peak = call(peak_after, before, during)
    assert peak is not None
    assert during - 5 < peak < during + 60


def test_a_run_that_shares_its_process_has_no_peak() -> None:
    assert held_megabytes() is None
    assert RunContext(seed=0, device=CPU).peak_megabytes() is None


def test_where_the_system_does_not_tell_there_is_no_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_module.multiprocessing, "parent_process", lambda: object())
    monkeypatch.setattr(context_module, "ANEW", tmp_path / "absent")
    assert held_megabytes() is None
