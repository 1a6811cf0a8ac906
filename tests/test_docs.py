"""The documents: the site builds without a warning, and what they show exists."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import bench
from bench.analysis.results import artefacts
from bench.catalog import registry
from bench.cli.app import app
from bench.metrics import METRICS
from bench.types import TaskShape, Window

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")), *PAGES]
OLD_WORDS = re.compile(r"\bstand-ins?\b|\bfloors?\b|\bcertificates?\b", re.IGNORECASE)
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def text_of(path):
    return path.read_text(encoding="utf-8")


def commands_of(path):
    """The command lines that a document shows, as words without the program."""
    found = []
    blocks = re.findall(r"(?:^(?: {4}.*)\n)+|^```(?:console|bash)\n.*?^```", text_of(path), re.MULTILINE | re.DOTALL)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line.strip().removeprefix("$ "), comments=True) if "bench " in line else []
        if words[:1] == ["stbench"] or words[:3] == ["python", "-m", "bench"]:
            found.append(words[1:] if words[0] == "stbench" else words[3:])
    return found


def options_of(words):
    """Options that a command line uses, and those that its command has."""
    command = get_command(app)
    while hasattr(command, "commands"):
        assert words, "a group without a command"
        assert words[0] in command.commands, f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    return {word.partition("=")[0] for word in words if word.startswith("--")}, known


@every_document
def test_every_command_that_is_shown_exists(path):
    for words in commands_of(path):
        used, known = options_of(words)
        assert used <= known, (words, used - known)


def test_commands_are_found_in_the_documents():
    assert sum(len(commands_of(path)) for path in DOCUMENTS) > 40


@every_document
def test_every_link_to_a_file_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)", text_of(path)):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@every_document
def test_the_documents_use_the_words_of_the_field(path):
    assert OLD_WORDS.search(text_of(path)) is None


def test_the_pages_name_every_model_data_set_and_suite():
    from bench.runs.suite import suite_names

    models, datasets, suites = (text_of(ROOT / "docs" / f"{name}.md") for name in ("models", "datasets", "suites"))
    assert [name for name in registry.model_names() if f"`{name}`" not in models] == []
    assert [name for name in registry.dataset_names() if f"`{name}`" not in datasets] == []
    assert [name for name in suite_names() if f"`{name}`" not in suites] == []
    assert [metric.label for metric in METRICS.values() if metric.label.partition(",")[0] not in suites] == []


@pytest.mark.parametrize(("folder", "command"), [("tables", "tables"), ("figures", "plots")])
def test_every_table_and_figure_is_named_in_help_and_documents(folder, command):
    group = get_command(app)
    click = group.get_command(None, command)
    texts = [click.help + " ".join(str(getattr(p, "help", "")) for p in click.params)]
    python, *chapters = (text_of(ROOT / "docs" / f"{page}.md") for page in ("python", "comparisons", "tuning"))
    texts += [python, "".join(chapters)]
    for text in texts:
        assert [name for name in artefacts(folder) if not re.search(rf"\b{name}\b", text)] == []


def test_the_readme_counts_models_and_data_sets_right():
    counted = f"{len(registry.model_names())} models and {len(registry.dataset_names())} data sets"
    assert counted in " ".join(text_of(ROOT / "README.md").split())


def test_the_picture_of_st_vfm_names_settings_that_there_are_and_is_the_one_that_its_script_draws(tmp_path):
    script, picture, drawn = ROOT / "docs/images/draw_stvfm.py", ROOT / "docs/images/stvfm.svg", tmp_path / "drawn.svg"
    named = set(re.findall(r"\[([a-z]+)\]", text_of(script))) - {"setting"}
    settings = {field.name for field in dataclasses.fields(registry.config_class("stvfm"))}
    assert {"days", "base", "control"} <= named <= settings
    subprocess.run([sys.executable, str(script), str(drawn)], check=True)
    made_by = re.search(r"Matplotlib v[\d.]+", text_of(drawn)).group()
    assert made_by not in text_of(picture) or text_of(drawn) == text_of(picture)  # another version draws other bytes


def test_the_citation_has_the_version_and_the_licence():
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert (citation["version"], citation["license"]) == (bench.__version__, "Apache-2.0")


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "--builder", "html"]
    done = subprocess.run([*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    reference = text_of(tmp_path / "command-line.html")
    for name in get_command(app).commands:
        assert f"stbench {name}" in reference
    assert {path.stem for path in PAGES} <= {path.stem for path in tmp_path.glob("*.html")}
    assert 'src="http' not in reference
    assert "fonts.googleapis" not in reference


@pytest.mark.parametrize("told", [TaskShape, Window])
def test_the_contract_has_a_table_of_all_that_a_model_is_given(told):
    text = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    table = text.partition(f"| `{told.__name__}` |")[2].partition("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert re.findall(r"`(\w+)`", " ".join(first)) == [field.name for field in dataclasses.fields(told)]
