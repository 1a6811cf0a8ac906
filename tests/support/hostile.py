"""Model files that cheat, are careless, or harm the process they run in, as text."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from types import ModuleType

HEAD = """
from __future__ import annotations
import os, random, sys
from dataclasses import dataclass, replace
import numpy as np
import torch
from torch import nn

@dataclass(frozen=True)
class Config:
    pass

def repeated(frame, window):
    return frame.repeat(1, window.horizon_clock.shape[1], 1, 1, 1)
"""
MODEL = """
class Model(nn.Module):
    def __init__(self, shape, config):
        super().__init__()
{made}

    def forward(self, window):
{body}
"""


def model_text(body: str, made: str = "", top: str = "", learns: bool = True) -> str:
    """A model that forecasts by the lines of ``body``; one that ``learns`` has a weight ``self.level``, to be added."""
    level = "self.level = nn.Parameter(torch.zeros(()))\n" if learns else "self.level = 0.0\n"
    inner = {"made": textwrap.indent(level + textwrap.dedent(made), " " * 8), "body": textwrap.dedent(body)}
    inner["body"] = textwrap.indent(inner["body"], " " * 8)
    return HEAD + textwrap.dedent(top) + MODEL.format(**inner)


def written(folder: Path, name: str, text: str) -> ModuleType:
    """The module of a file in a folder on ``sys.path``, so that worker processes find it, too."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def install(folder: Path, name: str, text: str) -> None:
    """Register a model as an installed package would, in a folder on ``sys.path``."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    about = folder / f"{name}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(f"[stbench.models]\n{name} = {name}\n", encoding="utf-8")
    importlib.invalidate_caches()
