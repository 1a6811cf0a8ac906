"""Files of trials: ``results/tuned/<data set>/<model>.trials.json``, beside the settings that were found.

Whatever storage a study is in, its figures are drawn from this file: a line for every trial, sorted, the same bytes for
the same study.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bench.errors import ConfigError, unwritten
from bench.files import atomic_write
from bench.plain_files import read_plain
from bench.runs.search import parts_of_stem
from bench.runs.suite import first_problem
from bench.runs.tuned import TunedFolder, is_of_a_model
from bench.tuning.studies import SharedStudy, is_default, is_killed
from bench.tuning.study import LARGEST, LONGEST, State, Study, TrialFacts

if TYPE_CHECKING:
    from datetime import datetime

    from optuna.trial import FrozenTrial

ENDING = ".trials.json"
NAME = re.compile(r"\w[\w-]*(\.\w[\w-]*)?", re.ASCII)


def study_of(shared: SharedStudy) -> Study:
    """A study as its storage holds it now, without trials that still run."""
    job, spec = shared.job, shared.job.run.spec
    return Study(
        study=job.study,
        key=shared.key,
        dataset=job.run.dataset,
        model=job.run.model,
        task=spec.task.name,
        protocol=spec.task.protocol,
        profile=job.profile,
        weights=spec.weights,
        synthetic=spec.data.synthetic,
        fixed=tuple(_text(text) for text in job.fixed),
        variant=tuple(_text(text) for text in job.run.variant),
        space=job.scales,
        trials=tuple(trial_of(trial) for trial in shared.trials() if trial.state.is_finished()),
    )


def trial_of(trial: FrozenTrial) -> TrialFacts:
    """One finished trial."""
    states: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = "killed" if is_killed(trial) else states[trial.state.name]
    return TrialFacts(
        number=trial.number,
        state=state,
        value=_number(trial.value) if state == "complete" else None,
        seconds=0.0 if state == "killed" else round(float(trial.user_attrs.get("seconds", 0.0)), 3),
        default=is_default(trial),
        params=dict(sorted(trial.params.items())),
        epochs=tuple((epoch, _number(value)) for epoch, value in sorted(trial.intermediate_values.items())),
        reason=_text(str(trial.user_attrs.get("reason", ""))),
        started=_time(trial.datetime_start),
        ended=None if state == "killed" else _time(trial.datetime_complete),
    )


def path_of(results: Path, dataset: str, model: str, task: str, variant_slug: str = "") -> Path:
    """The file of trials beside the file of tuned settings."""
    return TunedFolder(results).path(dataset, model, task, variant_slug).with_suffix(ENDING)


def write_trials(results: Path, study: Study) -> Path:
    """Write a study's file whole or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    path = path_of(results, study.dataset, study.model, study.task, study.slug)
    try:
        with atomic_write(path) as part:
            part.write_bytes(dumped(study).encode())
    except OSError as error:
        raise unwritten(str(path), error) from error
    return path


def read_trials(path: Path) -> Study:
    """The study in a file.

    Raises:
        ConfigError: If there is no file, or it does not validate.
    """
    try:
        return Study.model_validate_json(read_plain(path))
    except ValidationError as error:
        raise ConfigError(
            f"the trials {path} are not valid: {_shortened(first_problem(error))}; "
            "'stbench tune', or bench.tune, writes them anew"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the trials {path} cannot be read ({error.strerror}); 'stbench tune', or bench.tune, writes them"
        ) from error


def studies(results: Path) -> Iterator[Study]:
    """Every study with a file, sorted by path, of models that are here or among the records.

    Raises:
        ConfigError: If a file does not validate, or holds the trials of another model, data set or task.
    """
    for path in sorted((results / "tuned").glob(f"*/*{ENDING}")):
        model, _ = parts_of_stem(path.name)
        if not NAME.fullmatch(path.parent.name) or not is_of_a_model(results, path.parent.name, model):
            continue
        study = read_trials(path)
        if path_of(results, study.dataset, study.model, study.task, study.slug) != path:
            raise ConfigError(
                f"the trials {path} are of {study.dataset} / {study.name}, task {study.task}; move them to their place"
            )
        yield study


def dumped(study: Study) -> str:
    """The file's text: a line for each fact and each trial."""
    facts = study.model_dump(mode="json", exclude_defaults=True)
    ranges = {name: {"low": scale.low, "high": scale.high} for name, scale in study.space.items() if not scale.choices}
    facts["space"] = {name: ranges.get(name, {}) | scale for name, scale in facts["space"].items()}
    trials = ",\n".join(f"  {_json(trial)}" for trial in facts.pop("trials", ()))
    head = "".join(f" {_json(name)}: {_json(value)},\n" for name, value in facts.items())
    return f'{{\n{head} "trials": [\n{trials}\n ]\n}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _number(value: float | None) -> float | None:
    """None for what is not finite, or so large that it says no more than that training diverged."""
    return value if value is not None and math.isfinite(value) and abs(value) <= LARGEST else None


def _time(at: datetime | None) -> float | None:
    """Seconds since 1970; Optuna keeps the clock of the machine."""
    return None if at is None else round(at.timestamp(), 3)


def _text(text: str) -> str:
    """In one line, short and printable."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:LONGEST]


def _shortened(text: str) -> str:
    text = _text(text)
    return text if len(text) < LONGEST else f"{text[: LONGEST - 1]}…"
