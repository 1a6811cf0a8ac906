"""Studies beside MLflow: fed while they run, filled in from their files afterwards, and read back as these files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import TrackingError, unwritten
from bench.records.mlflow_client import silent
from bench.records.mlflow_problems import one_sentence
from bench.records.tracking import Feed
from bench.runs.tuned import TunedFolder
from bench.tuning.mlflow_studies import DIGEST, StudyRuns, digest
from bench.tuning.trials import path_of, read_trials, studies, study_of

if TYPE_CHECKING:
    from bench.tuning.studies import SharedStudy
    from bench.tuning.study import Study

NAME = re.compile(r"\w[\w-]*", re.ASCII)
SLUG = re.compile(r"[\w+-]*", re.ASCII)  # of a variant; empty for a model itself


class StudyTracker:
    """An observer of studies that writes them to MLflow, each trial when it has ended; use it in a ``with``.

    Args:
        uri: A tracking store.
        results: The results folder.
        warn: Called with a sentence when MLflow was mended, and once when it does not work.
    """

    def __init__(self, uri: str, results: Path, *, warn: Callable[[str], None]) -> None:
        self._results = results
        self._feed = Feed(uri, results, lambda: StudyRuns.open(uri, results, warn), warn=warn)
        self._posted: dict[str, set[int]] = {}

    def __enter__(self) -> StudyTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.close()

    def trial_started(self, study: SharedStudy, number: int) -> None:
        """Nothing to track."""

    def epoch(self, study: SharedStudy, row: Mapping[str, float]) -> None:
        """Nothing to track: a trial's epochs go with it."""

    def looked(self, study: SharedStudy) -> None:
        posted = self._posted.setdefault(study.job.study, set())
        ended = {trial.number for trial in study.trials() if trial.state.is_finished()}
        if not (fresh := ended - posted):
            return
        posted |= fresh
        whole = study_of(study)
        some = whole.model_copy(update={"trials": tuple(t for t in whole.trials if t.number in fresh)})

        def log(runs: StudyRuns) -> None:
            runs.log_trials(some)

        self._feed.post(log)

    def finished(self, dataset: str, model: str, task: str, variant_slug: str = "", files: Iterable[Path] = ()) -> None:
        """Complete a study from its files, whatever of it arrived so far; ``files`` are its ledger and figures."""
        settings, trials = _files(self._results, dataset, model, task, variant_slug)
        study = read_trials(trials)
        texts = settings.read_text(encoding="utf-8"), trials.read_text(encoding="utf-8")
        kept = tuple(files)

        def finish(runs: StudyRuns) -> None:
            runs.finish(study, *texts, kept)

        self._feed.post(finish)


def sync_studies(results: Path, uri: str, *, say: Callable[[str], None] = silent) -> tuple[int, int]:
    """Log every study with both files that MLflow does not have in exactly this form.

    ``say`` is told in a sentence what was mended in MLflow.

    Returns:
        How many were added, and how many were there.

    Raises:
        ConfigError: If a file of trials does not validate.
        TrackingError: If MLflow cannot be used.
    """
    here = [study for study in studies(results) if _files(results, *_address(study))[0].exists()]
    added = present = 0
    with one_sentence(uri):
        runs = StudyRuns.open(uri, results, say) if here else None
        known = {key: run.data.tags[DIGEST] for key, run in runs.finished().items()} if runs else {}
        for study in here:
            key = _address(study)
            texts = [path.read_text(encoding="utf-8") for path in _files(results, *key)]
            if known.get(key) == digest(*texts):
                present += 1
            elif runs:
                runs.finish(study, texts[0], texts[1])
                added += 1
    return added, present


def fetch_studies(uri: str, results: Path) -> None:
    """Lay the files of MLflow's studies into a results folder, as tuning leaves them.

    Raises:
        TrackingError: If MLflow cannot be read, or has a study of no name.
        StoreError: If a file cannot be written.
    """
    with one_sentence(uri):
        runs = StudyRuns.open_existing(uri)
        for key, run in runs.finished().items() if runs else ():
            if not (all(NAME.fullmatch(name) for name in key[:-1]) and SLUG.fullmatch(key[-1])):
                raise TrackingError(f"MLflow run {run.info.run_id} is of no data set, model and task; delete it there")
            for path, text in zip(_files(results, *key), runs.read(run) if runs else (), strict=True):
                _write(path, text)


def _write(path: Path, text: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    except OSError as error:
        raise unwritten(str(path), error) from error


def _address(study: Study) -> tuple[str, str, str, str]:
    return study.dataset, study.model, study.task, study.slug


def _files(results: Path, dataset: str, model: str, task: str, variant_slug: str) -> tuple[Path, Path]:
    address = (dataset, model, task, variant_slug)
    return TunedFolder(results).path(*address), path_of(results, *address)
