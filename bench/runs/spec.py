"""The identity of a run: what was asked (``spec_id``) and which code would answer (``code``).

``spec_id`` is a digest of the canonical JSON of the resolved spec, without device and paths. ``code`` is a digest of
the docstring-free syntax of the files that can change the number, so that an edited comment changes nothing.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog import registry
from bench.errors import ConfigError
from bench.settings import TaskSettings, TrainSettings, Weights
from bench.types import DataIdentity

CORE = ("types", "settings", "clock", "windows", "metrics", "task", "context", "train", "runs/evaluator")


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run with every default written out.

    Attributes:
        config: The model's ``Config`` as a plain dict.
        weights: "none" for a model without a pre-trained part.
        tuned: Whether settings were taken from a file of tuned ones; so that a table shows it, and no untuned run
            counts as a tuned one where both have the same settings.
    """

    data: DataIdentity
    task: TaskSettings
    model: str
    config: Mapping[str, Any]
    train: TrainSettings
    seed: int
    weights: Weights
    tuned: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a record; ``tuned`` only if it is."""
        return {key: value for key, value in asdict(self).items() if key != "tuned" or value}

    @property
    def spec_id(self) -> str:
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run of a plan.

    Attributes:
        line: Its line in the suite's table, a model's or a variant's name; no part of its identity.
        label: Profile, overrides, and those of them that its whole suite was run with ("base"): how the run is named
            in tables; no part of its identity.
    """

    spec: RunSpec
    code: str
    line: str
    label: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        return f"{self.spec.spec_id}.{self.code}"

    @property
    def dataset(self) -> str:
        return self.spec.data.name

    @property
    def model(self) -> str:
        return self.spec.model

    @property
    def title(self) -> str:
        """Names the run to a person."""
        return f"{self.dataset} / {self.line} / seed {self.spec.seed}"


def code_hash(dataset: str, model: str) -> str:
    """Digest of the code behind one data set and model: contract, evaluator, reader and model.

    A data set imported by the user has no file of its own; its data digest is part of the spec.
    """
    files = [registry.ROOT / "bench" / f"{name}.py" for name in CORE]
    if dataset in registry.dataset_names():
        files.extend(registry.find("dataset", dataset).files)
    files.extend(registry.find("model", model).files)
    digest = hashlib.sha256()
    for path in files:
        digest.update(_syntax(path, path.stat().st_mtime_ns).encode())
    return digest.hexdigest()[:12]


@cache
def _syntax(path: Path, _changed_at: int) -> str:
    """The file's code without comments, docstrings and layout."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as Python: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
