"""Large libraries that the fork server imports once where many runs of a plan would import them one by one.

No plug-in is among them. In the fork server ``bench.runs.preloaded`` imports those that the variable names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from bench.catalog import registry
from bench.catalog.code import files_behind
from bench.records.planned import PlannedRun

VARIABLE: Final = "STBENCH_PRELOAD"
LARGE: Final = {"timm": "timm.models", "transformers": "transformers.modeling_utils"}
"""By package the module that brings most of it, in a second or two of computing."""
FEW: Final = 3  # runs that may import a library themselves
OPTIMIZERS: Final = "torch._dynamo"
"""What every optimizer imports; preloaded unless a plan says that it trains nothing."""


def large_libraries(runs: Iterable[PlannedRun]) -> list[str]:
    """The modules that more than a few of these runs are likely to import, by the text of their models' files.

    Those of the optimizers are among them where one run is trained: whoever trains needs them.
    """
    needed: Counter[str] = Counter()
    asked = Counter(run.model for run in runs)
    models = {model: count for model, count in asked.items() if not registry.problem_of("model", model)}
    trained = any(not registry.is_naive(model) and not registry.is_fitted(model) for model in models)
    for model, count in models.items():
        texts = [path.read_text(encoding="utf-8") for path in files_behind(model)]
        for package in LARGE:
            if any(re.search(rf"^\s*(import|from) {package}\b", text, re.MULTILINE) for text in texts):
                needed[package] += count
    many = [module for package, module in LARGE.items() if needed[package] > FEW]
    return [*([OPTIMIZERS] if trained else []), *many]
