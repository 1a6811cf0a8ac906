"""Whether forecasts that were made elsewhere are of the windows that are scored, in their order and of their shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.errors import ForecastError
from bench.records.saved_forecasts import About
from bench.runs.forecast_files import Given

AXES: Final = "N, F, C, H, W"
TURNED: Final[dict[tuple[int, ...], str]] = {
    (0, 1, 4, 2, 3): "its channels are last",
    (0, 1, 2, 4, 3): "its grid is transposed",
}
ASK: Final = "'stbench score --template' writes the windows that are wanted, and bench.forecast_windows returns them"
LISTS: Final = ("channels", "units")


def check_windows(given: Given, wanted: About, others: Sequence[tuple[int, str]] = ()) -> None:
    """Hold what is known of forecasts without reading them against the windows that are scored.

    Args:
        given: The forecasts.
        wanted: The windows.
        others: How many windows are scored otherwise, and what says so, such as (13, "--profile quick").

    Raises:
        ForecastError: If they are of other data, another shape or other windows.
    """
    _check_facts(given, wanted)
    _check_shape(given, tuple(map(int, wanted.shape)))
    origins, times = (given.facts.get(name) for name in ("origins", "times"))
    if origins is not None:
        _check_listed(given, "origins", origins, wanted.origins, wanted)
    if times is not None and (origins is None or wanted.times is not None):
        if wanted.times is None:
            raise ForecastError(
                f"the times in {given.name} cannot be checked, as those of the data are not known; {ASK}"
            )
        _check_listed(given, "times", _as_times(given, times), wanted.times, wanted)
    if given.shape[0] != len(wanted.origins):
        hint = next((f"{words} scores so many" for number, words in others if number == given.shape[0]), ASK)
        raise ForecastError(f"{given.name} has {given.shape[0]} windows, wanted {len(wanted.origins)}; {hint}")


def known_order(given: Given) -> bool:
    """Whether the forecasts say which windows they are of."""
    return bool({"origins", "times"} & given.facts.keys())


def _check_facts(given: Given, wanted: About) -> None:
    if (dataset := given.text("dataset")) and dataset != wanted.dataset:
        raise ForecastError(f"{given.name} is of the data set '{dataset}', not of '{wanted.dataset}'")
    if (digest := given.text("data_sha256")) and digest != wanted.data_sha256:
        raise ForecastError(
            f"{given.name} was made of other data of '{wanted.dataset}' (sha256 {digest[:12]}, here "
            f"{wanted.data_sha256[:12]}); score it where these are, with --data-dir, or data_dir="
        )
    for name in LISTS:
        listed, ours = given.facts.get(name), getattr(wanted, name)
        if listed is not None and [str(text) for text in listed.ravel()] != [str(text) for text in ours]:
            there = ", ".join(map(str, listed.ravel()))
            raise ForecastError(f"{given.name} has the {name} {there}, wanted {', '.join(map(str, ours))}")


def _check_shape(given: Given, wanted: tuple[int, ...]) -> None:
    shape = given.shape
    if len(shape) == len(wanted) and shape[1:] == wanted[1:]:
        return
    raise ForecastError(f"{given.name} has shape {shape}, wanted [{AXES}] = {wanted}; {_remedy(shape, wanted)}")


def _remedy(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    for axes in permutations(range(len(wanted))) if len(shape) == len(wanted) else ():
        turned = tuple(shape[axis] for axis in axes)
        if turned[1:] == wanted[1:] and axes[0] == 0:
            return f"{TURNED.get(axes, 'its axes are in another order')}: write forecasts.transpose{axes}"
        if turned == wanted:
            return f"its windows are not the first axis: write forecasts.transpose{axes}"
    _, steps, channels, height, width = wanted
    if shape[1:] == (steps, channels, height * width):
        return f"its grid is flat: write forecasts.reshape(-1, {steps}, {channels}, {height}, {width})"
    if channels == 1 and shape[1:] == (steps, height, width):
        return "its channel is missing: write forecasts[:, :, None]"
    if len(shape) == len(wanted) and shape[2:] == wanted[2:]:
        return (
            f"it has {shape[1]} steps where {steps} are forecast; --task and --set task.horizon, or task= and "
            "settings=, say how many"
        )
    return ASK


def _as_times(given: Given, times: NDArray[Any]) -> NDArray[np.datetime64]:
    try:
        return np.asarray(times).astype("datetime64[s]")
    except ValueError as error:
        raise ForecastError(f"the times in {given.name} are no dates such as 2024-03-01T00:00; {ASK}") from error


def _check_listed(given: Given, name: str, listed: NDArray[Any], ours: NDArray[Any], wanted: About) -> None:
    if listed.shape != (given.shape[0],):
        raise ForecastError(f"{given.name} has {given.shape[0]} forecasts and {name} {listed.shape}; give one of each")
    if np.array_equal(listed, ours):
        return
    absent, extra = np.setdiff1d(ours, listed), np.setdiff1d(listed, ours)
    if not absent.size and not extra.size and len(listed) == len(ours):
        raise ForecastError(
            f"{given.name} has the windows in another order; sort forecasts and {name} alike by numpy.argsort({name})"
        )
    if not absent.size and not extra.size:
        raise ForecastError(f"{given.name} has {len(listed) - len(ours)} windows twice; keep one of each")
    raise ForecastError(f"{given.name} {_differing(listed, ours, absent, extra, wanted, name)}; {ASK}")


def _differing(
    listed: NDArray[Any], ours: NDArray[Any], absent: NDArray[Any], extra: NDArray[Any], wanted: About, name: str
) -> str:
    if listed.shape == ours.shape and (steps := np.unique(listed - ours)).size == 1 and absent.size:
        way = "later" if steps[0] > steps.dtype.type(0) else "earlier"
        return (
            f"has {name} that are all {np.abs(steps[0])} {way} than wanted: each is of the first step that is forecast"
        )
    parts = []
    if absent.size:
        parts.append(f"lacks {absent.size} of {len(ours)} windows, the first at {_place(absent[0], wanted)}")
    if extra.size:
        parts.append(f"has {extra.size} that are not scored, the first at {extra[0]}")
    return " and ".join(parts)


def _place(value: Any, wanted: About) -> str:
    """An origin with its time, or a time."""
    if wanted.times is None or isinstance(value, np.datetime64):
        return str(value)
    return f"{value} ({wanted.times[int(np.searchsorted(wanted.origins, value))]})"
