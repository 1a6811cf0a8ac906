"""An interrupt waits for imports, so that no half of a library is left behind."""

from __future__ import annotations

import signal
import sys
import threading

import pytest
from own_models import Steps, evaluated

from bench.runs.preloading import OPTIMIZERS
from bench.runs.whole_imports import import_whole, interrupts_wait

INTERRUPTED = """
import signal
signal.raise_signal(signal.SIGINT)
whole = True
"""


def test_an_import_that_is_interrupted_comes_to_its_end_first(tmp_path, monkeypatch):
    (tmp_path / "half_a_library.py").write_text(INTERRUPTED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_whole("half_a_library")
    assert sys.modules.pop("half_a_library").whole


def test_signals_are_heeded_as_before_and_no_other_thread_touches_them(tmp_path):
    before, errors = signal.getsignal(signal.SIGINT), []

    def elsewhere():
        try:
            with interrupts_wait():
                assert signal.getsignal(signal.SIGINT) is before
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with interrupts_wait():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    assert not errors


def test_what_training_needs_is_imported_whole_before_it_begins(tiny, monkeypatch):
    imported = []
    monkeypatch.setattr("bench.runs.single.import_whole", lambda *modules: imported.extend(modules))
    evaluated(tiny, "last_value")
    assert OPTIMIZERS not in imported
    for model in ("stid", Steps):
        imported.clear()
        evaluated(tiny, model)
        assert "bench.runs.evaluator" in imported
        assert imported[-1] == OPTIMIZERS
