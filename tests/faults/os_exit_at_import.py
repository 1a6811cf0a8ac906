"""Ends its process without a word while it is imported."""

from __future__ import annotations

import os

from .healthy import Config as Config
from .healthy import Model as Model

EXPECTED = "WorkerError: .* ended with exit code 0 and no word; .*; a second try ended alike"

os._exit(0)
