"""Records as one pandas frame, for people: one row per run, plain columns, scores in physical units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import UnknownNameError
from bench.metrics import METRICS
from bench.records.arrays import values_of
from bench.records.record import DoneRun, Record
from bench.records.spec import changes

if TYPE_CHECKING:
    import pandas as pd

SORT = ["dataset", "model", "task", "protocol", "profile", "weights", "seed", "run_id"]
COSTS = ("parameters", "trainable_parameters", "flops", "train_s", "wall_s", "ms_per_window", "peak_mb", "epochs")
SWITCHES = ("fraction", "windows", "equal_steps", "days_back", "calendar", "leaky_scaler", "clamp", "scored", "scaler")
COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("dataset", "model", "task", "protocol", "profile", "weights"), "str"),
    "seed": "int64",
    "status": "str",
    **dict.fromkeys(("naive", "external", "synthetic", "tuned"), "bool"),
    **dict.fromkeys(("changes", "weights_sha256"), "str"),
    **dict.fromkeys(("history", "horizon"), "int64"),
    "fraction": "float64",
    **dict.fromkeys(("windows", "days_back"), "str"),
    **dict.fromkeys(("equal_steps", "calendar", "leaky_scaler", "clamp"), "bool"),
    "scored": "int64",
    **dict.fromkeys(("scaler", "sources"), "str"),
    **dict.fromkeys(("device", "run_id"), "str"),
    **{f"{split}_{metric}": "float64" for split in ("test", "val") for metric in METRICS},
    **dict.fromkeys(("train_windows", "val_windows", "test_windows"), "float64"),
    **dict.fromkeys(COSTS, "float64"),
    "error": "str",
}
"""Every column and its type; a number that a run lacks is NaN, a text that it lacks is empty."""


def to_frame(records: Iterable[Record], stale: Iterable[bool] | None = None) -> pd.DataFrame:
    """One row per run, in an order that does not depend on the records' order.

    Returns:
        The columns of ``COLUMNS``: ``test_mae`` and so on for every split and metric, and ``train_windows``,
        ``parameters``, ``train_s`` and other counts and costs, all NaN for a failed run, whose ``error`` says why, and
        the costs for forecasts that were made elsewhere (``external``);
        ``changes`` are the settings that are not the profile's, and ``sources`` the data sets that were trained on
        before. With ``stale`` also a column ``stale``: whether other
        code than today's made the run.
    """
    import pandas as pd

    frame = pd.DataFrame([_row(record) for record in records], columns=list(COLUMNS)).astype(dict(COLUMNS))
    if stale is not None:
        frame["stale"] = pd.Series(list(stale), dtype="bool")
    return frame.sort_values(SORT, ignore_index=True)


def scores_by(records: Iterable[Record], by: str, split: str = "test") -> pd.DataFrame:
    """The scores of finished runs, one row for each and each step or channel.

    Args:
        records: Failed ones, and those without scores on the split, are left out.
        by: "step", counted from 1, or "channel", by name; steps are of all channels together, and channels of all
            steps.
        split: "test" or "val".

    Returns:
        The columns ``dataset``, ``model``, ``seed``, ``run_id``, ``step`` or ``channel``, and one for each metric; NaN
        where nothing was counted, as by step where the units of channels differ.

    Raises:
        UnknownNameError: If it is neither, or there is no such split.
    """
    import pandas as pd

    for kind, name, known in (("cut of scores", by, ("step", "channel")), ("split", split, ("test", "val"))):
        if name not in known:
            raise UnknownNameError(kind, name, known)
    rows = [
        {
            "dataset": record.dataset,
            "model": record.model,
            "seed": record.seed,
            "run_id": record.run_id,
            by: label,
            **{name: getattr(score, f"per_{by}")[at] for name, score in record.scores[split].items()},
        }
        for record in records
        if isinstance(record, DoneRun) and split in record.scores
        for at, label in enumerate(_labels(record, by, split))
    ]
    columns = ["dataset", "model", "seed", "run_id", by, *METRICS]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(METRICS, "float64"))


def errors_by_window(record: DoneRun) -> pd.DataFrame:
    """The errors of each test window over all its steps, channels and cells that count.

    Returns:
        The columns ``start``, the slot of the window's first step; ``values``, how many count; and ``mae`` and
        ``rmse``, in the units of ``bench.records.arrays.WindowErrors``, NaN where none counts.
    """
    import pandas as pd

    kept = record.windows
    count, absolute, square = (values_of(array) for array in (kept.count, kept.absolute, kept.square))
    frame = pd.DataFrame({"start": kept.starts, "values": count.astype("int64")})
    some = frame["values"].where(frame["values"] > 0)
    return frame.assign(mae=absolute / some, rmse=(square / some) ** 0.5)


def _labels(record: DoneRun, by: str, split: str) -> list[Any]:
    """What the steps or channels of a record are called; by number where their names are not known."""
    count = len(getattr(record.scores[split]["mae"], f"per_{by}"))
    if by == "channel" and len(record.channels) == count:
        return [channel.name for channel in record.channels]
    return list(range(1, count + 1))


def _row(record: Record) -> dict[str, Any]:
    spec = record.spec
    row: dict[str, Any] = {
        "dataset": record.dataset,
        "model": record.model,
        "task": spec.task.name,
        "protocol": spec.task.protocol,
        "profile": record.label.profile,
        "weights": spec.weights,
        "seed": record.seed,
        "status": record.status,
        "naive": record.naive,
        "external": record.external,
        "synthetic": spec.data.synthetic,
        "tuned": spec.tuned,
        "changes": ", ".join(changes(record.label.overrides)),
        "weights_sha256": spec.weights_sha256 or "",
        "history": spec.task.history,
        "horizon": spec.task.horizon,
        **{name: getattr(spec.task, name) for name in SWITCHES},
        "sources": ", ".join(source.name for source in spec.sources),
        "device": record.environment.device,
        "run_id": record.run_id,
    }
    return row | (_measured(record) if isinstance(record, DoneRun) else {"error": str(record.error)})


def _measured(record: DoneRun) -> dict[str, Any]:
    scores = {f"{split}_{name}": s.overall for split, named in record.scores.items() for name, s in named.items()}
    counts = {
        "train_windows": record.counts.train,
        "val_windows": record.counts.val,
        "test_windows": record.counts.test,
    }
    costs = {name: getattr(record.cost, name, math.nan) for name in COSTS}
    return {**scores, **counts, **costs, "error": ""}
