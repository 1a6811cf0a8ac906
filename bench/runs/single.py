"""One model on one data set, for notebooks: a registered one, or a class or a map of one's own."""

from __future__ import annotations

import copy
import hashlib
import inspect
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.catalog.data import Catalog, resolve_data_dir
from bench.catalog.pretrained import fetch_unknown
from bench.errors import ConfigError
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun
from bench.records.saved import NOTHING, Saving
from bench.records.store import NAME, ResultStore
from bench.runs.execution import done_record, environment
from bench.runs.isolation import call
from bench.runs.own_code import keep
from bench.runs.plan import Selection, plan, plan_own
from bench.runs.session import unsaved
from bench.runs.suite import load_suite
from bench.runs.worker import open_task

if TYPE_CHECKING:
    from torch import nn

    from bench.types import ModelPlugin, TaskShape

CORE_ALONE = "last_value"  # a model whose code is little more than what every run has
Empty = make_dataclass("Empty", [], frozen=True)


@dataclass(frozen=True, kw_only=True)
class OwnModel:
    """A model that is in no registry, in the form of a plug-in.

    Attributes:
        source: Its code as text, part of the run's identity.
    """

    name: str
    source: str
    Config: type[Any]
    Model: Callable[[TaskShape, Any], nn.Module]
    DAYS_BACK: tuple[int, ...] = ()
    STOCHASTIC: bool = False


def evaluate_model(
    model: str | type[Any] | Callable[[Any], Any],
    selection: Selection,
    data_dir: Path | None,
    results: Path | None,
    device: str,
    saving: Saving = NOTHING,
    *,
    name: str | None = None,
) -> DoneRun:
    """As ``bench.evaluate`` describes it; the selection names one data set and one seed."""
    if saving.kinds and results is None:
        raise ConfigError(f"{' and '.join(saving.kinds)} are saved in a results folder; add results='results'")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if results is None else results / "cache"
        catalog = Catalog(data_dir=resolve_data_dir(data_dir), cache=cache)
        run, plugin = _planned(model, selection, catalog, device, name)
        store = None if results is None else ResultStore(results)
        if store and isinstance(model, str) and store.has(run.dataset, run.model, run.run_id):
            for sentence in unsaved([run], cast("Path", results), saving, before=True):
                warnings.warn(sentence, stacklevel=3)
            return cast("DoneRun", store.read(run.dataset, run.model, run.run_id))
        record = _scored(run, plugin, catalog, device, saving, results or Path(scratch))
        if results is not None:
            keep([run], catalog, results)
    if store and not isinstance(model, str):  # an older one is put aside: its source may not be all that a model is
        store.retire_spec(run.dataset, run.model, run.spec_id)
    if store:
        store.write(record)
        for sentence in unsaved([run], cast("Path", results), saving, before=False):
            warnings.warn(sentence, stacklevel=3)
    return record


def evaluate_forecasts(
    forecasts: object,
    selection: Selection,
    data_dir: Path | None,
    results: Path | None,
    device: str,
    *,
    name: str | None,
    as_is: bool,
    saving: Saving,
) -> DoneRun:
    """As ``bench.evaluate`` describes it."""
    from bench.runs.external import score_forecasts

    if saving.kinds:
        raise ConfigError("forecasts that are there already are not saved again; leave save_ out")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if results is None else results / "cache"
        catalog = Catalog(data_dir=resolve_data_dir(data_dir), cache=cache)
        return score_forecasts(forecasts, selection, catalog, results, name=name, device=device, as_is=as_is).record


def own_model(model: type[Any] | Callable[[Any], Any], name: str | None = None) -> OwnModel:
    """A class or a fitted map as a plug-in, called by a name, else by its own.

    Raises:
        ConfigError: If it is neither, has the name of a registered model, or none that a file can have, or its
            ``Config`` is no dataclass.
    """
    if not callable(model):
        raise ConfigError(f"the model is {model!r}, wanted a registered name, a class, or a map that is fitted already")
    name = name or str(getattr(model, "__name__", type(model).__name__))
    config = getattr(model, "Config", Empty)
    if not (inspect.isclass(config) and is_dataclass(config)):
        raise ConfigError(f"the Config of '{name}' is no dataclass; write @dataclass above it")
    if name in registry.model_names() or not NAME.fullmatch(name):
        raise ConfigError(f"a model of your own cannot be called '{name}'; give it another with name=")
    make = _maker(model) if inspect.isclass(model) else lambda shape, config: _fitted(model)  # noqa: ARG005
    return OwnModel(
        name=name,
        source=_source(model),
        Config=config,
        Model=make,
        DAYS_BACK=tuple(getattr(model, "DAYS_BACK", ())),
        STOCHASTIC=bool(getattr(model, "STOCHASTIC", False)),
    )


def _planned(
    model: Any, selection: Selection, catalog: Catalog, device: str, name: str | None
) -> tuple[PlannedRun, ModelPlugin]:
    if isinstance(model, str):
        suite, one = load_suite("short_term"), replace(selection, models=(model,))
        (run,) = plan(suite, one, catalog, device=device)
        if fetch_unknown([(run.model, run.spec.config)]):
            (run,) = plan(suite, one, catalog, device=device)
        return run, registry.load("model", model)
    plugin = own_model(model, name)

    def code(sources: Sequence[str]) -> str:
        core = code_of(selection.datasets[0], CORE_ALONE, *sources)
        return hashlib.sha256((core + plugin.source).encode()).hexdigest()[:12]

    return plan_own(plugin.name, plugin.Config, selection, catalog, code, device), plugin


def _scored(
    run: PlannedRun, plugin: ModelPlugin, catalog: Catalog, device: str, saving: Saving, results: Path
) -> DoneRun:
    from bench.context import RunContext, resolve_device
    from bench.runs.evaluator import run_model
    from bench.runs.saving import saver_of

    context = RunContext(seed=run.spec.seed, device=resolve_device(device))
    with saver_of(saving, run, results) as saver:
        outcome = run_model(
            plugin,
            run.spec.config,
            run.spec.train,
            lambda: open_task(run, catalog, context.device, plugin),
            context,
            elsewhere=call,
            keep=saver.keep,
        )
        saver.save_weights(plugin, outcome, context)
        return done_record(run, outcome, environment(context, run))


def _maker(model: type[Any]) -> Callable[[TaskShape, Any], nn.Module]:
    """What makes an instance, of a class that takes the shape alone or the settings, too."""
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [p for p in inspect.signature(model).parameters.values() if p.kind in by_position]
    wants_config = len(taken) > 1 and (hasattr(model, "Config") or taken[1].default is inspect.Parameter.empty)

    def make(shape: TaskShape, config: Any) -> nn.Module:
        from torch import nn

        made = model(shape, config) if wants_config else model(shape)
        if not isinstance(made, nn.Module):
            raise ConfigError(f"{model.__name__} makes a {type(made).__name__}, wanted a torch.nn.Module")
        return made

    return make


def _fitted(model: Callable[[Any], Any]) -> nn.Module:
    """A map, or a copy of one with weights, as a module that has nothing to train and no ``fit``."""
    from torch import nn

    fixed = copy.deepcopy(model).requires_grad_(requires_grad=False) if isinstance(model, nn.Module) else model

    class Fitted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = fixed

        def forward(self, window: Any) -> Any:
            return self.map(window)

    return Fitted()


def _source(model: Any) -> str:
    """Its text, and a digest of the weights of one that is fitted."""
    code = model if inspect.isclass(model) or inspect.isroutine(model) else type(model)
    try:
        text = inspect.getsource(code)
    except (OSError, TypeError):  # typed into an interpreter
        text = code.__qualname__
    return text + _weights_digest(model)


def _weights_digest(model: Any) -> str:
    if inspect.isclass(model) or not hasattr(model, "state_dict"):
        return ""
    from bench.train import tensors_sha256

    return tensors_sha256(model.state_dict())
