"""Files of trials: what they hold of a study, and that nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from studies import study, trial

from bench.config import Space
from bench.errors import ConfigError
from bench.tuning.search import Tuner, Workplace
from bench.tuning.storage import open_storage
from bench.tuning.studies import SharedStudy, Target
from bench.tuning.study import Scale, Study
from bench.tuning.trials import dumped, path_of, read_trials, studies, study_of, write_trials
from bench.tuning.worker import Worker

TIMES = {"seconds", "started", "ended"}


def test_a_file_that_was_written_reads_back_as_it_was(tmp_path):
    made = study(synthetic=True, fixed=("train.epochs=2",))
    path = write_trials(tmp_path, made)
    assert path == tmp_path / "tuned" / "bikenyc" / "stid.trials.json"
    assert read_trials(path) == made
    assert list(studies(tmp_path)) == [made]
    assert write_trials(tmp_path, study(task="long")).name == "stid.long.trials.json"


def test_each_trial_has_a_line_of_its_own():
    lines = dumped(study()).splitlines()
    assert sum(line.startswith('  {"number": ') for line in lines) == len(study().trials)
    assert json.loads(dumped(study()))["study"] == "bikenyc/stid/short/strict/paper/0123456789ab"


def test_a_real_study_is_told_with_every_trial_the_same_in_a_journal_and_in_a_database(make_job, tiny, tmp_path):
    made = []
    for name, storage in (("journal", None), ("database", f"sqlite:///{tmp_path / 'studies.db'}")):
        workplace = Workplace(results=tmp_path / name, data_dir=tiny, storage=storage, device="cpu")
        with Tuner(workplace, Target(trials=3), isolated=False) as tuner:
            made.append(study_of(tuner.tune(make_job(), wait=True)))
    first = made[0].trials[0]
    assert [one.number for one in made[0].trials] == [0, 1, 2]
    assert first.default
    assert first.value == min(value for _, value in first.epochs)
    assert first.seconds > 0
    assert first.ended - first.started >= first.seconds - 0.001
    assert (made[0].started, made[0].ended) == (first.started, made[0].trials[-1].ended)
    assert made[0].space["train.lr"] == Scale(low=1e-5, high=1e-2, log=True)
    assert [one.model_dump(exclude=TIMES) for one in made[0].trials] == [
        one.model_dump(exclude=TIMES) for one in made[1].trials
    ]


def test_a_space_that_no_file_can_hold_is_one_sentence_before_any_trial(make_job, tiny, tmp_path):
    job = replace(make_job(), space={"model.width": Space(choices=("x" * 300, 32))})
    with Worker(tmp_path) as worker:
        storage = open_storage(None, tmp_path / "tuning" / "study.journal")
        with pytest.raises(ConfigError, match=r"of 'stid' cannot be searched: .*mend its search space"):
            SharedStudy(job, Target(trials=1), storage, worker)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("study",), "a\nb", "printable"),
        (("study",), "x" * 9000, "at most 200"),
        (("trials", 0, "value"), 1e999, "finite"),
        (("trials", 0, "value"), 10**400, "finite"),
        (("trials", 0, "number"), -1, "greater than or equal to 0"),
        (("trials", 1, "number"), 0, "not in the order"),
        (("trials", 0, "state"), "won", "state"),
        (("trials", 0, "params"), {"model.width": 48}, "model.width=48, which is not in the space"),
        (("trials", 0, "params"), {"train.lr": "fast"}, "not in the space"),
        (("trials", 0, "params"), {"model.heads": 2}, "not in the space"),
        (("trials", 0, "params"), {"model.width": [1]}, "params"),
        (("space", "train.lr", "low"), 0.0, "no range"),
        (("space", "model.width"), {"choices": []}, "choices"),
        (("best",), 1, "best"),
    ],
)
def test_a_hostile_file_is_one_sentence_that_names_it(path, value, message, tmp_path):
    facts = json.loads(dumped(study()))
    inner = facts
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file = path_of(tmp_path, "bikenyc", "stid", "short")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the trials .*stid\.trials\.json are not valid") as said:
        list(studies(tmp_path))
    assert message in str(said.value)
    assert "\n" not in str(said.value)
    assert len(str(said.value)) < 600


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"null", b'{"study": 1e'])
def test_what_is_no_json_of_a_study_is_one_sentence(content, tmp_path):
    file = path_of(tmp_path, "bikenyc", "stid", "short")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not valid") as said:
        read_trials(file)
    assert "\n" not in str(said.value)


def test_a_file_in_the_place_of_another_is_told(tmp_path):
    write_trials(tmp_path, study()).replace(tmp_path / "tuned" / "bikenyc" / "dlinear.trials.json")
    with pytest.raises(ConfigError, match=r"are of bikenyc / stid, task short"):
        list(studies(tmp_path))


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    path_of(tmp_path, "bikenyc", "stid", "short").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(studies(tmp_path))


def test_what_a_diverged_trial_reached_is_told_as_nothing():
    made = Study.model_validate(
        study(trials=(trial(0, None, epochs=((1, None), (2, 3.0)), state="pruned"),)).model_dump()
    )
    assert made.trials[0].reached == 3.0
    assert trial(0, None, state="failed").reached is None
