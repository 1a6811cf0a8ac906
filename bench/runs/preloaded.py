"""Imported by the fork server alone: does once what the runs to come would each do again.

These are the imports of the libraries that were chosen for them, and what of their environment stays as it is.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os

from bench.catalog.registry import ROOT
from bench.runs.execution import is_checkout, libraries
from bench.runs.preloading import OPTIMIZERS, VARIABLE

if VARIABLE in os.environ:  # an orderly end of the fork server would take a second of computing
    atexit.register(os._exit, 0)
for _name in filter(None, os.environ.get(VARIABLE, OPTIMIZERS).split(",")):
    with contextlib.suppress(Exception):  # a library that is broken says so to the run that needs it
        importlib.import_module(_name)
libraries()
is_checkout(ROOT)
