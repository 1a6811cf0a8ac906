"""Trials in worker processes: the same numbers as beside the study, and a study that outlives a trial's process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import install, model_text

from bench.catalog import registry
from bench.errors import TrainingError
from bench.tuning.search import MOST_FAILURES, Tuner, Workplace
from bench.tuning.studies import Job, Target


@pytest.fixture
def workplace(tiny: Path, tmp_path: Path) -> Workplace:
    return Workplace(results=tmp_path, data_dir=tiny, storage=None, device="cpu")


def test_a_trial_in_a_process_of_its_own_scores_as_one_beside_and_tells_its_epochs(
    make_job: Callable[[], Job], workplace: Workplace, tmp_path: Path
) -> None:
    found = []
    for isolated in (True, False):
        place = replace(workplace, results=tmp_path / str(isolated))
        with Tuner(place, Target(trials=2), isolated=isolated) as tuner:
            trials = tuner.tune(make_job(), wait=True).trials()
        found.append([(trial.params, trial.value, trial.intermediate_values) for trial in trials])
    assert found[0] == found[1]
    assert len(found[0][0][2]) == 2


def test_a_trial_whose_process_dies_is_a_failed_trial_with_its_reason(
    make_job: Callable[[str], Job], workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = model_text("os._exit(9)").replace(
        "class Config:\n    pass", "class Config:\n    width: int = tunable(1, choices=(1, 2))"
    )
    install(
        tmp_path, "dies_in_trials", text.replace("import torch\n", "import torch\nfrom bench.config import tunable\n")
    )
    registry._plugins.cache_clear()
    try:
        with (
            Tuner(workplace, Target(trials=2)) as tuner,
            pytest.raises(TrainingError, match=rf"{MOST_FAILURES} trials .* exit code 9 and no word"),
        ):
            tuner.tune(make_job("dies_in_trials"), wait=True)
    finally:
        registry._plugins.cache_clear()


def test_a_study_that_nobody_works_on_any_more_is_not_waited_for(
    make_job: Callable[[], Job], workplace: Workplace
) -> None:
    with (
        Tuner(workplace, Target(trials=2), takes=False) as tuner,
        pytest.raises(TrainingError, match="0 finished trials of 2 trials, and nobody is at work on it any more"),
    ):
        tuner.tune(make_job(), wait=True, at_work=lambda: False)


def test_what_was_finished_by_those_who_have_left_is_taken(make_job: Callable[[], Job], workplace: Workplace) -> None:
    def last_one() -> bool:
        with Tuner(workplace, Target(trials=1), isolated=False) as helper:
            helper.tune(make_job(), wait=False)
        return False

    with Tuner(workplace, Target(trials=1), takes=False) as tuner:
        assert tuner.tune(make_job(), wait=True, at_work=last_one).done()
