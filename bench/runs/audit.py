"""The audit of a model: is a forecast what the window alone gives?

The forecasts that were scored are compared with those of a fresh copy that has seen nothing but its weights, and with
those of the scored model asked again: a window alone, its batch in another order, and again after windows whose
histories go on into its target: of every window in the batch as far as a history reaches, of a few to the end. It comes
after the scoring, as a model that remembers what it is shown would gain by an audit before. No process can show that a
model reads no file, searches no memory and does not know when it is watched.
"""

from __future__ import annotations

import math
import pickle  # noqa: TID251 - between processes of ours, nothing from a file or a net
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.context import RunContext, resolve_precision
from bench.errors import AuditError, WorkerError
from bench.forecast import Sampling, copied, forecasts, lone_forecast
from bench.records.forecast_audit import ForecastAudit
from bench.runs.sentences import APART, COUNTED, MEMORY, PLACE, RANDOM, STATISTICS
from bench.scoring import Scored
from bench.settings import Precision
from bench.types import Window
from bench.windows import WindowSet

TOLERANCE: Final = {"fp32": 1e-3, "bf16": 0.05}  # of a scaled forecast, relative where that is above 1


@dataclass(frozen=True, kw_only=True)
class Auditor:
    """Compares the forecasts of one model.

    Attributes:
        model: The one that was scored.
        fresh: A copy that has forecast nothing and has the same weights.
        sampling: How the model was asked.
        elsewhere: Calls a function with arguments in a process of its own; None if there is none.
    """

    model: nn.Module
    fresh: nn.Module
    precision: Precision
    context: RunContext
    sampling: Sampling | None = None
    elsewhere: Callable[..., Any] | None = None

    @property
    def tolerance(self) -> float:
        return TOLERANCE[resolve_precision(self.precision, self.context.device)]

    def check(self, val: Scored, test: Scored, changed: bool) -> ForecastAudit:
        """What the probes show; ``changed`` says that the scored model's weights or buffers are no longer the same.

        Validation is compared as it was scored, in training or after it, so weights that were restored wrongly, or that
        are not all that a trained model is, differ here.

        Raises:
            AuditError: If a forecast depends on more than its window.
        """
        alone, fresh_in = self._fresh_forecasts([val, test])
        known = torch.cat((val.forecasts, test.forecasts))
        first, again = (self._alone(self.model, test.windows, test.positions) for _ in range(2))
        audit = ForecastAudit(
            windows=len(test.positions),
            tolerance=self.tolerance,
            draws=self.sampling.draws if self.sampling else 0,
            fresh_in=fresh_in,
            fresh=difference(known, alone),
            alone=difference(test.forecasts, first),
            repeated=difference(first, again),
            reordered=max(self._reordered(self.model, test, *batch) for batch in test.batches),
            after_others=max(self._after_others(test, *batch) for batch in test.batches),
        )
        if audit.largest > self.tolerance or changed:
            raise AuditError(self._reason(audit, test))
        return audit

    def _fresh_forecasts(self, splits: Sequence[Scored]) -> tuple[Tensor, Literal["process", "copy"]]:
        """Of every probe alone, by the fresh copy: in a process of its own, or here where it cannot be sent to one.

        Raises:
            AuditError: If it arrives in a fresh process and forecasts nothing there.
        """
        windows = [
            (scored.windows.window(one), int(scored.windows.origins[one]))
            for scored in splits
            for one in torch.split(scored.positions, 1)
        ]
        if self.elsewhere is not None and (sent := _pickled((self.fresh, windows))) is not None:
            try:
                answer = self.elsewhere(forecasts_of_sent, sent, self.context, self.precision, self.sampling)
            except WorkerError as error:
                raise AuditError(APART.format(reason=error)) from error
            if answer is not None:
                return torch.from_numpy(answer).to(self.context.device), "process"
        model = copied(self.fresh).eval()
        return _each_alone(model, windows, self.precision, self.sampling), "copy"

    def _alone(self, model: nn.Module, windows: WindowSet, positions: Tensor) -> Tensor:
        return torch.cat([self._ask(model, windows, one) for one in torch.split(positions, 1)])

    def _ask(self, model: nn.Module, windows: WindowSet, chosen: Tensor) -> Tensor:
        with torch.inference_mode():
            return forecasts(model, windows, chosen, self.precision, self.sampling)

    def _reordered(self, model: nn.Module, test: Scored, chosen: Tensor, known: Tensor) -> float:
        order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0)).to(chosen.device)
        return difference(known[order], test.at_cells(self._ask(model, test.windows, chosen[order])))

    def _after_others(self, test: Scored, chosen: Tensor, known: Tensor) -> float:
        """After windows whose histories go on from these into their targets; those of the probes alone to the end."""
        windows, asked = test.windows, chosen
        for steps in _ways(windows.history, windows.horizon):
            self._ask(self.model, windows.moved(steps), asked)
            asked = chosen[torch.isin(chosen, test.positions)]
        return difference(known, test.at_cells(self._ask(self.model, windows, chosen)))

    def _reason(self, audit: ForecastAudit, test: Scored) -> str:
        """Which of all that a forecast may depend on it is, from probes of their own."""
        chosen, _ = max(test.batches, key=lambda batch: len(batch[0]))
        if audit.repeated > self.tolerance:
            return self._unsteady(test.windows, chosen, audit.repeated)
        model, other = (copied(self.fresh).eval() for _ in range(2))
        first = self._alone(model, test.windows, chosen)
        backwards = self._alone(other, test.windows, chosen.flip(0)).flip(0)
        again = self._alone(model, test.windows, chosen)
        if max(difference(first, backwards), difference(first, again)) <= self.tolerance:
            together = self._ask(model, test.windows, chosen)
            if (by := difference(first, together)) > self.tolerance:
                placed = self._reordered(model, test, chosen, test.at_cells(together)) > self.tolerance
                return (PLACE if placed else STATISTICS).format(by=by, training=_still_training(self.model))
        return MEMORY.format(by=audit.largest, training=_still_training(self.model))

    def _unsteady(self, windows: WindowSet, positions: Tensor, by: float) -> str:
        """Randomness, if the same random numbers give the same forecast, else something that is kept."""
        same = []
        for _ in range(2):
            with self.context.own_random_numbers():
                same.append(self._ask(self.model, windows, positions[:1]))
        kept = difference(*same) > self.tolerance
        return (COUNTED if kept else RANDOM).format(by=by, training=_still_training(self.model))


def forecasts_of_sent(
    sent: bytes, context: RunContext, precision: Precision, sampling: Sampling | None
) -> NDArray[np.float32] | None:
    """What a fresh process does: forecast each window of a pickled pair of model and windows alone.

    None if they cannot be unpickled there, such as a class of a notebook.
    """
    context.begin()
    try:
        model, windows = pickle.loads(sent)  # noqa: S301 - bytes of our own: the run that started this process made them by ``_pickled``
    except Exception:  # noqa: BLE001 - the model's file is imported, and may raise anything
        return None
    forecast: NDArray[np.float32] = _each_alone(model.eval(), windows, precision, sampling).cpu().numpy()
    return forecast


def _pickled(model_and_windows: object) -> bytes | None:
    """None of what cannot be pickled, such as a class that a function has made."""
    try:
        return pickle.dumps(model_and_windows)
    except Exception:  # noqa: BLE001 - pickle raises errors of many kinds, and so may a model
        return None


def _ways(history: int, horizon: int) -> list[int]:
    """Steps by which windows are moved so that their histories hold all of a target and each step within and to it."""
    stride = max(1, history - 1)
    return [*range(stride, horizon, stride), horizon]


def difference(first: Tensor, second: Tensor) -> float:
    """The largest difference between two batches of forecasts, relative where a window's largest value is above 1."""
    size = first.abs().flatten(1).amax(dim=1).clamp_min(1)
    by = (first - second).abs().flatten(1).amax(dim=1) / size
    return float(by.nan_to_num(nan=math.inf).max())


def _each_alone(
    model: nn.Module, windows: Sequence[tuple[Window, int]], precision: Precision, sampling: Sampling | None
) -> Tensor:
    with torch.inference_mode():
        return torch.cat([lone_forecast(model, *window, precision, sampling) for window in windows])


def _still_training(model: nn.Module) -> str:
    names = [name or "the model itself" for name, layer in model.named_modules() if layer.training]
    return f" (in training mode after eval(): {', '.join(names[:3])})" if names else ""
