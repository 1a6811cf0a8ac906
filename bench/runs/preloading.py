"""Large libraries that the fork server imports once where many runs of a plan would import them one by one.

Imported in the fork server, this module imports the others that the variable names. No plug-in is among them.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from bench.catalog.code import files_behind
from bench.records.planned import PlannedRun

VARIABLE: Final = "STBENCH_PRELOAD"
LARGE: Final = {"timm": "timm.models", "transformers": "transformers.modeling_utils"}
"""By package the module that brings most of it, in a second or two of computing."""
FEW: Final = 3  # runs that may import a library themselves


def large_libraries(runs: Iterable[PlannedRun]) -> list[str]:
    """The modules that more than a few of these runs are likely to import, by the text of their models' files."""
    needed: Counter[str] = Counter()
    for model, count in Counter(run.model for run in runs).items():
        texts = [path.read_text(encoding="utf-8") for path in files_behind(model)]
        for package in LARGE:
            if any(re.search(rf"^\s*(import|from) {package}\b", text, re.MULTILINE) for text in texts):
                needed[package] += count
    return [module for package, module in LARGE.items() if needed[package] > FEW]


if VARIABLE in os.environ:  # this is the fork server, whose orderly end would take a second of computing
    atexit.register(os._exit, 0)
for _name in filter(None, os.environ.get(VARIABLE, "").split(",")):
    with contextlib.suppress(Exception):  # a library that is broken says so to the run that needs it
        importlib.import_module(_name)
