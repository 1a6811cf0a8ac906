"""Tuning: validation alone, and studies that end exactly, whoever is killed and however many work."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from studies import BUDGET, tune

from bench.catalog import registry
from bench.errors import BenchError, ConfigError, LeakError, StoreError, TrainingError
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.tuned import TunedFolder
from bench.task import Task
from bench.tuning.search import MOST_FAILURES, Tuner, winner
from bench.tuning.storage import open_storage
from bench.tuning.studies import SharedStudy, Target
from bench.tuning.worker import Worker

ROOT = Path(__file__).resolve().parents[2]


def opened(job, tmp_path, worker, **target):
    return SharedStudy(job, Target(**target), open_storage(None, tmp_path / "tuning" / "study.journal"), worker)


def states(study):
    return [trial.state.name for trial in study.trials()]


@pytest.fixture
def command(tiny, tmp_path):
    """Starts ``stbench tune`` as a process of its own."""

    def start(*arguments):
        sets = [word for text in BUDGET for word in ("--set", text)]
        where = ["--data-dir", tiny, "--results", tmp_path, "--model", "stid", "--dataset", "tiny", "--device", "cpu"]
        words = [sys.executable, "-m", "bench", "tune", *map(str, where), *sets, *map(str, arguments)]
        environment = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start


def test_other_code_starts_another_study_that_draws_the_same_trials(make_job, tmp_path):
    job = make_job()
    other = replace(job, run=replace(job.run, code="f" * 12))
    assert other.study != job.study
    drawn = []
    for number, one in enumerate((job, other)):
        with Worker(tmp_path / str(number)) as worker:
            study = opened(one, tmp_path / str(number), worker, trials=4)
            drawn.append([study.claim().params for _ in range(4)])
    assert drawn[0] == drawn[1]
    assert len({str(params) for params in drawn[0]}) == 4


def test_tuning_ends_at_the_trials_asked_for_begins_with_the_default_and_is_never_worse(make_job, workplace):
    study = tune(workplace, make_job(), trials=3)
    tally, best = study.tally(), winner(study)
    assert tally.finished == 3
    assert study.trials()[0].params == make_job().default
    assert best.found.best_mae <= best.found.default_mae == tally.default
    assert states(tune(workplace, make_job(), trials=3)) == states(study), "a finished study was not left as it was"


def test_what_was_found_by_more_trials_is_not_said_to_be_of_fewer(make_job, workplace):
    three = winner(tune(workplace, make_job(), trials=3))
    assert (three.found.asked, three.found.finished) == ("3 trials", 3)
    assert three.found.code == make_job().run.code
    assert winner(tune(workplace, make_job(), trials=2)) == three
    assert str(Target(seconds=5).at_least(9)) == "5 s"


def test_a_tuned_run_scores_on_validation_what_its_trial_scored(make_job, workplace, catalog, tmp_path):
    best = winner(tune(workplace, make_job(), trials=3))
    folder = TunedFolder(tmp_path)
    folder.write("tiny", "stid", "short", best)
    selection = Selection(models=("stid",), datasets=("tiny",), overrides=BUDGET)
    runs = plan(load_suite("short_term"), selection, catalog, folder)
    runner = Runner(catalog, tmp_path, Tuner(workplace, Target(trials=1))._device, isolated=False)
    runner.run(runs)
    (record,) = runner.store.records()
    assert record.status == "done", record.error
    assert record.spec.tuned
    assert record.spec.config == {**record.spec.config, **best.model}
    assert record.scores["val"]["mae"].overall == pytest.approx(best.found.best_mae, rel=1e-6)


def test_a_trial_that_opens_test_fails_with_the_reason(make_job, workplace, monkeypatch):
    def peek(self):
        task.open_test()

    def remember(self, job):
        nonlocal task
        task = kept(self, job)
        return task

    task, kept = None, Tuner._task
    monkeypatch.setattr(Tuner, "_task", remember)
    monkeypatch.setattr(registry.load("model", "stid").Model, "train", lambda self, mode=True: peek(self))
    with pytest.raises(TrainingError, match="LeakError"):
        tune(workplace, make_job(), trials=2)
    assert isinstance(task, Task)
    with pytest.raises(LeakError, match="validation only"):
        task.open_test()


def test_failures_do_not_count_keep_their_reason_and_stop_a_study_when_there_are_too_many(
    make_job, workplace, monkeypatch
):
    def broken(self, shape, config):
        raise RuntimeError("out of\nmemory")

    with monkeypatch.context() as patch:
        patch.setattr(registry.load("model", "stid").Model, "__init__", broken)
        with pytest.raises(TrainingError, match=rf"{MOST_FAILURES} trials .* RuntimeError: out of memory"):
            tune(workplace, make_job(), trials=2)
    tally = tune(workplace, make_job(), trials=2).tally()
    assert (tally.finished, tally.failed) == (2, MOST_FAILURES)
    assert tally.default is None, "the default settings failed and were not tried again"


def test_a_budget_of_seconds_still_finishes_the_default(make_job, workplace):
    study = tune(workplace, make_job(), seconds=1e-3)
    assert states(study) == ["COMPLETE"]
    assert study.tally().seconds > 1e-3


def test_two_workers_take_different_trials_and_no_more_than_are_wanted(make_job, tmp_path):
    with Worker(tmp_path) as one, Worker(tmp_path) as two:
        first, second = (opened(make_job(), tmp_path, worker, trials=2) for worker in (one, two))
        mine, yours = first.claim(), second.claim()
        assert {mine.number, yours.number} == {0, 1}
        assert mine.params != yours.params
        assert first.claim() is None
        assert second.claim() is None
        first.fail(mine, "ValueError: no")
        assert second.claim().number == 2


def test_the_trial_of_a_dead_worker_is_drawn_again_as_it_was_and_counts_once(make_job, tmp_path):
    with Worker(tmp_path) as dead:
        study = opened(make_job(), tmp_path, dead, trials=2)
        study.finish(study.claim(), 2.0)
        lost = study.claim()
    with Worker(tmp_path) as alive:
        study = opened(make_job(), tmp_path, alive, trials=2)
        again = study.claim()
        assert again.params == lost.params
        study.finish(again, 1.0)
        assert study.done()
        assert states(study) == ["COMPLETE", "FAIL", "COMPLETE"]
        assert (study.tally().finished, study.tally().killed, study.tally().failed) == (2, 1, 0)


def test_the_draw_of_a_dead_worker_is_made_again_while_another_works_on_a_later_one(make_job, tmp_path):
    with Worker(tmp_path) as alive:
        with Worker(tmp_path) as dead:
            doomed, other = (opened(make_job(), tmp_path, worker, trials=4) for worker in (dead, alive))
            doomed.finish(doomed.claim(), 2.0)
            lost, mine = doomed.claim(), other.claim()
        assert other.claim().params == lost.params != mine.params


def test_a_default_whose_worker_died_is_tried_again_even_if_the_budget_is_spent(make_job, tmp_path):
    with Worker(tmp_path) as alive:
        with Worker(tmp_path) as dead:
            doomed, other = (opened(make_job(), tmp_path, worker, seconds=1.0) for worker in (dead, alive))
            doomed.claim()
            mine = other.claim()
        other.spend(mine, 2.0)
        other.finish(mine, 1.0)
        again = other.claim()
        assert again.params == make_job().default
        other.finish(again, 2.0)
        assert other.claim() is None
        assert other.done()


def test_a_default_whose_worker_died_is_tried_again_first(make_job, tmp_path):
    with Worker(tmp_path) as dead:
        opened(make_job(), tmp_path, dead, trials=2).claim()
    with Worker(tmp_path) as alive:
        assert opened(make_job(), tmp_path, alive, trials=2).claim().params == make_job().default


def test_half_a_line_of_a_dying_process_does_not_spoil_the_journal(make_job, tmp_path):
    with Worker(tmp_path) as worker:
        opened(make_job(), tmp_path, worker, trials=2).claim()
        with (tmp_path / "tuning" / "study.journal").open("ab") as file:
            file.write(b'{"op_code": 4, "tri')
        assert states(opened(make_job(), tmp_path, worker, trials=2)) == ["RUNNING"]


def test_a_study_of_another_results_folder_is_refused(make_job, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    for name, refused in (("a", False), ("b", True)):
        with Worker(tmp_path / name) as worker:
            if refused:
                with pytest.raises(ConfigError, match="another results folder"):
                    SharedStudy(
                        make_job(), Target(trials=1), open_storage(url, tmp_path / "tiny" / "stid.journal"), worker
                    )
            else:
                SharedStudy(make_job(), Target(trials=1), open_storage(url, tmp_path / "tiny" / "stid.journal"), worker)


def test_a_storage_that_cannot_be_opened_is_told_without_its_password(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_storage("nonsense://user:secret@nowhere/db", tmp_path / "tiny" / "stid.journal")
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, BenchError)


def test_a_storage_that_fails_in_mid_study_is_one_sentence_and_no_failed_trial(make_job, workplace, tmp_path):
    class Spoiler:
        def trial_started(self, study, number):
            pass

        def epoch(self, study, row):
            with closing(sqlite3.connect(tmp_path / "studies.db")) as connection:
                connection.execute("drop table trials")

        def looked(self, study):
            pass

    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with (
        Tuner(replace(workplace, storage=url), Target(trials=3), [Spoiler()], isolated=False) as tuner,
        pytest.raises(StoreError, match=r"the storage of the studies failed .*no such table") as caught,
    ):
        tuner.tune(make_job(), wait=True)
    assert "\n" not in str(caught.value)


def test_a_study_that_is_gone_is_told(make_job, tmp_path):
    with Worker(tmp_path) as worker:
        study = opened(make_job(), tmp_path, worker, trials=2)
        study._study._storage.delete_study(study._study._study_id)
        with pytest.raises(StoreError, match="the storage of the studies failed"):
            study.claim()


@pytest.mark.slow
def test_a_killed_study_goes_on_to_exactly_the_trials_asked_for(command, make_job, tmp_path):
    journal = tmp_path / "tuning" / "tiny" / "stid.journal"
    for wanted in (8, 24):
        process = command("--trials", 6)
        while not (journal.exists() and journal.read_bytes().count(b"\n") > wanted):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = command("--trials", 6)
    assert "6 finished trials" in process.communicate()[0]
    assert process.returncode == 0
    with Worker(tmp_path) as worker:
        study = SharedStudy(make_job(), Target(trials=6), open_storage(None, journal), worker)
        assert (study.tally().finished, study.tally().running) == (6, 0)


@pytest.mark.slow
def test_a_study_in_postgresql_outlives_the_kill_of_one_of_two_commands(command, make_job, postgres, tmp_path):
    url = postgres.new()
    killed, other = (command("--trials", 6, "--storage", url) for _ in range(2))
    while not any((tmp_path / "tuning").glob("locks/worker-*.lock")):
        assert killed.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert "6 finished trials" in other.communicate()[0]
    assert "6 finished trials" in command("--trials", 6, "--storage", url).communicate()[0]
    with Worker(tmp_path) as worker:
        storage = open_storage(url, tmp_path / "tuning" / "tiny" / "stid.journal")
        study = SharedStudy(make_job(), Target(trials=6), storage, worker)
        finished = [trial for trial in study.trials() if trial.state.name in ("COMPLETE", "PRUNED")]
        assert (len(finished), study.tally().running) == (6, 0)
        storage.remove_session()
        storage.engine.dispose()
    assert len({str(sorted(trial.params.items())) for trial in finished}) == 6


@pytest.mark.slow
def test_a_wrong_password_is_one_sentence_without_it(command, postgres):
    process = command("--trials", 2, "--storage", postgres.url("postgres", "not-it"))
    answer = process.communicate()[0]
    assert process.returncode == 2
    assert "password authentication failed" in answer
    assert "cannot be opened" in answer
    assert "not-it" not in answer
    assert "Traceback" not in answer


@pytest.mark.slow
@pytest.mark.parametrize("storage", [[], ["--storage", "sqlite"]])
def test_two_commands_with_two_workers_each_never_run_a_trial_twice(storage, command, make_job, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}" if storage else None
    options = ["--storage", url] if url else []
    both = [command("--trials", 7, "--jobs", 2, *options) for _ in range(2)]
    answers = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    with Worker(tmp_path) as worker:
        journal = tmp_path / "tuning" / "tiny" / "stid.journal"
        trials = SharedStudy(make_job(), Target(trials=7), open_storage(url, journal), worker).trials()
    finished = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == len(trials) == 7
    assert len({str(sorted(trial.params.items())) for trial in trials}) == 7
    assert [trial.user_attrs.get("default", False) for trial in trials] == [True] + [False] * 6
