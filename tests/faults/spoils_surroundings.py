"""Changes what belongs to its process alone."""

from __future__ import annotations

import locale
import os
import signal
import sys

import torch
from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        os.environ.clear()
        locale.setlocale(locale.LC_ALL, "C")
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(sign, signal.SIG_IGN)
        os.umask(0o777)
        sys.stdout = sys.stderr = sys.stdin = None
        torch.set_default_dtype(torch.float64)
        return super().forward(window)
