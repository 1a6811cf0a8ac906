"""Scores of forecasts that were made elsewhere: by the same code as all others, in physical units, without an audit.

Nobody saw their model run, so nothing is known of what it knew. The record says so (``DoneRun.external``), and no run
is ever taken for one, as the digest of the forecasts is in its specification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.catalog import registry
from bench.catalog.code import code_of_scoring
from bench.catalog.data import Catalog
from bench.errors import ConfigError, ForecastError, UnknownNameError
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun
from bench.records.saved_forecasts import About
from bench.records.spec import Label, Spec
from bench.records.store import NAME, ResultStore
from bench.runs.execution import external_record
from bench.runs.forecast_files import Given, given
from bench.runs.given_windows import check_windows, known_order
from bench.runs.plan import Selection, settings_by_group, task_settings
from bench.runs.profiles import PROFILES
from bench.settings import TaskSettings, TrainSettings

if TYPE_CHECKING:
    import torch

    from bench.task import Task
    from bench.types import SpatioTemporalData
    from bench.windows import WindowSet

ALL: Final = "paper"  # the profile of forecasts of all test windows
FEW: Final = "quick"


@dataclass(frozen=True, kw_only=True)
class ScoredElsewhere:
    """What came of forecasts that were made elsewhere.

    Attributes:
        run: As if it had been planned, for observers.
        there: Whether the results folder had the record already.
        ordered: Whether the forecasts said which windows they are of, so that it was checked.
        first, last: The first and the last window, by time or slot.
    """

    run: PlannedRun
    record: DoneRun
    there: bool
    ordered: bool
    first: str
    last: str


def windows_wanted(selection: Selection, catalog: Catalog) -> About:
    """Which test windows of the selection's data set are scored, and what a forecast of all of them looks like.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read.
    """
    data = _data(selection, catalog)
    return _about(_task(data, _settings(None, selection), "cpu"), data)


def score_forecasts(
    forecasts: object,
    selection: Selection,
    catalog: Catalog,
    results: Path | None,
    *,
    name: str | None = None,
    device: str = "auto",
    key: str = "",
    as_is: bool = False,
) -> ScoredElsewhere:
    """Score forecasts that were made elsewhere, and store their record.

    Args:
        forecasts: An array ``[N, F, C, H, W]`` in physical units, or a path of one.
        selection: The data set, and where it differs from what the file says, task, protocol, profile and seed.
        catalog: The data sets.
        results: The results folder; None stores nothing.
        name: What they are called in tables; None is what the file says.
        device: Where errors are summed.
        key: As for ``bench.runs.forecast_files.given``.
        as_is: Whether to score what looks wrong, too.

    Raises:
        ForecastError: If they are not of the windows that are scored, of another shape, not finite or look wrong.
        BenchError: If a name or a setting is wrong, or the data or the record cannot be read or written.
    """
    array = given(forecasts, key)
    selection = _completed(selection, array)
    data = _data(selection, catalog)
    settings = _settings(array, selection)
    task = _task(data, settings, device)
    about = _about(task, data)
    check_windows(array, about, _other_counts(data, settings))
    windows = task.open_test()
    digest = _looked_through(array, task, windows, as_is=as_is)
    run = _run(_name(name, array), digest, settings, selection, catalog)
    store = None if results is None else ResultStore(results)
    if store and store.has(run.dataset, run.model, run.run_id):
        record = store.read(run.dataset, run.model, run.run_id)
        there = True
    else:
        record, there = _scored(run, array, task, windows, device), False
    assert isinstance(record, DoneRun)  # noqa: S101 - no failed record is ever written of forecasts
    if store:
        store.retire_external(record)
        store.write(record)
    ends = about.origins if about.times is None else about.times
    return ScoredElsewhere(
        run=run, record=record, there=there, ordered=known_order(array), first=str(ends[0]), last=str(ends[-1])
    )


def _completed(selection: Selection, array: Given) -> Selection:
    """With what the file says of data set and seed where nothing was asked for."""
    datasets = selection.datasets or tuple(filter(None, [array.text("dataset")]))
    if not datasets:
        raise ConfigError(f"{array.name} does not say of which data set it is; say --dataset NAME, or dataset=")
    said = array.facts.get("seed")
    seeds = (int(said),) if said is not None and said.ndim == 0 and said.dtype.kind in "iu" and said >= 0 else (0,)
    return replace(selection, datasets=datasets, seeds=selection.seeds or seeds)


def _settings(array: Given | None, selection: Selection) -> TaskSettings:
    """The task as the file has it, unless something of it was asked for; else with all test windows."""
    asked = selection.task or selection.protocol or selection.profile or selection.overrides
    if selection.profile and selection.profile not in PROFILES:
        raise UnknownNameError("profile", selection.profile, PROFILES)
    overrides = settings_by_group(selection.overrides)
    if overrides["model"] or overrides["train"]:
        raise ConfigError("forecasts that are there already have settings of the task alone, such as task.horizon=12")
    if array is not None and not asked and (text := array.text("task")):
        try:
            return msgspec.json.decode(text, type=TaskSettings)
        except (msgspec.MsgspecError, ValueError) as error:
            raise ForecastError(f"{array.name} has a task that is not understood; say --task, or task=") from error
    switches = {**PROFILES[selection.profile or ALL].task, **overrides["task"]}
    return task_settings(selection.task or "short", selection.protocol or "strict", switches)


def _data(selection: Selection, catalog: Catalog) -> SpatioTemporalData:
    (name,) = selection.datasets
    return catalog.load(name)


def _task(data: SpatioTemporalData, settings: TaskSettings, device: str) -> Task:
    from bench.context import resolve_device
    from bench.task import Task

    return Task(data, settings, resolve_device(device))


def _about(task: Task, data: SpatioTemporalData) -> About:
    from bench.runs.saving import about_windows

    return about_windows(task, data.clock, data.identity)


def _other_counts(data: SpatioTemporalData, settings: TaskSettings) -> list[tuple[int, str]]:
    """How many windows other profiles score, for a hint."""
    few = PROFILES[FEW].task["scored"]
    there = _task(data, replace(settings, scored=0), "cpu").counts()["test"]
    counts = {FEW: min(few, there), ALL: there}
    return [(count, f"--profile {name}, or profile='{name}',") for name, count in counts.items()]


def _name(name: str | None, array: Given) -> str:
    """What the forecasts are called.

    Raises:
        ConfigError: If it can be no name of a file, or is that of a model that is run here.
    """
    model = array.text("model")
    usual = f"{model}_saved" if model else array.path.stem if array.path else "forecasts"
    chosen = usual if name is None else name
    if not NAME.fullmatch(chosen):
        raise ConfigError(
            f"forecasts cannot be called '{chosen}'; give a name of letters, digits, - and _ by --name, or name="
        )
    if chosen in registry.model_names():
        raise ConfigError(
            f"'{chosen}' is a model that is run here; give the forecasts another name, by --name, or name="
        )
    return chosen


def _looked_through(array: Given, task: Task, windows: WindowSet, *, as_is: bool) -> str:
    """The digest of the forecasts.

    Raises:
        ForecastError: If one is not finite, or they look wrong.
    """
    from bench.scoring import EVALUATION_BATCH

    digest, start = hashlib.sha256(str(array.shape).encode()), 0
    sample = _Sample(windows)
    for rows in array.batches(EVALUATION_BATCH):
        if not (finite := np.isfinite(rows)).all():
            window, *rest = map(int, np.argwhere(~finite)[0])
            place = [start + window, *rest]
            raise ForecastError(
                f"{array.name} holds a value that is not finite at {place}; every forecast must be a number "
                "that float32 holds, also where the truth is missing"
            )
        digest.update(rows.astype("<f4").tobytes())
        sample.take(rows, start)
        start += len(rows)
    if not as_is and (why := sample.suspicion(windows, task, ordered=known_order(array))):
        raise ForecastError(f"the forecasts of {array.name} {why}; --as-is, or as_is=True, scores them as they are")
    return digest.hexdigest()


class _Sample:
    """A few windows' forecasts, spread over all."""

    def __init__(self, windows: WindowSet) -> None:
        from bench.runs.suspicions import VALUES, WINDOWS
        from bench.windows import spread

        values = windows.horizon * windows.values[0].numel()
        self.positions = spread(len(windows), max(1, min(WINDOWS, VALUES // values)))
        self._rows: list[NDArray[np.float32]] = []

    def take(self, rows: NDArray[np.float32], start: int) -> None:
        here = self.positions[(self.positions >= start) & (self.positions < start + len(rows))] - start
        self._rows.append(rows[here])

    def suspicion(self, windows: WindowSet, task: Task, *, ordered: bool) -> str:
        import torch

        from bench.runs.suspicions import suspicion

        device = windows.origins.device
        truth, valid = windows.target(torch.from_numpy(self.positions).to(device))
        forecasts = torch.from_numpy(np.concatenate(self._rows)).to(device)
        return suspicion(forecasts, truth, valid, task.scaler, ordered=ordered)


def _run(name: str, digest: str, settings: TaskSettings, selection: Selection, catalog: Catalog) -> PlannedRun:
    (dataset,) = selection.datasets
    profile = selection.profile or (FEW if settings.scored == PROFILES[FEW].task["scored"] else ALL)
    spec = Spec(
        data=catalog.identity(dataset),
        task=settings,
        model=name,
        config={},
        train=TrainSettings(precision="fp32"),
        seed=selection.seeds[0],
        weights="none",
        forecasts_sha256=digest,
    )
    card = catalog.card(dataset)
    label = Label(profile=profile, city=card.city, source=card.source)
    return PlannedRun(spec=spec, code=code_of_scoring(dataset), method=name, label=label)


def _scored(run: PlannedRun, array: Given, task: Task, windows: WindowSet, device: str) -> DoneRun:
    import torch

    from bench.context import RunContext, resolve_device
    from bench.runs.arrays import busiest_window, map_of
    from bench.scoring import EVALUATION_BATCH, CellSums, sums_of

    context = RunContext(seed=run.spec.seed, device=resolve_device(device))
    batches = _on_device(array.batches(EVALUATION_BATCH), context.device)
    shown, cells = None, CellSums(windows, task)
    with torch.inference_mode():
        sums = sums_of(
            lambda chosen: next(batches),  # noqa: ARG005
            windows,
            mape_threshold=task.mape_threshold,
            cells=cells,
        )
        position = busiest_window(sums)
        if position is not None:
            forecast = next(rows for number, rows in _windows_of(array) if number == position)
            shown = map_of(forecast.to(context.device), windows, position, task.card)
    return external_record(run, task, windows, sums, cells, context, shown)


def _on_device(batches: Iterator[NDArray[np.float32]], device: torch.device) -> Iterator[torch.Tensor]:
    import torch

    for rows in batches:
        yield torch.from_numpy(rows).to(device)


def _windows_of(array: Given) -> Iterator[tuple[int, torch.Tensor]]:
    """Each window's forecast ``[F, C, H, W]`` with its number."""
    import torch

    from bench.scoring import EVALUATION_BATCH

    start = 0
    for rows in array.batches(EVALUATION_BATCH):
        for number, row in enumerate(rows, start=start):
            yield number, torch.from_numpy(row)
        start += len(rows)
