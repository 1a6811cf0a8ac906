"""The command that makes a run again, with everything that is not its usual value written out."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Final

from bench.records.record import Record
from bench.records.spec import changes
from bench.settings import TASKS, TaskSettings

OWN_FILE: Final = "STBENCH_PLUGINS=FILE"
WEIGHTS: Final = "model.weights"
OF_OPTIONS: Final = ("name", "protocol")


def command_of(record: Record, *, own: bool = False) -> str:
    """A command for a shell whose run has the record's id; empty of forecasts that were made elsewhere.

    ``DIR`` in it is the folder of real data, ``WEIGHTS`` that of pre-trained weights, which are perhaps in the cache of
    the hub, and ``FILE``, if ``own``, that of a model or data set of the user's own. A tuned run needs the files of its
    tuning, too.
    """
    if record.external:
        return ""
    spec, label = record.spec, record.label
    words = [OWN_FILE] if own else []
    words += ["stbench", "run", "--dataset", spec.data.name, "--model", spec.model, "--seed", str(spec.seed)]
    words += ["--profile", label.profile, "--task", spec.task.name, "--protocol", spec.task.protocol]
    words += ["--tuned"] if spec.tuned else []
    words += [word for change in _settings(record) for word in ("--set", change)]
    words += [] if spec.data.synthetic else ["--data-dir", "DIR"]
    words += ["--weights-dir", "WEIGHTS"] if spec.weights_sha256 else []
    on_cpu = spec.train.precision == "fp32" and record.environment.device in ("cpu", "")
    return shlex.join([*words, *(["--device", "cpu"] if on_cpu else [])])


def _settings(record: Record) -> list[str]:
    task, usual = asdict(record.spec.task), asdict(TASKS.get(record.spec.task.name, TaskSettings(name="short")))
    of_task = {f"task.{name}": value for name, value in task.items() if value != usual[name] and name not in OF_OPTIONS}
    weights = record.label.overrides.get(WEIGHTS)
    return [*changes({**record.label.overrides, **of_task}), *([f"{WEIGHTS}={weights}"] if weights else [])]
