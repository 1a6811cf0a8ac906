"""Optuna studies that several processes share and that survive ``kill -9``: names, search spaces, and who runs what.

The rule that makes a study end at exactly the trials asked for: trials are handed out under one file lock, to a worker
that holds another lock for as long as its process lives. Whoever hands out a trial first looks for trials that are
running while nobody holds their worker's lock: those died, become failed, count for nothing, and are drawn again.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
from filelock import FileLock
from pydantic import ValidationError

from bench.config import Space
from bench.errors import ConfigError
from bench.records.planned import PlannedRun
from bench.records.spec import Spec
from bench.runs.search import METHOD, searched, slug, stem
from bench.runs.suite import first_problem
from bench.tuning.storage import one_sentence
from bench.tuning.study import Scale, distribution
from bench.tuning.worker import Worker

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

STARTUP = 5  # finished trials before any is pruned
SEED_BITS = 2**32


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one study tunes: a run with the settings of its profile, and the space around them.

    Attributes:
        fixed: What was set by hand, such as "train.epochs=2"; neither it nor what a variant sets is searched.
    """

    run: PlannedRun
    space: Mapping[str, Space]
    fixed: tuple[str, ...]

    @cached_property
    def study(self) -> str:
        """Says what is tuned on what, with a digest of everything that could change a trial's result."""
        spec, settings = self.run.spec, {key: asdict(space) for key, space in self.space.items()}
        text = json.dumps([METHOD, self.run.run_id, self.default, settings], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        parts = (self.run.dataset, self.name, spec.task.name, spec.task.protocol, self.profile)
        return "/".join((*parts, digest))

    @cached_property
    def draws(self) -> str:
        """What the draws of its trials follow from: what is searched and on what, whatever code answers."""
        task, settings = asdict(self.run.spec.task), {key: asdict(space) for key, space in self.space.items()}
        return json.dumps([METHOD, self.run.dataset, self.name, task, self.default, settings], sort_keys=True)

    @property
    def slug(self) -> str:
        """Of the variant; empty for the model itself."""
        return slug(self.run.variant)

    @property
    def name(self) -> str:
        """Of the model, with its variant."""
        return stem(self.run.model, self.slug)

    @property
    def profile(self) -> str:
        return self.run.label.profile

    @property
    def title(self) -> str:
        """Names the study to a person; its task is named where it is not the usual one."""
        task = self.run.spec.task.name
        return f"{self.run.dataset} / {self.run.method}{'' if task == 'short' else f' / {task}'}"

    @property
    def default(self) -> dict[str, Any]:
        """The values that are there without tuning."""
        groups = {"model": self.run.spec.config, "train": asdict(self.run.spec.train)}
        return {key: groups[key.partition(".")[0]][key.partition(".")[2]] for key in self.space}

    @property
    def scales(self) -> dict[str, Scale]:
        """The space as a file of trials holds it.

        Raises:
            ConfigError: If it cannot, such as a choice that is no number, text or truth value.
        """
        try:
            return scales(self.space, self.default)
        except ValidationError as error:
            raise ConfigError(
                f"the settings of '{self.run.model}' cannot be searched: {first_problem(error)}; mend its search space"
            ) from error

    def spec(self, values: Mapping[str, Any]) -> Spec:
        """The run with these values of the space."""
        spec, model, train = self.run.spec, *(grouped(values, name) for name in ("model", "train"))
        return msgspec.structs.replace(spec, config={**spec.config, **model}, train=replace(spec.train, **train))


def grouped(values: Mapping[str, Any], group: str) -> dict[str, Any]:
    """The values of "model.<setting>" or of "train.<setting>", by setting."""
    return {key.partition(".")[2]: value for key, value in values.items() if key.partition(".")[0] == group}


def job(run: PlannedRun, fixed: Sequence[str]) -> Job | None:
    """The study of a run; None if nothing of it is left to tune.

    Raises:
        ConfigError: If its task has sources, whose validation is not that of the data set.
    """
    if run.spec.sources:
        raise ConfigError(
            f"the task '{run.spec.task.name}' is not tuned, as its validation is that of other data sets; tune with "
            "--task short, or task='short', and give what it finds with --set, or settings="
        )
    space = searched(run.model, (*fixed, *run.variant))
    return Job(run=run, space=space, fixed=tuple(fixed)) if space else None


def scales(space: Mapping[str, Space], default: Mapping[str, Any]) -> dict[str, Scale]:
    """What is searched of every setting; a default outside of its space belongs to it, too."""
    return {key: _scale(own, default[key]) for key, own in sorted(space.items())}


def _scale(space: Space, default: Any) -> Scale:
    if space.choices is not None:
        return Scale(choices=tuple(dict.fromkeys((*space.choices, default))))
    low, high = min(space.low or 0.0, default), max(space.high or 0.0, default)
    whole = isinstance(default, int) and not isinstance(default, bool)
    return Scale(low=low, high=high, log=space.log, whole=whole)


@dataclass(frozen=True, kw_only=True)
class Target:
    """When a study is done: after so many finished trials, or so many seconds of trials."""

    trials: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.trials} trials" if self.trials is not None else f"{self.seconds:g} s"

    def at_least(self, finished: int) -> Target:
        """As many trials as are finished, if that is more: an earlier command asked for them. Seconds stay."""
        return self if self.trials is None else replace(self, trials=max(self.trials, finished))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a study's trials came to.

    Attributes:
        finished: Complete or pruned: what counts.
        failed: Ended with an error.
        killed: Their process ended before they did.
        seconds: Of all but the killed ones.
        default, best: Validation MAE.
    """

    finished: int
    pruned: int
    failed: int
    killed: int
    running: int
    seconds: float
    default: float | None
    best: float | None


class SharedStudy:
    """One study as one worker sees it; whatever reads or writes it raises ``StoreError`` where the storage fails.

    Attributes:
        key: Drawn when it was begun: tells it from another of the same name, in another folder or begun anew.

    Raises:
        ConfigError: If it belongs to another results folder, whose locks are not ours, or its space cannot be searched.
    """

    def __init__(self, job: Job, target: Target, storage: BaseStorage, worker: Worker) -> None:
        import optuna

        self.job, self.target, self._worker = job, target, worker
        self._distributions = {name: distribution(scale) for name, scale in job.scales.items()}
        self._url = getattr(storage, "url", None)
        self._lock = FileLock(worker.locks / f"{job.study.rpartition('/')[2]}.lock")
        warmup = job.run.spec.train.epochs // 3
        pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=warmup)
        with one_sentence(self._url), self._lock:
            self._study = optuna.create_study(
                storage=storage, study_name=job.study, direction="minimize", load_if_exists=True, pruner=pruner
            )
            if self._study.user_attrs.setdefault("home", worker.home) != worker.home:
                raise ConfigError(
                    f"the study {job.study} was begun from another results folder; workers on one study share one, so "
                    "give that folder with --results, or results=, or another data base with --storage, or storage="
                )
            self._study.set_user_attr("home", worker.home)
            self.key = str(self._study.user_attrs.get("key", uuid.uuid4().hex))
            self._study.set_user_attr("key", self.key)

    def claim(self) -> Trial | None:
        """A trial of one's own, its values drawn; None if as many as are wanted are finished or at work.

        The default settings come first. Every trial that did not die has a draw of its own, the sampler's seed; the
        draw of one whose process died is free again, so its values are not lost and nobody else's are drawn twice.
        """
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        with one_sentence(self._url), self._lock:
            for dead in self._dead():
                with suppress(ValueError):
                    self._study.tell(dead.number, state=TrialState.FAIL, skip_if_finished=True)
            kept = [trial for trial in self.trials() if not is_killed(trial)]
            if self._taken(kept):
                return None
            if not any(map(is_default, kept)):
                self._study.enqueue_trial(self.job.default, user_attrs={"default": True})
            used = {trial.user_attrs.get("draw") for trial in kept}
            draw = next(number for number in count() if number not in used)
            self._study.sampler = TPESampler(seed=_seed(self.job.draws, draw))
            trial = self._study.ask(self._distributions)
            trial.set_user_attr("draw", draw)
            trial.set_user_attr("worker", self._worker.name)
            return trial

    def spend(self, trial: Trial, seconds: float) -> None:
        """The trial took so long until now."""
        with one_sentence(self._url):
            trial.set_user_attr("seconds", seconds)

    def finish(self, trial: Trial, value: float) -> None:
        """The trial ran to its end."""
        with one_sentence(self._url):
            self._study.tell(trial, value)

    def prune(self, trial: Trial) -> None:
        """The trial was stopped early."""
        from optuna.trial import TrialState

        with one_sentence(self._url):
            self._study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """The trial ended with an error."""
        from optuna.trial import TrialState

        with one_sentence(self._url):
            trial.set_user_attr("reason", reason)
            self._study.tell(trial, state=TrialState.FAIL)

    def trials(self) -> list[FrozenTrial]:
        with one_sentence(self._url):
            return self._study.get_trials(deepcopy=False)

    def tally(self) -> Tally:
        """What all trials came to."""
        trials = self.trials()
        states = [trial.state.name for trial in trials]
        complete = {trial.number: trial.value for trial in trials if trial.state.name == "COMPLETE"}
        values = [value for value in complete.values() if value is not None]
        return Tally(
            finished=states.count("COMPLETE") + states.count("PRUNED"),
            pruned=states.count("PRUNED"),
            failed=sum(trial.state.name == "FAIL" and not is_killed(trial) for trial in trials),
            killed=sum(map(is_killed, trials)),
            running=states.count("RUNNING"),
            seconds=_seconds(trials),
            default=next((trial.value for trial in trials if is_default(trial) and trial.number in complete), None),
            best=min(values, default=None),
        )

    def spent(self) -> bool:
        """Whether the seconds asked for are used up; never if trials are counted."""
        return self.target.seconds is not None and _seconds(self.trials()) >= self.target.seconds

    def done(self) -> bool:
        """Whether all is finished that was asked for, and nobody is at work."""
        if self.target.trials is not None:
            return self.tally().finished >= self.target.trials
        return self.spent() and not any(trial.state.name == "RUNNING" for trial in self.trials())

    def under_way(self) -> bool:
        """Whether a worker that lives has a trial, of this command or of another one."""
        return len(self._dead()) < self.tally().running

    def best(self) -> FrozenTrial | None:
        """The complete trial of the lowest validation MAE, the first of equals."""
        complete = [trial for trial in self.trials() if trial.state.name == "COMPLETE"]
        return min(complete, key=lambda trial: (trial.value, trial.number), default=None)

    def _dead(self) -> list[FrozenTrial]:
        """Trials that run without a living worker; one without a name died while it was handed out, under our lock."""
        running = [trial for trial in self.trials() if trial.state.name == "RUNNING"]
        return [trial for trial in running if not self._worker.alive(trial.user_attrs.get("worker", "nobody"))]

    def _taken(self, kept: Sequence[FrozenTrial]) -> bool:
        if self.target.trials is None:
            return self.spent() and any(map(is_default, kept))
        return sum(trial.state.name in ("COMPLETE", "PRUNED", "RUNNING") for trial in kept) >= self.target.trials


def is_default(trial: FrozenTrial | Trial) -> bool:
    """Whether it tries the default settings."""
    return bool(trial.user_attrs.get("default"))


def is_killed(trial: FrozenTrial) -> bool:
    """Whether its process ended before it did: an error leaves a reason."""
    return trial.state.name == "FAIL" and "reason" not in trial.user_attrs


def _seconds(trials: Sequence[FrozenTrial]) -> float:
    return float(sum(trial.user_attrs.get("seconds", 0.0) for trial in trials if not is_killed(trial)))


def _seed(draws: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{draws} {number}".encode()).digest()[:8], "big") % SEED_BITS
