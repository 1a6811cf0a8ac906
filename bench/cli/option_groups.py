"""Options that several commands have, as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints


def with_options(
    options: type[Any], *, name: str = "options", without: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command one of whose parameters becomes the options that the fields of a dataclass declare.

    Args:
        options: The dataclass; its fields are annotated as typer wants parameters.
        name: Of the parameter.
        without: Fields that the command does not offer.
    """
    hints = get_type_hints(options, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(options)
        if field.name not in without
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            chosen = options(**{parameter.name: values.pop(parameter.name) for parameter in shared})
            command(**{name: chosen}, **values)

        signature = inspect.signature(command, eval_str=True)
        parameters = [
            *shared,
            *(parameter for parameter in signature.parameters.values() if parameter.name != name),
        ]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
