"""The log beside a failed record: the whole traceback, and only there."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from records import LOSS_IS_NAN, record
from reports import failing
from rich.console import Console

from bench.cli.console import ConsoleObserver
from bench.records.failure_log import MOST, traceback_of, without_traceback
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun, FailedRun, dump, parse
from bench.records.store import ResultStore
from bench.runs.execution import failure_of
from bench.runs.tracebacks import Tracebacks

TEXT = 'Traceback (most recent call last):\n  File "/home/me/mine.py", line 3\nValueError: odd\n'


def failed() -> FailedRun:
    made = failing("odd")
    return msgspec.structs.replace(made, error=msgspec.structs.replace(made.error, traceback=TEXT))


def planned_of(made: FailedRun) -> PlannedRun:
    return PlannedRun(spec=made.spec, code=made.code, method=made.model, label=made.label)


def raised() -> ValueError:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        return error


def test_the_traceback_travels_in_the_text_of_a_record_and_is_stored_beside_it(tmp_path: Path) -> None:
    store, arrived = ResultStore(tmp_path), parse(dump(failed()), "a worker")
    assert isinstance(arrived, FailedRun)
    assert arrived.error.traceback == TEXT
    store.write(arrived)
    log = store.log(arrived)
    assert log.name == f"{arrived.run_id}.failed.log"
    assert log.read_text(encoding="utf-8").endswith(TEXT)
    assert log.read_text(encoding="utf-8").startswith("stid on bikenyc, seed 0\n")
    assert b"Traceback" not in log.with_suffix(".json").read_bytes()
    assert store.read("bikenyc", "stid", arrived.run_id) == without_traceback(arrived)
    assert [kept.status for kept in store.records()] == ["failed"]


def test_a_failure_without_a_traceback_has_its_reason_in_the_log(tmp_path: Path) -> None:
    store, made = ResultStore(tmp_path), failing(LOSS_IS_NAN.message)
    store.write(made)
    assert made.error.message in store.log(made).read_text(encoding="utf-8")


def test_a_finished_run_leaves_no_log(tmp_path: Path) -> None:
    store, made = ResultStore(tmp_path), failed()
    store.write(made)
    done = record()
    assert isinstance(done, DoneRun)
    store.write(msgspec.structs.replace(done, run_id=made.run_id))
    assert [path.suffix for path in (tmp_path / "runs" / "bikenyc" / "stid").iterdir()] == [".json"]


def test_a_traceback_tells_what_an_error_came_from() -> None:
    text = traceback_of(raised())
    assert "KeyError: 'first'" in text
    assert text.endswith("ValueError: second\n")
    assert failure_of(raised()).traceback == text


@pytest.mark.parametrize("message", ["x" * 5_000_000, "half a pair \ud800"])
def test_a_huge_or_odd_message_still_makes_a_log(tmp_path: Path, message: str) -> None:
    store, made = ResultStore(tmp_path), failed()
    text = traceback_of(ValueError(message))
    assert len(text) < 2 * MOST + 100
    store.write(msgspec.structs.replace(made, error=msgspec.structs.replace(made.error, traceback=text)))
    assert "ValueError: " in store.log(made).read_text(encoding="utf-8")


@pytest.mark.parametrize("traceback", [False, True])
def test_the_line_of_a_failure_names_the_log_and_prints_it_if_asked(tmp_path: Path, traceback: bool) -> None:
    store, made, printed = ResultStore(tmp_path), failed(), io.StringIO()
    store.write(made)
    run = planned_of(made)
    with ConsoleObserver(Console(file=printed, width=80), 1, store, traceback=traceback) as screen:
        screen.run_started(run)
        screen.run_finished(run, made)
    (line, *rest) = printed.getvalue().splitlines()
    assert str(store.log(made)) in line
    assert ("ValueError: odd" in "\n".join(rest)) == traceback


def test_a_script_may_have_it_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = failed()
    ResultStore(tmp_path).write(made)
    Tracebacks(tmp_path).run_finished(planned_of(made), made)
    assert TEXT in capsys.readouterr().err


def test_only_an_error_at_the_days_before_themselves_is_told_of_them():
    window = SimpleNamespace(past=None, past_key_values=None)

    def told(ask):
        with pytest.raises(AttributeError) as caught:
            ask()
        return "DAYS_BACK" in failure_of(caught.value).message

    assert told(lambda: window.past.flatten())
    assert not told(lambda: window.past_key_values.flatten())
