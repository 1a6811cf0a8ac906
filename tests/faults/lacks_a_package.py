"""Imports what is not installed."""

from __future__ import annotations

import importlib

from .healthy import Config as Config
from .healthy import Model as Model

EXPECTED = "ConfigError: .*ModuleNotFoundError: No module named .torch_of_tomorrow."

importlib.import_module("torch_of_tomorrow")
