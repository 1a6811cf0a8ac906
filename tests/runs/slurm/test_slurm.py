"""Runs as jobs of Slurm: queued once, watched by whoever comes, told of when they end."""

from __future__ import annotations

import os
import signal
import sys
from types import SimpleNamespace

import pytest
from clusters import Told

from bench.errors import ConfigError, MissingPackageError
from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of
from bench.runs.executors import Places, make_executor, on_slurm
from bench.runs.executors.slurm_job import Job
from bench.runs.executors.slurm_queue import Seen


def ids(given):
    return [work.run.run_id for work in given]


def test_all_runs_are_queued_at_once_and_told_of_when_they_begin_and_end(queue_of, stored, given):
    queue, executor, said = queue_of()
    told = Told()
    executor.run(iter(given), told)
    assert queue.batches == [ids(given)]
    assert said == ["queued: 4, waiting for room: 0"]
    for run_id in ids(given):
        assert [event for event in told.events if event[1] == run_id] == [("begun", run_id), ("answered", run_id, None)]


def test_what_an_earlier_command_queued_is_watched_and_not_queued_again(queue_of, stored, given):
    first = ids(given)[:3]
    queue, executor, said = queue_of(runs=first, ends=lambda run_id, attempt: "COMPLETED")
    for work in given[:3]:
        queue._calls[work.run.run_id] = Job(work, 1)
    told = Told()
    executor.run(iter(given), told)
    assert queue.batches == [ids(given)[3:]]
    assert said[0] == "queued by an earlier command: 3"
    assert {event[1] for event in told.events if event[0] == "answered"} == set(ids(given))


def test_a_run_whose_earlier_job_is_over_is_queued_again(queue_of, stored, given):
    queue, executor, _ = queue_of(
        runs=ids(given), ends=lambda run_id, attempt: "COMPLETED" if attempt > 1 else "TIMEOUT"
    )
    queue._ages = dict.fromkeys(ids(given), 9)
    executor.run(iter(given), told := Told())
    assert queue.batches == [ids(given)]
    assert {event[0] for event in told.events} == {"begun", "answered"}


def test_a_limit_on_jobs_is_met_by_smaller_batches_and_waiting(queue_of, stored, given):
    queue, executor, _ = queue_of(most=1)
    told = Told()
    executor.run(iter(given), told)
    assert [len(batch) for batch in queue.batches] == [1, 1, 1, 1]
    assert {event[1] for event in told.events if event[0] == "answered"} == set(ids(given))


def test_a_queue_that_takes_not_even_one_job_is_an_error_of_one_sentence(queue_of, given):
    _, executor, _ = queue_of(most=0)
    with pytest.raises(ConfigError, match="Slurm does not take the jobs: QOSMaxSubmitJobPerUserLimit"):
        executor.run(iter(given), Told())


def test_a_job_that_ends_without_a_record_has_died_and_its_state_and_log_are_told(queue_of, stored, given):
    bad = ids(given)[0]
    _, executor, _ = queue_of(ends=lambda run_id, attempt: "OUT_OF_MEMORY" if run_id == bad else "COMPLETED")
    told = Told()
    executor.run(iter(given), told)
    died = [event for event in told.events if event[0] == "died"]
    assert died == [
        ("died", bad, f"the job 7_0 ended as OUT_OF_MEMORY; {given[0].results.absolute()}/slurm/b has its log")
    ]


def test_the_failed_record_of_an_earlier_attempt_is_not_taken_for_the_answer_of_a_job(queue_of, stored, given):
    work = given[0]
    ResultStore(work.results).write(failed_record(work.run, failure_of(ValueError("long ago"))))
    _, executor, _ = queue_of(ends=lambda run_id, attempt: "CANCELLED")
    told = Told()
    executor.run(iter([work]), told)
    assert told.events[-1][0] == "died"


def test_an_interrupt_cancels_what_is_queued_and_nothing_of_others(queue_of, stored, given):
    queue, executor, _ = queue_of(runs=["0" * 16 + "." + "0" * 12], ends=lambda *_: "RUNNING")

    class Interrupting(Told):
        def begun(self, work):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(iter(given), Interrupting())
    assert len(queue.cancelled) == 4


@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGTERM])
def test_a_command_that_is_asked_to_end_leaves_its_jobs_and_says_so(queue_of, stored, given, sign):
    queue, executor, said = queue_of()

    class Closing(Told):
        def begun(self, work):
            os.kill(os.getpid(), sign)

    before = signal.getsignal(sign)
    with pytest.raises(KeyboardInterrupt):  # the exit code is that of Ctrl-C
        executor.run(iter(given), Closing())
    assert said[-1] == "4 jobs go on; the same command follows them"
    assert queue.cancelled == []
    assert signal.getsignal(sign) == before


def test_detached_runs_are_queued_and_left(queue_of, given):
    queue, executor, _ = queue_of()
    executor.detach = True
    told = Told()
    executor.run(iter(given), told)
    assert (queue.batches, told.events) == ([ids(given)], [])


def test_a_job_that_is_over_at_the_first_look_is_not_queued_again(queue_of, stored, given):
    queue, executor, _ = queue_of()
    submit = queue.submit

    def quick(calls, run_ids):
        seen = submit(calls, run_ids)
        queue._ages = dict.fromkeys(run_ids, 9)
        for call in calls:
            call()
        return seen

    queue.submit = quick
    executor.run(iter(given), told := Told())
    assert queue.batches == [ids(given)]
    assert [event[0] for event in told.events] == ["begun", "answered"] * 4


def test_a_job_that_begins_again_has_all_the_time_to_show_its_record_once_more(queue_of, stored, given, monkeypatch):
    (work, *_), now = given, [0.0]
    queue, executor, _ = queue_of()
    sleep = lambda _: now.append(now[-1] + 10)  # noqa: E731
    monkeypatch.setattr(on_slurm, "time", SimpleNamespace(monotonic=lambda: now[-1], sleep=sleep))
    monkeypatch.setattr(on_slurm, "LATE_S", (15, 15))
    states = ["RUNNING", "NODE_FAIL", "RUNNING", "COMPLETED", "COMPLETED"]

    def look():
        if not queue.batches:
            return {}
        if len(states) == 1:
            Job(work, 1)()
        return {work.run.run_id: Seen(job="7", state=states.pop(0), batch="b")}

    queue.look = look
    executor.run(iter([work]), told := Told())
    assert [event[0] for event in told.events] == ["begun", "answered"]


def test_the_log_that_a_retry_names_is_kept_to_the_end_of_the_command(queue_of, stored, given):
    queue, executor, _ = queue_of(ends=lambda run_id, attempt: "COMPLETED" if attempt > 1 else "TIMEOUT")
    executor.run(iter(given), Told())
    executor.run(iter(given), Told())
    assert queue.tidied == 1


def test_no_log_is_kept_of_a_job_whose_run_was_made_in_the_end(queue_of, given, monkeypatch):
    queue, executor, _ = queue_of(ends=lambda run_id, attempt: "COMPLETED" if attempt > 1 else "TIMEOUT")
    executor.run(iter(given), Told())
    monkeypatch.setattr(on_slurm.ResultStore, "has", lambda *_: True)
    executor.run(iter(given), Told())
    assert queue.tidied == 2


def test_without_a_number_jobs_of_this_machine_are_as_many_as_its_cores(monkeypatch):
    monkeypatch.setattr(on_slurm, "cores", lambda: 6)
    assert make_executor("slurm", Places(device="cpu", threads=2), {"local": True}).jobs == 3


def test_a_cluster_that_is_not_there_or_wishes_at_odds_are_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match="there is no Slurm here"):
        make_executor("slurm", Places(device="cpu"))
    with pytest.raises(ConfigError, match="say --device cuda"):
        make_executor("slurm", Places(device="cpu"), {"local": True, "gpus": 1})
    with pytest.raises(ConfigError, match="--runs-per-gpu, or runs_per_gpu=, is not Slurm's way"):
        make_executor("slurm", Places(device="cpu", runs_per_gpu=2), {"local": True})
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingPackageError, match=r"the executor slurm needs submitit, .*\[slurm\]"):
        make_executor("slurm", Places(device="cpu"))


def test_a_job_does_not_make_again_what_is_stored(given, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("bench.runs.executors.slurm_job.carry_out", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr(ResultStore, "has", lambda *_: True)
    Job(given[0], 1)()


def test_a_job_whose_process_dies_twice_stores_a_failed_record(given, monkeypatch):
    from bench.runs.ends import End

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ends = [End("died", "the process of this run was ended by the signal SIGKILL")] * 2
    monkeypatch.setattr("bench.runs.executors.slurm_job.carry_out", lambda *_: [ends.pop()])
    Job(given[0], 1)()
    run = given[0].run
    record = ResultStore(given[0].results).read(run.dataset, run.model, run.run_id)
    assert record.error.message.startswith("the process of this run was ended by the signal SIGKILL; ")
    assert not list(given[0].results.rglob("*.lock"))
    assert not ends


def test_a_job_that_is_no_longer_listed_is_over(queue_of, given):
    queue, executor, _ = queue_of()
    seen = iter([{}, {work.run.run_id: Seen(job="7", state="RUNNING", batch="b") for work in given}, {}])
    queue.look = lambda: next(seen, {})
    told = Told()
    executor.run(iter(given), told)
    assert {event[0] for event in told.events} == {"begun", "died"}
    assert "ended as GONE" in told.events[-1][2]
