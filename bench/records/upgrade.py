"""Records of earlier schemas, brought up to date; they keep the id and the code digest that they were made with."""

from __future__ import annotations

import json
import reprlib
from contextlib import suppress
from typing import Any

import msgspec

TODAY, OLD = 4, (2, 3)
SYNTHETIC = "stand-in-"  # began the version of synthetic data


def upgraded(text: bytes) -> dict[str, Any] | None:
    """Plain values of today's schema; None if the text is of that schema, or no object of JSON.

    Raises:
        ValueError, RecursionError: If it is a record of a schema that is not known, or lacks a key.
    """
    values = _values(text)
    if not isinstance(values, dict):
        return None
    if "schema" not in values:
        raise ValueError("it lacks `$.schema`")
    schema = values["schema"]
    if type(schema) is int and schema in OLD:
        try:
            return _from_3(_from_2(values) if schema == 2 else values)
        except KeyError as error:
            raise ValueError(f"it lacks `{error.args[0]}`") from error
    if schema == TODAY:
        return None
    if isinstance(schema, int) and schema > TODAY:
        raise ValueError(f"its schema {reprlib.repr(schema)} is of a newer version of the harness")
    raise ValueError(f"its schema {reprlib.repr(schema)} is unknown")


def _values(text: bytes) -> Any:
    """None if it is no JSON; halves of surrogate pairs, which Python's own writer let through, are question marks."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(text)
    with suppress(msgspec.DecodeError, ValueError):
        return msgspec.json.decode(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace"))
    return None


def _from_3(old: dict[str, Any]) -> dict[str, Any]:
    """Of a done record its audit and its counts are another; nothing was known of channels but their number.

    Its audit replaced what lies after a window, which no model is ever given, so it says nothing of the model. Its peak
    of memory on a CPU was that of a process that had made other runs before.
    """
    new = old | {"schema": TODAY, "spec": _spec_of_3(_part(old, "spec"))}
    if old["status"] != "done":
        return new
    audit = {key: value for key, value in _part(old, "audit").items() if key != "future_perturbation"}
    cost = _part(old, "cost")
    if _part(old, "environment").get("device") == "cpu":
        cost = cost | {"peak_mb": None}
    return new | {"audit": audit | {"forecasts": None}, "counts": _counts_of_3(_part(old, "counts")), "cost": cost}


def _spec_of_3(spec: dict[str, Any]) -> dict[str, Any]:
    """A small fraction was that of the first windows under either protocol, and was trained for as few steps."""
    task = _part(spec, "task")
    few = task.get("fraction", 1.0) != 1
    return spec | {"task": task | {"windows": "first" if few else "all", "equal_steps": not few}}


def _counts_of_3(counts: dict[str, Any]) -> dict[str, Any]:
    """All windows were scored."""
    return counts | {"per_epoch": counts["train"], "val_there": counts["val"], "test_there": counts["test"]}


def _from_2(old: dict[str, Any]) -> dict[str, Any]:
    spec = _part(old, "spec")
    common = {
        "schema": 3,
        "status": old["status"],
        "run_id": old["run_id"],
        "code": old["code"],
        "role": "naive" if old["role"] == "floor" else old["role"],
        "spec": {**spec, "data": _data(_part(spec, "data"))},
        "label": old["label"],
        "environment": _environment(_part(old, "environment")),
    }
    if old["status"] == "failed":
        return {**common, "error": old["error"]}
    return {
        **common,
        **{key: old[key] for key in ("scores", "counts", "cost", "windows", "curve")},
        "audit": old["certificate"],
        "forecast_map": old.get("sample"),
    }


def _part(values: dict[str, Any], key: str) -> dict[str, Any]:
    part = values[key]
    if not isinstance(part, dict):
        raise ValueError(f"Expected `object`, got `{type(part).__name__}` - at `{key}`")
    return part


def _data(data: dict[str, Any]) -> dict[str, Any]:
    version = data["version"]
    if isinstance(version, str) and version.startswith(SYNTHETIC):
        version = f"synthetic-{version.removeprefix(SYNTHETIC)}"
    return {"name": data["name"], "version": version, "sha256": data["sha256"], "synthetic": data["stand_in"]}


def _environment(old: dict[str, Any]) -> dict[str, Any]:
    """Versions of torch, with its build, and numpy had keys of their own, too."""
    libraries = {name: old[name] for name in ("torch", "numpy") if name in old}
    return {key: value for key, value in old.items() if key not in libraries} | {
        "libraries": _part({"libraries": {}} | old, "libraries") | libraries
    }
