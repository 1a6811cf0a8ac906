"""Which files the digest of code reads, how often, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from projects import HEAD, ROOT, Project

from bench.catalog import code, code_files, registry
from bench.catalog.code import code_of, file_digest
from bench.errors import ConfigError


def test_files_of_a_plugin_s_own_package_count_and_its_neighbours_do_not(project, monkeypatch, tmp_path) -> None:
    def write(file: str, text: str) -> str:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
        return code_of("citybus", "tide")

    plugin = registry.Plugin(group="model", name="tide", module="pack.tide", source=tmp_path / "pack" / "tide.py")
    find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: plugin if name == "tide" else find(kind, name))
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "deep.py").touch()
    first = write("pack/tide.py", "from pack.deep import MOON\nimport neighbour\nfrom bench.weights import read\n")
    assert write("neighbour.py", "X = 1\n") == first
    assert write("pack/alone.py", "X = 1\n") == first
    assert write("pack/deep.py", "MOON = 1\n") != first
    first = code_of("citybus", "tide")
    project.edit("bench/weights.py", HEAD, HEAD + "\nEDITED = 1\n")
    assert code_of("citybus", "tide") != first


def test_a_plugin_put_into_a_package_without_code_keeps_its_digest(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text('"""A package."""\n', encoding="utf-8")
    digests = set()
    for module, file in (("tide", "tide.py"), ("pack.moon", "pack/moon.py")):
        (tmp_path / file).write_text("MOON = 1\n", encoding="utf-8")
        plugin = registry.Plugin(group="model", name="tide", module=module, source=tmp_path / file)
        digests.add(code.code_digest([], [plugin]))
    assert len(digests) == 1


def test_which_of_two_files_is_the_plugin_counts_though_each_imports_the_other(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    digests = set()
    for name, other in (("ebb", "flow"), ("flow", "ebb")):
        (tmp_path / "pack" / f"{name}.py").write_text(f"from . import {other}\n\nNAME = '{name}'\n", encoding="utf-8")
    for name in ("ebb", "flow"):
        source = tmp_path / "pack" / f"{name}.py"
        plugin = registry.Plugin(group="model", name="tide", module=f"pack.{name}", source=source)
        digests.add(code.code_digest([], [plugin]))
    assert len(digests) == 2


def test_a_file_that_is_no_python_is_one_sentence(project: Project) -> None:
    project.edit("baselines/_language.py", HEAD, "def (:\n")
    with pytest.raises(ConfigError, match=r"_language\.py cannot be read as Python") as caught:
        code_of("bikedc", "st_llm")
    assert "\n" not in str(caught.value)


def test_a_file_that_every_run_needs_and_is_gone_is_one_sentence(project: Project) -> None:
    project.move("bench/train.py", "bench/training.py")
    with pytest.raises(ConfigError, match=r"there is no module 'bench.train' below"):
        code_of("bikedc", "stid")


def test_each_file_is_read_once_for_all_pairs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    syntax_of = code_files.syntax_of
    code_files._read.cache_clear()
    monkeypatch.setattr(code_files, "syntax_of", lambda path, module: read.append(path) or syntax_of(path, module))
    assert len(project.codes(registry.dataset_names())) == len(registry.dataset_names()) * len(registry.model_names())
    assert len(read) == len(set(read)) > 50


def test_digests_need_no_torch_and_no_plugin() -> None:
    program = (
        "import sys; from bench.catalog import code, code_files, registry\n"
        "codes = [code.code_of('taxibj', model) for model in registry.model_names()]\n"
        "heavy = {name.partition('.')[0] for name in sys.modules} & {'torch', 'timm', 'transformers', 'pandas'}\n"
        "ours = {name for name in sys.modules if name.startswith(('baselines.', 'stvfm.', 'datasets.'))}\n"
        "files = {registry.find('model', model).source for model in registry.model_names()}\n"
        "assert len(set(codes)) == len(files) and not heavy | ours, heavy | ours\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_digests_of_files_are_printed_for_a_person() -> None:
    command = [sys.executable, "-m", "bench.catalog.code", "bench/train.py", "stvfm/__init__.py"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split() for line in lines] == [
        [file_digest(ROOT / file), file] for file in ("bench/train.py", "stvfm/__init__.py")
    ]
    answer = subprocess.run([*command, "nowhere.py"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: ")
    assert "Traceback" not in answer.stderr
