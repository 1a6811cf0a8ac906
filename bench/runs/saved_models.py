"""A model made again of the weights that a run has saved."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.errors import BenchError, ConfigError, WeightsError
from bench.plain_text import shown
from bench.records.record import DoneRun, FailedRun, Record
from bench.records.saved import saved_path
from bench.runs.own_model import TRAINED_ON, TrainedOn
from bench.runs.session import with_files

if TYPE_CHECKING:
    from torch import nn

    from bench.types import ModelPlugin


def load_model(
    record: Record, model: type[Any] | str | Path | None = None, results: Path = Path("results"), device: str = "cpu"
) -> nn.Module:
    """As ``bench.load_model`` describes it."""
    from safetensors import safe_open

    from bench.context import resolve_device
    from bench.runs.saving import built, put_into, shape_from
    from bench.train import tensors_sha256
    from bench.weights import read

    path = _path(record, results)
    plugin = _plugin(record, model)
    tensors = read(path)
    with safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
    beside = {name: tensors.pop(name) for name in json.loads(about.get("beside", "[]")) if name in tensors}
    audit = cast("DoneRun", record).audit
    as_scored = audit is not None and tensors_sha256(tensors) == audit.checkpoint_sha256
    nothing = tensors_sha256({})  # of files that were written before there was such an entry
    if not as_scored or tensors_sha256(beside) != about.get("beside_sha256", nothing) or "shape" not in about:
        raise WeightsError(
            f"{path} holds other weights than those that were scored; run it again with --force, or force=True"
        )
    where = resolve_device(device)
    try:
        made = built(plugin, record.spec.config, shape := shape_from(about["shape"]), where)
        put_into(made, tensors, beside, where)
    except (RuntimeError, KeyError, AttributeError, TypeError) as error:
        raise WeightsError(
            f"the weights {path} do not fit '{record.model}' as its code is today; it was run at "
            f"{record.environment.commit or 'an unknown commit'}"
        ) from error
    hidden = tuple(json.loads(about.get("days_hidden", "[]")))
    trained_on = TrainedOn(model=record.model, shape=shape, days_hidden=hidden, scale=about.get("scaler", ""))
    object.__setattr__(made, TRAINED_ON, trained_on)  # no part of the model
    says = {name: getattr(plugin, name) for name in ("DAYS_BACK", "STOCHASTIC") if hasattr(plugin, name)}
    for name, value in says.items():  # for bench.evaluate, which takes the model as fitted
        setattr(made, name, value)
    return made.eval()


def _path(record: Record, results: Path) -> Path:
    if not isinstance(record, DoneRun | FailedRun):
        raise ConfigError(f"{shown(record)} is no record; give one, such as bench.load_results('results').records[0]")
    if record.external or not isinstance(record, DoneRun):
        kind = "of forecasts made elsewhere" if record.external else "of a run that failed"
        raise ConfigError(f"{record.run_id} is the record {kind}, which has no weights; load a finished run's")
    path = saved_path(results, record, "weights")
    if not path.is_file():
        raise ConfigError(
            f"there are no weights {path}; name the record's own folder by results=, or make the run (again, with "
            "force=True or --force) with bench.run(save_weights=True), or 'stbench run --save-weights'"
        )
    return path


def _plugin(record: Record, model: type[Any] | str | Path | None) -> ModelPlugin:
    """The code of a model, of one's own class or file if it is given; a warning says that it is not the record's."""
    if model is not None and not isinstance(model, str | Path):
        from bench.runs.own_model import own_model

        return own_model(model)
    with with_files([] if model is None else [model], []) as (names, _):
        name = record.model if not names or record.model in names else names[0]
        if name not in registry.model_names():
            raise ConfigError(
                f"no model is registered as '{name}'; give its class or its file: load_model(record, Class), or "
                'load_model(record, "./mine.py")'
            )
        if name == record.model and _code_today(record) != record.code:
            warnings.warn(
                f"the code behind '{name}' has changed since it was run, so it may forecast otherwise", stacklevel=4
            )
        return registry.load("model", name)


def _code_today(record: Record) -> str:
    try:
        return code_of(*record.spec.behind)
    except BenchError:
        return ""
