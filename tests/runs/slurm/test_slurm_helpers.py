"""Jobs of Slurm that help with a study: whether any is left, and what they raise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.errors import ConfigError, WorkerError
from bench.runs.executors import on_slurm
from bench.runs.executors.slurm_job import ERROR, Call
from bench.runs.executors.slurm_queue import Queue, RefusedError, Seen, Wishes

WISHES = Wishes(minutes=60, gpus=0, cpus=1, at_once=2)


@pytest.fixture
def helped(monkeypatch, tmp_path):
    """Two helpers that are queued, and what is seen of them, by their places in the batch."""
    states, cancelled = {0: "RUNNING", 1: "PENDING"}, []

    def submit(queue, calls, names):
        folder = tmp_path / "slurm" / "b"
        folder.mkdir(parents=True)
        names_of[:] = names
        return [Seen(job=f"7_{place}", state="PENDING", batch="b") for place in range(len(calls))]

    def look(queue):
        return {
            names_of[place]: Seen(job=f"7_{place}", state=state, batch="b") for place, state in states.items() if state
        }

    def cancel(queue, jobs):
        cancelled.extend(seen.job for seen in jobs if not seen.over)
        return True

    names_of: list[str] = []
    monkeypatch.setattr(on_slurm, "PAUSES_S", (0, 0))
    monkeypatch.setattr(Queue, "submit", submit)
    monkeypatch.setattr(Queue, "look", look)
    monkeypatch.setattr(Queue, "cancel", cancel)
    executor = on_slurm.OnSlurm(2, "cpu", WISHES, print)
    return executor.beside(print, SimpleNamespace(results=tmp_path)), states, cancelled


def test_helpers_are_at_work_until_all_are_over(helped):
    context, states, cancelled = helped
    with context as at_work:
        assert at_work()
        states[0] = "TIMEOUT"
        assert at_work()
        states[1] = None
        assert not at_work()
    assert cancelled == []


def test_what_a_helper_raised_ends_the_others(helped, tmp_path):
    context, states, cancelled = helped
    states[0] = "FAILED"

    def ask():
        with context as at_work:
            (tmp_path / "slurm" / "b" / ERROR).write_text("no such data")
            at_work()

    with pytest.raises(WorkerError, match="no such data"):
        ask()
    assert cancelled == ["7_1"]


def test_a_queue_that_does_not_answer_ends_no_helper(helped, monkeypatch):
    context, _, _ = helped
    with context as at_work:
        monkeypatch.setattr(Queue, "look", lambda _: None)
        assert at_work()
        monkeypatch.setattr(Queue, "look", lambda _: {})


def test_a_queue_that_does_not_answer_for_long_is_told_once(helped, monkeypatch, capsys):
    monkeypatch.setattr(on_slurm, "SILENT_S", 0)
    context, _, _ = helped
    with context as at_work:
        monkeypatch.setattr(Queue, "look", lambda _: None)
        assert [at_work(), at_work()] == [True, True]
        monkeypatch.setattr(Queue, "look", lambda _: {})
    assert capsys.readouterr().out.count("squeue does not answer; until it does nothing more is queued") == 1


def test_helpers_that_slurm_may_have_left_are_told_and_the_queue_is_not_asked_again(helped, monkeypatch, capsys):
    looks = []
    context, _, cancelled = helped

    def interrupted():
        with context:
            monkeypatch.setattr(Queue, "look", lambda queue: looks.append(queue))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cancelled == ["7_0", "7_1"]
    assert capsys.readouterr().out == f"Slurm does not say what is queued; {on_slurm.LOOK}\n"
    assert len(looks) == 1


def test_helpers_that_scancel_does_not_cancel_are_told(helped, monkeypatch, capsys):
    monkeypatch.setattr(Queue, "cancel", lambda *_: False)
    context, _, _ = helped

    def interrupted():
        with context:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().out == f"scancel fails or does not answer; {on_slurm.LOOK}\n"


def test_helpers_that_are_refused_leave_no_job_and_are_told_in_a_sentence(helped, monkeypatch):
    context, _, _ = helped

    def refuse(*_):
        raise RefusedError("QOSMaxSubmitJobPerUserLimit")

    monkeypatch.setattr(Queue, "submit", refuse)
    monkeypatch.setattr(Queue, "look", lambda _: {})
    with pytest.raises(ConfigError, match="Slurm does not take the jobs: QOSMax"), context:
        pass


def test_a_helper_leaves_its_error_in_its_batch_and_begins_again_when_its_time_is_up(monkeypatch, tmp_path):
    def fails():
        raise ConfigError("no such data")

    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("SUBMITIT_FOLDER", str(tmp_path))
    call = Call(fails, ())
    with pytest.raises(ConfigError):
        call()
    assert (tmp_path / ERROR).read_text() == "no such data"
    assert call.checkpoint().function is call
