"""A class or a fitted map of one's own, as a notebook or a script has it, in the form of a plug-in."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, make_dataclass
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.catalog import registry
from bench.errors import BenchError, ConfigError
from bench.plain_text import one_line
from bench.records.store import NAME

if TYPE_CHECKING:
    from torch import nn

    from bench.types import TaskShape

TRAINED_ON = "_stbench_trained_on"  # the attribute of a model that was loaded
AS_TRAINED = "name the data set, protocol, task and settings of its record"
Empty = make_dataclass("Empty", [], frozen=True)


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """What a model that is loaded found in training, so that it finds it again.

    Attributes:
        model: Its name in the record.
        shape: What it was built for.
        days_hidden: Of the days before, those that were blank.
        scale: How values were scaled, as text; "" if it is not known.
    """

    model: str
    shape: TaskShape
    days_hidden: tuple[int, ...]
    scale: str

    def check(self, shape: TaskShape) -> None:
        """Refuse windows of other steps or channels.

        Raises:
            ConfigError: With both.
        """
        was, now = (f"{one.history} → {one.horizon} steps of {one.channels} channels" for one in (self.shape, shape))
        if was != now:
            raise ConfigError(
                f"the model '{self.model}' was built for {was}, and these windows are {now}; {AS_TRAINED}"
            )

    def on_another_grid(self, shape: TaskShape, error: Exception) -> ConfigError | None:
        """What is said of an error in forecasting on another grid, which only some models can; None on the same."""
        was, now = (" x ".join(map(str, one.grid)) for one in (self.shape, shape))
        if was == now:
            return None
        return ConfigError(
            f"the model '{self.model}' was built for a grid of {was} cells and cannot forecast one of {now} "
            f"({type(error).__name__}: {one_line(error)}); {AS_TRAINED}"
        )


@dataclass(frozen=True, kw_only=True)
class OwnModel:
    """A model that is in no registry, in the form of a plug-in.

    Attributes:
        source: Its code as text, part of the run's identity.
        trained_on: Of a model that was loaded from a file of weights.
    """

    name: str
    source: str
    Config: type[Any]
    Model: Callable[[TaskShape, Any], nn.Module]
    DAYS_BACK: tuple[int, ...] = ()
    STOCHASTIC: bool = False
    trained_on: TrainedOn | None = None


def own_model(model: type[Any] | Callable[[Any], Any], name: str | None = None) -> OwnModel:
    """A class or a fitted map as a plug-in, called by a name, else by its own.

    Raises:
        ConfigError: If it is neither, has the name of a registered model, or none that a file can have, or its
            ``Config`` is not there or no dataclass.
    """
    if not callable(model):
        raise ConfigError(f"the model is {model!r}, wanted a registered name, a class, or a map that is fitted already")
    name = name or str(getattr(model, "__name__", type(model).__name__))
    config = _config_of(model, name)
    if name in registry.model_names() or not NAME.fullmatch(name):
        raise ConfigError(f"a model of your own cannot be called '{name}'; give it another with name=")
    says = model if hasattr(model, "DAYS_BACK") or hasattr(model, "STOCHASTIC") else _file_of(model)
    trained_on = getattr(model, TRAINED_ON, None)
    make = _maker(model, config) if inspect.isclass(model) else partial(_fitted, model, trained_on)
    return OwnModel(
        name=name,
        source=_source(model) + _source_of_settings(model, config) + (repr(trained_on) if trained_on else ""),
        Config=config,
        Model=make,
        DAYS_BACK=tuple(getattr(says, "DAYS_BACK", ())),
        STOCHASTIC=bool(getattr(says, "STOCHASTIC", False)),
        trained_on=trained_on,
    )


def _config_of(model: Any, name: str) -> type[Any]:
    """The settings of a model: its ``Config``, or what a class takes beside the shape; ``Empty`` if that is nothing.

    What it takes is the dataclass of the annotation, or the ``Config`` beside the class, as in a model's file.
    """
    config, taken = getattr(model, "Config", None), _taken_beside_the_shape(model)
    if config is None and taken is not None:
        config = _found_config(model, taken)
        if config is None and taken.default is taken.empty:
            raise ConfigError(
                f"'{name}' takes '{taken.name}' beside the shape, and there is no Config; "
                "write a dataclass Config beside the class"
            )
    if config is None:
        return Empty
    if not (inspect.isclass(config) and is_dataclass(config)):
        raise ConfigError(f"the Config of '{name}' is no dataclass; write @dataclass above it")
    return config


def _found_config(model: type[Any], taken: inspect.Parameter) -> Any:
    """The dataclass that a parameter is annotated with, or the ``Config`` beside a class; None if there is neither.

    A class that inherits its ``__init__`` may have settings of its own, so what stands beside it comes first.
    """
    names = getattr(model.__init__, "__globals__", {})
    annotated = names.get(taken.annotation) if isinstance(taken.annotation, str) else taken.annotation
    beside = getattr(sys.modules.get(model.__module__), "Config", None)
    if taken.name != "config" and taken.default is not taken.empty:
        beside = None
    if not (inspect.isclass(annotated) and is_dataclass(annotated)):
        return beside
    return annotated if "__init__" in vars(model) else beside or annotated


def _taken_beside_the_shape(model: Any) -> inspect.Parameter | None:
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not inspect.isclass(model):
        return None
    taken = [p for p in inspect.signature(model).parameters.values() if p.kind in by_position]
    return taken[1] if len(taken) > 1 else None


def _file_of(model: Any) -> ModuleType | None:
    """The module of a class that is its ``Model``, as in a model's file, which says there what else it wants."""
    module = sys.modules.get(getattr(model, "__module__", ""))
    return module if getattr(module, "Model", None) is model else None


def _maker(model: type[Any], config: type[Any]) -> Callable[[TaskShape, Any], nn.Module]:
    """What makes an instance, of a class that takes the shape alone or the settings, too."""
    wants_config = config is not Empty and _taken_beside_the_shape(model) is not None

    def make(shape: TaskShape, config: Any) -> nn.Module:
        from torch import nn

        made = model(shape, config) if wants_config else model(shape)
        if not isinstance(made, nn.Module):
            raise ConfigError(f"{model.__name__} makes a {type(made).__name__}, wanted a torch.nn.Module")
        return made

    return make


def _fitted(model: Callable[[Any], Any], trained_on: TrainedOn | None, shape: TaskShape, _: Any) -> nn.Module:
    """A map, or a copy of one with weights, as a module that has nothing to train and no ``fit``."""
    import torch
    from torch import nn

    fixed = copy.deepcopy(model).requires_grad_(requires_grad=False) if isinstance(model, nn.Module) else model
    if trained_on:
        trained_on.check(shape)

    class Fitted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = fixed

        def forward(self, window: Any) -> Any:
            try:
                return self.map(window)
            except Exception as error:
                full = isinstance(error, BenchError | torch.OutOfMemoryError)
                if trained_on and not full and (told := trained_on.on_another_grid(shape, error)):
                    raise told from error
                raise

    return Fitted()


def _source(model: Any) -> str:
    """Its text, and a digest of the weights of one that is fitted."""
    code = model if inspect.isclass(model) or inspect.isroutine(model) else type(model)
    try:
        text = inspect.getsource(code)
    except (OSError, TypeError):  # typed into an interpreter
        text = code.__qualname__
    return text + _weights_digest(model)


def _source_of_settings(model: Any, config: type[Any]) -> str:
    """The text of settings that stand outside of a model's own."""
    if config is Empty or getattr(model, "Config", None) is config:
        return ""
    return _source(config)


def _weights_digest(model: Any) -> str:
    if inspect.isclass(model) or not hasattr(model, "state_dict"):
        return ""
    from bench.train import tensors_sha256

    return tensors_sha256(model.state_dict())
