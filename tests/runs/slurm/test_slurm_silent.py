"""A queue of Slurm that does not answer: nothing is queued twice, and whoever waits is told."""

from __future__ import annotations

import pytest
from clusters import Told

from bench.runs.executors import on_slurm
from bench.runs.executors.slurm_job import Job


def ids(given):
    return [work.run.run_id for work in given]


@pytest.mark.parametrize("silent", [(1, 2, 3), (2, 3, 4, 5)], ids=["at first", "after the batch is queued"])
def test_a_queue_that_does_not_answer_is_waited_for_and_nothing_is_queued_twice(
    queue_of, stored, given, silent, monkeypatch
):
    monkeypatch.setattr(on_slurm, "SILENT_S", 0)
    queue, executor, said = queue_of()
    queue.silent = silent
    executor.run(iter(given), told := Told())
    assert queue.batches == [ids(given)]
    assert {event[0] for event in told.events} == {"begun", "answered"}
    assert [text for text in said if "squeue does not answer" in text] == [said[silent[0] - 1]]


def test_what_is_queued_already_is_not_queued_again_since_the_queue_does_not_answer(queue_of, stored, given):
    queue, executor, _ = queue_of(runs=ids(given))
    for work in given:
        queue._calls[work.run.run_id] = Job(work, 1)
    queue.silent = (1, 2, 3)
    executor.run(iter(given), Told())
    assert queue.batches == []


def test_an_interrupt_while_the_queue_does_not_answer_cancels_what_is_known_and_says_so(queue_of, stored, given):
    queue, executor, said = queue_of()

    class Interrupting(Told):
        def begun(self, work):
            queue.silent = range(1000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(iter(given), Interrupting())
    assert len(queue.cancelled) == 4
    assert "squeue --me" in said[-1]


def test_runs_that_leave_their_records_while_the_queue_does_not_answer_are_done(queue_of, stored, given):
    queue, executor, _ = queue_of()
    queue.silent = range(2, 1000)
    submit, late = queue.submit, given[-1].run.run_id

    def quick(calls, run_ids):
        for call in calls:
            if call.work.run.run_id != late:
                call()
        return submit(calls, run_ids)

    class LastOne(Told):
        def answered(self, work, answer):
            super().answered(work, answer)
            if len([event for event in self.events if event[0] == "answered"]) == 3:
                Job(given[-1], 1)()

    queue.submit = quick
    executor.run(iter(given), told := LastOne())
    assert queue.batches == [ids(given)]
    assert [event[:2] for event in told.events] == [(what, run) for run in ids(given) for what in ("begun", "answered")]


def test_a_scancel_that_does_not_answer_is_told_to_whom_interrupts(queue_of, stored, given):
    queue, executor, said = queue_of()
    queue.cancel = lambda _: False

    class Interrupting(Told):
        def begun(self, work):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(iter(given), Interrupting())
    assert said[-1] == "scancel fails or does not answer; look with 'squeue --me' whether jobs are left"
