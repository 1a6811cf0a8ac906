"""Studies in MLflow: a parent and its trials, nothing twice, and the ledger and figures as from the files."""

from __future__ import annotations

import pytest
from records import record
from servers import tracking_server
from studies import leave, study, trial

from bench.analysis.figures._files import figure_files
from bench.analysis.formats.files import table_files
from bench.analysis.results import Results
from bench.errors import TrackingError
from bench.records.mlflow_address import default_uri
from bench.records.tracking import records_from, sync
from bench.runs.tuned import TunedFolder, digest
from bench.tuning.mlflow_studies import EXPERIMENT, StudyRuns
from bench.tuning.search import Tuner, Workplace
from bench.tuning.storage import open_storage
from bench.tuning.studies import SharedStudy, Target
from bench.tuning.tracking import StudyTracker, fetch_studies, sync_studies
from bench.tuning.trials import dumped, path_of, studies, study_of
from bench.tuning.worker import Worker

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_current_folder"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, on its libraries
]


def runs(folder, part):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=default_uri(folder))
    where = client.get_experiment_by_name(EXPERIMENT)
    return list(client.search_runs([where.experiment_id], f"tags.`stbench.kind` = '{part}'")) if where else []


def history(folder, run, name):
    from mlflow import MlflowClient

    points = MlflowClient(tracking_uri=default_uri(folder)).get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in points)


def test_a_study_is_a_parent_and_its_trials_are_its_children(results):
    made = leave(results, study(4))
    assert sync_studies(results, default_uri(results)) == (1, 0)
    (parent,), children = runs(results, "study"), runs(results, "trial")
    assert parent.data.tags["stbench.study"] == made.study
    assert parent.data.metrics["val_mae"] == 4.0
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    by_number = {int(child.data.tags["stbench.trial"]): child for child in children}
    assert sorted(by_number) == [one.number for one in made.trials]
    assert by_number[1].data.params["model.width"] == "32"
    assert by_number[1].data.metrics["val_mae"] == made.trials[1].value
    assert history(results, by_number[1], "epoch/val_mae") == [(1, 9.0), (2, 8.0)]
    states = [(by_number[n].data.tags["stbench.state"], by_number[n].info.status) for n in (0, 4, 5, 6)]
    assert states == [
        ("complete", "FINISHED"),
        ("pruned", "FINISHED"),
        ("failed", "FAILED"),
        ("killed", "KILLED"),
    ]
    assert by_number[5].data.tags["stbench.error"] == "RuntimeError: no memory"


def test_a_study_and_its_trials_that_are_synced_later_began_and_ended_when_they_did(results):
    trials = [trial(number, 5.0, started=1e9 + 100 * number, ended=1e9 + 100 * number + 60.5) for number in range(3)]
    trials.append(trial(3, None, state="killed", params={}, epochs=(), started=1e9 + 300))
    leave(results, study(trials=tuple(trials)))
    assert sync_studies(results, default_uri(results)) == (1, 0)
    (parent,), children = runs(results, "study"), runs(results, "trial")
    times = {run.data.tags["stbench.trial"]: (run.info.start_time, run.info.end_time) for run in children}
    assert (parent.info.start_time, parent.info.end_time) == (1e12, 1e12 + 260_500)
    assert times["1"] == (1e12 + 100_000, 1e12 + 160_500)
    assert times["3"] == (1e12 + 300_000, 1e12 + 300_000)


def test_a_study_keeps_its_ledger_and_figures_as_artefacts(results):
    made, file = leave(results, study(4)), results / "figures" / "tuning.png"
    file.parent.mkdir()
    file.write_bytes(b"a figure")
    store = StudyRuns.open(default_uri(results), results)
    store.finish(made, "settings", "trials", [file])
    (parent,) = runs(results, "study")
    (kept,) = (results / "mlartifacts" / parent.info.run_id).rglob("*.png")
    assert (kept.parent.name, kept.read_bytes()) == ("figures", b"a figure")


def test_a_study_that_goes_on_is_logged_once(results):
    first = study(4)
    leave(results, first.model_copy(update={"trials": first.trials[:2]}))
    assert sync_studies(results, default_uri(results)) == (1, 0)
    leave(results, first)
    assert sync_studies(results, default_uri(results)) == (1, 0)
    assert sync_studies(results, default_uri(results)) == (0, 1)
    assert len(runs(results, "study")) == 1
    numbers = [int(child.data.tags["stbench.trial"]) for child in runs(results, "trial")]
    assert sorted(numbers) == [one.number for one in first.trials]


def test_what_a_killed_process_left_of_a_trial_is_logged_anew(results):
    made, store = study(4), StudyRuns.open(default_uri(results), results)
    parent = store.log_trials(made.model_copy(update={"trials": made.trials[:1]}))
    store._client.create_run(
        store._experiment,
        tags={"mlflow.parentRunId": parent, "stbench.trial": "1", "stbench.kind": "trial"},
    )
    store.log_trials(made)
    numbers = [int(child.data.tags["stbench.trial"]) for child in runs(results, "trial")]
    assert sorted(numbers) == [one.number for one in made.trials]


def test_trials_are_tracked_while_they_run_and_a_resumed_study_adds_only_its_new_ones(results, tiny, make_job):
    uri, workplace = default_uri(results), Workplace(results=results, data_dir=tiny, storage=None, device="cpu")
    for trials in (2, 3):
        with (
            StudyTracker(uri, results, warn=pytest.fail) as tracker,
            Tuner(workplace, Target(trials=trials), [tracker], isolated=False) as tuner,
        ):
            shared = tuner.tune(make_job(), wait=True)
        assert len(runs(results, "trial")) == trials
    with StudyTracker(uri, results, warn=pytest.fail) as tracker:
        leave(results, study_of(shared))
        tracker.finished("tiny", "stid", "short")
    (parent,) = runs(results, "study")
    assert parent.info.status == "FINISHED"
    assert len(runs(results, "trial")) == 3
    assert sync_studies(results, uri) == (0, 1)


def files_of(opened):
    """The ledger and the figures of tuning, by file name."""
    files = table_files(opened, ["tuning_ledger"]) | figure_files(opened, ["tuning"])
    return {name: content for name, content in files.items() if content is not None}


def test_ledger_and_figures_from_mlflow_are_those_from_the_files_byte_for_byte(results):
    leave(results, study(4, synthetic=True))
    uri = default_uri(results)
    sync_studies(results, uri)
    here, there = files_of(Results.load(results)), files_of(Results.from_mlflow(uri))
    assert {name.partition(".")[2] for name in here} == {"md", "tex", "csv", "png", "pdf"}
    assert here.keys() == there.keys()
    assert [name for name, content in here.items() if there[name] != content] == []


def test_the_study_that_was_tuned_last_counts_as_in_the_folder(results, tmp_path):
    uri = default_uri(results)
    first, second = study(4), study(6, study="bikenyc/stid/short/strict/quick/ba9876543210", profile="quick")
    for made in (first, second, first):
        leave(results, made)
        assert sync_studies(results, uri) == (1, 0)
    fetch_studies(uri, tmp_path / "fetched")
    assert path_of(tmp_path / "fetched", "bikenyc", "stid", "short").read_text(encoding="utf-8") == dumped(first)
    assert len(runs(results, "study")) == 2


def test_a_hand_edit_is_a_change_that_sync_carries_over(results, tmp_path):
    leave(results, study(4))
    uri, path = default_uri(results), TunedFolder(results).path("bikenyc", "stid", "short")
    sync_studies(results, uri)
    path.write_text(path.read_text(encoding="utf-8").replace("width = 64", "width = 16"), encoding="utf-8")
    assert sync_studies(results, uri) == (1, 0)
    fetch_studies(uri, tmp_path / "fetched")
    assert TunedFolder(tmp_path / "fetched").read("bikenyc", "stid", "short").model == {"width": 16}
    assert digest({"width": 16}, {}) != digest({"width": 64}, {})


def test_records_are_read_as_if_there_were_no_studies(results):
    uri, made = default_uri(results), record()
    sync([made], uri, results)
    leave(results, study(4))
    sync_studies(results, uri)
    assert records_from(uri) == [made]


def test_changed_files_and_names_that_lead_elsewhere_are_refused(results, tmp_path):
    leave(results, study(4))
    uri = default_uri(results)
    sync_studies(results, uri)
    (kept,) = (results / "mlartifacts").rglob("trials.json")
    kept.write_text(kept.read_text(encoding="utf-8").replace("4.0", "3.0"), encoding="utf-8")
    with pytest.raises(TrackingError, match="were changed after they were logged"):
        fetch_studies(uri, tmp_path / "fetched")
    (parent,) = runs(results, "study")
    StudyRuns.open(uri, results)._client.set_tag(parent.info.run_id, "stbench.dataset", "../../etc")
    with pytest.raises(TrackingError, match="of no data set"):
        fetch_studies(uri, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_where_nothing_was_tuned_there_is_no_ledger_and_nothing_is_made(results):
    assert sync_studies(results, default_uri(results)) == (0, 0)
    assert runs(results, "study") == []
    assert files_of(Results.from_mlflow(default_uri(results))) == {}


def test_a_dead_server_costs_a_study_nothing_but_a_warning(make_job, tiny, tmp_path):
    warnings: list[str] = []
    workplace = Workplace(results=tmp_path, data_dir=tiny, storage=None, device="cpu")
    with (
        StudyTracker("http://127.0.0.1:9", tmp_path, warn=warnings.append) as tracker,
        Tuner(workplace, Target(trials=1), [tracker], isolated=False) as tuner,
    ):
        shared = tuner.tune(make_job(), wait=True)
    assert shared.tally().finished == 1
    assert len(warnings) == 1
    assert "stbench sync" in warnings[0]


def test_trials_of_the_same_number_in_another_study_are_no_double(results):
    store = StudyRuns.open(default_uri(results), results)
    for name in ("a", "b"):
        store.log_trials(study(study=name, trials=(trial(0, 5.0),)))
    assert len(runs(results, "trial")) == 2


def test_a_study_of_another_folder_or_begun_anew_is_no_continuation(make_job, results, tmp_path):
    keys = set()
    for name in ("here", "there"):
        with Worker(tmp_path / name) as worker:
            journal = tmp_path / name / "tuning" / "study.journal"
            keys |= {study_of(SharedStudy(make_job(), Target(trials=1), open_storage(None, journal), worker)).key}
            keys |= {study_of(SharedStudy(make_job(), Target(trials=1), open_storage(None, journal), worker)).key}
    assert len(keys) == 2
    store = StudyRuns.open(default_uri(results), results)
    for key, value in zip(sorted(keys), (5.0, 6.0), strict=True):
        store.log_trials(study(key=key, trials=(trial(0, value),)))
    assert sorted(run.data.metrics["val_mae"] for run in runs(results, "trial")) == [5.0, 6.0]


@pytest.mark.slow
def test_a_real_server_keeps_studies(tmp_path):
    made = leave(tmp_path / "results", study(4))
    with tracking_server(tmp_path / "server") as uri:
        assert sync_studies(tmp_path / "results", uri) == (1, 0)
        assert sync_studies(tmp_path / "results", uri) == (0, 1)
        fetch_studies(uri, tmp_path / "fetched")
    assert list(studies(tmp_path / "fetched")) == [made]
    assert not (tmp_path / "results" / "mlartifacts").exists()
