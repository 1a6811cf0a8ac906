"""Result records as one pandas frame, one row per run; tables, plots and statistics see nothing else."""

from __future__ import annotations

import gc
import hashlib
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import StoreError
from bench.records.store import Record, ResultStore

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("mae", "rmse", "mape", "wape", "r2")
SPLITS = ("test", "val")
SORT = ("dataset", "model", "task", "protocol", "profile", "weights", "seed", "run_id", "status")

_TEXT = ("run_id", "spec_id", "code", "settings", "status", "dataset", "model", "role", "task", "protocol", "profile")
_TEXT_TOO = ("weights", "data_version", "data_sha256", "device", "error")
_COUNTS = ("train", "val", "test", "test_values")
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "float64": (float, type(None)),
    "int64": (),
    "object": (tuple,),
}
_ITEMS = ("windows", "certificate", "environment", "sample")
_BITS = {"int64": 63, "float64": 1023}  # of the whole numbers that fit
_COSTS = ("train_s", "ms_per_window", "peak_mb", "flops", "parameters", "trainable_parameters", "epochs")

COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(_TEXT, "str"),
    **dict.fromkeys(_TEXT_TOO, "str"),
    **dict.fromkeys(("seed", "history", "horizon"), "int64"),
    "fraction": "float64",
    **dict.fromkeys(("leaky_scaler", "clamp", "stand_in", "made_as_variant", "tuned"), "bool"),
    **{f"{split}_{metric}": "float64" for split in SPLITS for metric in METRICS},
    **{
        f"{split}_{metric}_{axis}": "object" for split in SPLITS for metric in METRICS for axis in ("steps", "channels")
    },
    **dict.fromkeys(("changes", "base", "windows", "curve", "certificate", "environment", "sample"), "object"),
    **dict.fromkeys(("config", "train"), "object"),
    **{f"{split}_count": "float64" for split in _COUNTS},
    **dict.fromkeys(_COSTS, "float64"),
}
"""Every column of the frame and its type; a number that a run lacks is NaN, a text that it lacks is empty."""


def load_frame(results: Path) -> pd.DataFrame:
    """The frame of every record below a results folder; it has no rows if the folder has no records.

    Raises:
        StoreError: If a record is broken; the message names its file.
    """
    return frame_from_records(ResultStore(results).records())


def frame_from_records(records: Iterable[Record]) -> pd.DataFrame:
    """One row per record, the columns of ``COLUMNS``, in an order that does not depend on the records' order.

    Returns:
        Scores in physical units; ``*_steps`` are tuples over the horizon, ``*_channels`` over the channels, both
        empty for a failed run. ``changes`` are the run's overrides as sorted texts, weights left out, and ``base``
        those that its whole suite was run with; ``settings`` is a digest of everything in its spec but data and seed;
        ``config`` and ``train`` are the sorted items of the model's settings and of the recipe;
        ``windows`` are the packed items of ``bench.records.window_errors``, ``certificate``, ``environment`` and
        ``sample`` the sorted items of the record's, and ``curve`` its columns, each a name and a tuple over epochs.

    Raises:
        StoreError: If a record lacks what a column needs, or has a value that does not fit.
    """
    import pandas as pd

    with collector_paused():
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for record in records:
            for name, value in _row(record).items():
                columns[name].append(value)
        frame = pd.DataFrame({name: _series(name, values, columns["run_id"]) for name, values in columns.items()})
    return frame.sort_values(list(SORT), ignore_index=True)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cycles meanwhile: among millions of values that stay it finds none and takes most of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def mark_stale(frame: pd.DataFrame, current: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """A copy with a bool column ``stale``: made by other code than today's.

    Args:
        frame: Rows of ``frame_from_records``.
        current: The code digest that a run of (data set, model) would have now. A row of a pair that it does not
            name, such as a plug-in that is not installed here, is not stale.
    """
    keys = zip(frame["dataset"], frame["model"], frame["code"], strict=True)
    return frame.assign(stale=[current.get((dataset, model), code) != code for dataset, model, code in keys])


def _row(record: Record) -> dict[str, Any]:
    try:
        return _identity(record) | _scores(record) | _numbers(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the record {record['run_id']} has no usable {error}; move it away and run again") from error


def _series(name: str, values: Sequence[Any], run_ids: Sequence[str]) -> pd.Series:
    """A column, after a look at all types at once, and at value after value only if some are unusual."""
    import pandas as pd

    kind = COLUMNS[name]
    with suppress(UnicodeEncodeError):
        if {*map(type, values)} <= {*_PYTHON[kind]}:
            return pd.Series(values, dtype=kind)
    for run_id, value in zip(run_ids, values, strict=True):
        if not _fits(value, kind):
            raise StoreError(
                f"the record {run_id} has no usable '{name}' (found {reprlib.repr(value)}, wanted {kind}); move it "
                "away and run again"
            )
    return pd.Series(values, dtype=kind)


def _fits(value: object, kind: str) -> bool:
    """Whether a column of this type can hold the value as it is; a column of float64 holds None, too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() <= _BITS.get(kind, -1)
    if isinstance(value, str) and not value.isascii():
        return value == _encodable(value) and kind == "str"
    return isinstance(value, _PYTHON[kind])


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs, which file names may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()


def _identity(record: Record) -> dict[str, Any]:
    spec, label, error = record["spec"], record["label"], record["error"]
    task = spec["task"]
    return {
        "run_id": record["run_id"],
        "spec_id": record["run_id"].partition(".")[0],
        "code": record["code"],
        "settings": _digest({key: value for key, value in spec.items() if key not in ("data", "seed")}),
        "status": record["status"],
        "dataset": spec["data"]["name"],
        "model": spec["model"],
        "role": record["role"],
        "task": task["name"],
        **{key: task[key] for key in ("protocol", "history", "horizon", "fraction", "leaky_scaler", "clamp")},
        "profile": label["profile"],
        "changes": changes(label["overrides"]),
        "base": changes(label["base"]),
        "made_as_variant": label["overrides"] != label["base"],
        "tuned": spec.get("tuned", False),
        "weights": record["weights"],
        "data_version": record["data"]["version"],
        "data_sha256": record["data"]["sha256"],
        "stand_in": record["data"]["stand_in"],
        "seed": spec["seed"],
        "device": record["environment"].get("device", ""),
        "error": _encodable(f"{error['type']}: {error['message']}") if error else "",
        **{key: tuple(sorted((spec.get(key) or {}).items())) for key in ("config", "train")},
    }


def changes(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """Canonical texts of overrides, such as "model.width=64"; weights have a column of their own."""
    return tuple(f"{key}={_plain(value)}" for key, value in sorted(overrides.items()) if key != "model.weights")


def _scores(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for split in SPLITS:
        scores = (record["scores"] or {}).get(split) or {}
        for metric in METRICS:
            score = scores.get(metric) or {}
            row[f"{split}_{metric}"] = score.get("overall")
            row[f"{split}_{metric}_steps"] = tuple(score.get("per_step") or ())
            row[f"{split}_{metric}_channels"] = tuple(score.get("per_channel") or ())
    return row


def _numbers(record: Record) -> dict[str, Any]:
    counts, cost = record["counts"] or {}, record["cost"] or {}
    return (
        {"curve": _columns(record["curve"])}
        | {key: tuple(sorted((record.get(key) or {}).items())) for key in _ITEMS}
        | {f"{key}_count": counts.get(key) for key in _COUNTS}
        | {key: cost.get(key) for key in _COSTS}
    )


def _columns(curve: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    names = sorted({name for row in curve for name in row})
    return tuple((name, tuple([row.get(name) for row in curve])) for name in names)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
