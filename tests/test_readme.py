"""What the README and the pages of the documentation show is run as it stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.catalog.importing import import_array
from bench.runs.suite import load_suites
from bench.types import TaskShape, Window

ROOT = Path(__file__).resolve().parent.parent


def text(document):
    return (ROOT / document).read_text(encoding="utf-8")


def block(document, start):
    """The fenced block of a document that contains ``start``."""
    for found in re.findall(r"^```\w+\n(.*?)^```$", text(document), re.MULTILINE | re.DOTALL):
        if start in found:
            return found
    raise AssertionError(f"no block with {start!r} in {document}")


def test_the_model_of_ones_own_works(tmp_path, monkeypatch):
    (tmp_path / "readme_model.py").write_text(block("README.md", "class Model(nn.Module)"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import readme_model

    model = readme_model.Model(
        TaskShape(history=6, horizon=4, channels=2, grid=(3, 5), slots_per_day=48), readme_model.Config()
    )
    clock = torch.zeros(7, 6, 2, dtype=torch.int64)
    window = Window(
        history=(history := torch.randn(7, 6, 2, 3, 5)),
        history_valid=torch.ones_like(history).bool(),
        history_clock=clock,
        horizon_clock=clock[:, :4],
    )
    assert model(window).shape == (7, 4, 2, 3, 5)


def test_the_card_of_ones_own_works(tmp_path):
    text = block("docs/datasets.md", 'name = "citybus"')
    (tmp_path / "city.toml").write_text(text, encoding="utf-8")
    np.savez(tmp_path / "city.npz", data=np.ones((96, 2, 10, 20)))
    card, folder = import_array(tmp_path / "city.npz", tmp_path / "city.toml", tmp_path / "data")
    assert (card.name, card.grid, card.unit) == ("citybus", (10, 20), "passengers")
    assert folder == tmp_path / "data" / "citybus"


def test_the_suite_of_ones_own_works(tmp_path):
    text = block("docs/suites.md", 'name = "wide"')
    (tmp_path / "wide.toml").write_text(text, encoding="utf-8")
    (suite,) = load_suites([str(tmp_path / "wide.toml")])
    assert [method.name for method in suite.methods] == ["historical_average", "narrow", "wide"]
    assert suite.references == ("narrow",)


def test_the_python_interface_has_every_function_that_is_shown():
    shown = {name for path in ("README.md", "docs/python.md") for name in re.findall(r"\bbench\.(\w+)\(", text(path))}
    assert {"evaluate", "run", "load_results", "list_models", "list_datasets", "load_dataset"} <= shown
    assert [name for name in sorted(shown) if not callable(getattr(bench, name, None))] == []


@pytest.mark.parametrize("path", ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
def test_every_block_of_python_and_toml_can_be_read(path):
    for language, code in re.findall(r"^```(python|toml)\n(.*?)^```$", text(path), re.MULTILINE | re.DOTALL):
        compile(code, path, "exec") if language == "python" else tomllib.loads(code)


@pytest.mark.parametrize("path", ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
def test_a_page_imports_the_project_before_it_calls_it_in_python(path):
    code = "".join(re.findall(r"^```python\n(.*?)^```$", text(path), re.MULTILINE | re.DOTALL))
    if call := re.search(r"\bbench\.[a-z_]+\(", code):
        assert "import bench\n" in code[: call.start()]
