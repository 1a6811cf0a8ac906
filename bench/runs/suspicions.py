"""What forecasts that were made elsewhere look like that fit their data better in another form.

A shape tells neither the order of windows, nor a square grid on its side, nor values that are still scaled. So a few
forecasts are held against the truth in each of these forms. Where one fits much better, they are refused in a sentence,
unless whoever gave them says that they are as they should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import torch
from torch import Tensor

from bench.windows import Scaler

MUCH: Final = 0.7  # of the error as given; an honest forecast is not that much better on its side
WINDOWS: Final = 96  # that are looked at
VALUES: Final = 2**22  # of them, at most
COMPARED: Final = 4096  # values of a window that is compared with all others
FEWEST: Final = 8  # windows whose order can be judged
LIVELY: Final = 0.7  # of the truth's difference between windows: forecasts that hardly differ say nothing of order
CLOSER: Final = 0.58  # of the other windows are further from a forecast than its own; half of them in a random order

NAMED: Final = "an .npz with their 'origins' says which they are"

Form: TypeAlias = Callable[[Tensor], Tensor]


def suspicion(forecasts: Tensor, truth: Tensor, valid: Tensor, scaler: Scaler, *, ordered: bool) -> str:
    """What is probably wrong with forecasts, as a part of a sentence; empty if nothing is.

    Args:
        forecasts: Of some windows, ``[K, F, C, H, W]``, physical units as they say.
        truth: Likewise.
        valid: Likewise, bool.
        scaler: Fitted on the training part.
        ordered: Whether the order of windows is known to be right.
    """
    error = _error(forecasts, truth, valid)
    if error == 0 and truth[valid].std() > 0:
        return f"are the truth itself, without any error on {len(truth)} windows; score what a model has forecast"
    for reason, form in _forms(forecasts, scaler, ordered=ordered):
        changed = form(forecasts)
        if changed.isfinite().all() and (other := _error(changed, truth, valid)) < MUCH * error:
            return (
                f"{reason} (mean absolute error {error:.4g} as given, {other:.4g} otherwise, on {len(truth)} windows)"
            )
    if not ordered and _out_of_order(forecasts, truth, valid):
        return f"fit their own windows no better than any others, so their order may be another; {NAMED}"
    return ""


def _forms(forecasts: Tensor, scaler: Scaler, *, ordered: bool) -> Iterator[tuple[str, Form]]:
    """What is tried, each with what it means."""
    low, high = scaler.low, scaler.high
    given = f"from {forecasts.min():.4g} to {forecasts.max():.4g}"
    ours = f"the training part from {low.min():.4g} to {high.max():.4g}"
    if forecasts.std() > 0:
        scaled = f"look scaled: they go {given}, {ours} in physical units; undo the scaling"
        yield scaled, lambda values: values * scaler.scale + scaler.center
        yield scaled, lambda values: values * (high - low) / 2 + (high + low) / 2
        yield scaled, lambda values: values * (high - low) + low
        yield scaled, lambda values: values * high
        yield f"look like logarithms: they go {given}, {ours}; undo them with numpy.expm1", torch.expm1
    if forecasts.shape[-1] == forecasts.shape[-2]:
        yield "look transposed: write forecasts.swapaxes(-1, -2)", lambda values: values.transpose(-1, -2)
    yield "look upside down: write forecasts[..., ::-1, :]", lambda values: values.flip(-2)
    yield "look mirrored: write forecasts[..., ::-1]", lambda values: values.flip(-1)
    if forecasts.shape[2] > 1:
        yield "look as if their channels were in another order", lambda values: values.flip(2)
    if not ordered:
        yield "look as if their windows went from the last to the first", lambda values: values.flip(0)
    if forecasts.shape[1] > 1:
        yield "look as if their steps went from the last to the first", lambda values: values.flip(1)


def _error(forecasts: Tensor, truth: Tensor, valid: Tensor) -> float:
    return float(((forecasts - truth).abs() * valid).double().sum() / valid.sum().clamp_min(1))


def _out_of_order(forecasts: Tensor, truth: Tensor, valid: Tensor) -> bool:
    if len(forecasts) < FEWEST:
        return False
    step = max(1, forecasts[0].numel() // COMPARED)
    guesses, facts, counts = (values.flatten(1)[:, ::step] for values in (forecasts, truth, valid))
    differing, truly = (_between(values, values, counts).mean() for values in (guesses, facts))
    between = _between(_alike(guesses), _alike(facts), counts)  # so that a bias says nothing of order
    own = between.diagonal()[:, None]
    further = ((between > own).double() + (between == own).double() / 2).mean()
    return bool(differing >= LIVELY * truly and further < CLOSER)


def _alike(values: Tensor) -> Tensor:
    """Around their mean over windows, and of one spread."""
    around = values - values.mean(0)
    return around / around.std().clamp_min(1e-12)


def _between(first: Tensor, second: Tensor, counts: Tensor) -> Tensor:
    """Mean absolute difference of each of the first to each of the second ``[K, K]``, where the second counts."""
    rows = [((one - second).abs() * counts).sum(1) / counts.sum(1).clamp_min(1) for one in first]
    return torch.stack(rows).double()
