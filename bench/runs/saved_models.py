"""A model made again of the weights that a run has saved."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.errors import BenchError, ConfigError, WeightsError
from bench.records.record import DoneRun, Record
from bench.records.saved import saved_path

if TYPE_CHECKING:
    from torch import nn

    from bench.types import ModelPlugin


def load_model(
    record: Record, model: type[Any] | None = None, results: Path = Path("results"), device: str = "cpu"
) -> nn.Module:
    """As ``bench.load_model`` describes it."""
    from safetensors import safe_open

    from bench.context import resolve_device
    from bench.runs.saving import built, put_into, shape_from
    from bench.train import tensors_sha256
    from bench.weights import read

    path = _path(record, results)
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
    plugin = _plugin(record, model)
    where = resolve_device(device)
    made = built(plugin, record.spec.config, shape_from(about["shape"]), where)
    try:
        put_into(made, tensors, beside, where)
    except (RuntimeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"the weights {path} do not fit '{record.model}' as its code is today; it was run at "
            f"{record.environment.commit or 'an unknown commit'}"
        ) from error
    for name in ("DAYS_BACK", "STOCHASTIC"):  # for bench.evaluate, which takes the model as fitted
        if hasattr(plugin, name):
            setattr(made, name, getattr(plugin, name))
    return made.eval()


def _path(record: Record, results: Path) -> Path:
    if record.external or not isinstance(record, DoneRun):
        kind = "of forecasts made elsewhere" if record.external else "of a run that failed"
        raise ConfigError(f"{record.run_id} is the record {kind}, which has no weights; load a finished run's")
    path = saved_path(results, record, "weights")
    if not path.is_file():
        raise ConfigError(
            f"there are no weights {path}; 'stbench run --save-weights' or bench.run(save_weights=True) keeps them, "
            "of a run that is done with --force or force=True, unless it says that a model made of them forecasts "
            "otherwise"
        )
    return path


def _plugin(record: Record, model: type[Any] | Callable[[Any], Any] | None) -> ModelPlugin:
    """The code of a model, of one's own class if it is given; a warning says that it is not that of the record."""
    if model is not None:
        from bench.runs.single import own_model

        return own_model(model)
    if record.model not in registry.model_names():
        raise ConfigError(f"no model is registered as '{record.model}'; give its class: load_model(record, Class)")
    try:
        today = code_of(*record.spec.behind)
    except BenchError:
        today = ""
    if today != record.code:
        warnings.warn(
            f"the code behind '{record.model}' has changed since it was run, so it may forecast otherwise", stacklevel=4
        )
    return registry.load("model", record.model)
