"""What the README shows is run as it stands there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import torch

from bench.catalog.imports import import_array
from bench.runs.suite import layouts
from bench.types import TaskShape, Window

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def block(start):
    """The indented block of the README that contains ``start``."""
    for found in re.findall(r"(?:^(?: {4}.*)?\n)+", README, flags=re.MULTILINE):
        if start in found:
            return textwrap.dedent(found).strip("\n") + "\n"
    raise AssertionError(f"no block with {start!r}")


def test_the_model_of_ones_own_works(tmp_path, monkeypatch):
    (tmp_path / "readme_model.py").write_text(block("class Model(nn.Module)"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import readme_model

    model = readme_model.Model(
        TaskShape(history=6, horizon=4, channels=2, grid=(3, 5), slots_per_day=48), readme_model.Config()
    )
    clock = torch.zeros(7, 6, 2, dtype=torch.int64)
    window = Window(history=torch.randn(7, 6, 2, 3, 5), history_clock=clock, horizon_clock=clock[:, :4])
    assert model(window).shape == (7, 4, 2, 3, 5)


def test_the_card_of_ones_own_works(tmp_path):
    text = block('name = "citybus"').partition("\n\nstbench")[0]
    (tmp_path / "city.toml").write_text(text, encoding="utf-8")
    np.savez(tmp_path / "city.npz", data=np.ones((96, 2, 10, 20)))
    card, folder = import_array(tmp_path / "city.npz", tmp_path / "city.toml", tmp_path / "data")
    assert (card.name, card.grid, card.unit) == ("citybus", (10, 20), "passengers")
    assert folder == tmp_path / "data" / "citybus"


def test_the_suite_of_ones_own_works(tmp_path):
    text = block('name = "wide"').partition("\n\npython")[0]
    (tmp_path / "wide.toml").write_text(text, encoding="utf-8")
    (layout,) = layouts([str(tmp_path / "wide.toml")])
    assert [line.name for line in layout.lines] == ["historical_average", "narrow", "wide"]
    assert layout.references == ("narrow",)
