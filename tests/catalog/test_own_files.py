"""Files of the user's own: which names they give, what they import, and what their digest covers."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from hostile import model_text
from records import record
from typer.testing import CliRunner

from bench.catalog import own_files, registry
from bench.catalog.code import code_of, own_files_behind
from bench.catalog.data import Catalog
from bench.cli.app import app
from bench.errors import ConfigError, UnknownNameError
from bench.runs.datasets import datasets_of
from bench.runs.plan import Selection, _methods
from bench.runs.profiles import PROFILES
from bench.runs.suite import load_suite

MODEL = '"""Mine: a model."""\n' + model_text("return repeated(window.history[:, -1:], window) + self.level")
CARD = "from builders import make_card\n\nCARD = make_card(name='harbour')\n\ndef read(folder): ...\n"
WAYS = {
    "a name": "import parts\nFACTOR = parts.FACTOR",
    "a symbol": "from parts import FACTOR",
    "an alias": "import parts as p\nFACTOR = p.FACTOR",
    "relative": "from .parts import FACTOR",
    "a relative module": "from . import parts\nFACTOR = parts.FACTOR",
    "in a function": "def factor():\n    from parts import FACTOR\n    return FACTOR\n\nFACTOR = factor()",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the variable lists."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv(own_files.VARIABLE, str(folder))
    return folder


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------- names


def test_a_folder_gives_the_models_and_data_sets_in_its_files(home: Path) -> None:
    put(home / "mine.py", MODEL)
    put(home / "harbour.py", CARD)
    put(home / "parts.py", "FACTOR = 1\n")
    put(home / "_hidden.py", MODEL)
    assert {*registry.model_names()} - {*registry._plugins("model")} == {"mine"}
    assert {*registry.dataset_names()} - {*registry._plugins("dataset")} == {"harbour"}
    assert registry.describe("mine") == "Mine: a model."
    assert registry.config_class("mine")() is not None
    assert registry.load("dataset", "harbour").CARD.name == "harbour"


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        ({}, False),
        ({"dataset": "imported"}, False),
        ({"dataset": "harbour"}, True),
        ({"model": "mine"}, True),
        ({"model": "of_a_notebook"}, True),
    ],
    ids=str,
)
def test_a_run_needs_a_file_of_ones_own_for_a_model_or_a_reader_that_the_project_has_not(
    home: Path, names: dict[str, str], needed: bool
) -> None:
    put(home / "mine.py", MODEL)
    put(home / "harbour.py", CARD)
    assert registry.needs_own_file(record(**names)) is needed


def test_a_broken_file_breaks_only_itself(home: Path) -> None:
    put(home / "mine.py", MODEL)
    for name, text in {"torn": "class Model(:\n", "nulls": "\0", "torn_data": "CARD = (\n"}.items():
        put(home / f"{name}.py", text)
    (home / "bytes.py").write_bytes(b"Model = '\xff'\n")
    assert registry.load("model", "mine").Model
    for name in ("torn", "nulls", "bytes"):
        assert name in registry.model_names()
        assert "cannot be read as Python" in registry.problem_of("model", name)
        with pytest.raises(ConfigError, match=rf"{name}.py cannot be read as Python"):
            registry.find("model", name)
    assert "cannot be read as Python" in registry.problem_of("dataset", "torn_data")
    assert registry.problem_of("model", "mine") == ""


def test_a_name_that_is_taken_cannot_be_used_and_spoils_no_other(home: Path, tmp_path: Path) -> None:
    put(home / "stid.py", MODEL)
    for folder in ("a", "b"):
        put(tmp_path / folder / "mine.py", MODEL)
    with own_files.listed([own_files.names_the_file(str(tmp_path / folder / "mine.py")) for folder in ("a", "b")]):
        for name, first, second in (("stid", "baselines/stid.py", "home/stid.py"), ("mine", "a/mine.py", "b/mine.py")):
            with pytest.raises(ConfigError, match=rf"'{name}' is registered twice, by .*{first} and by .*{second}"):
                registry.find("model", name)
        assert registry.problem_of("model", "dlinear") == ""


def test_a_file_may_be_given_another_name(home: Path) -> None:
    path = put(home.parent / "stid.py", MODEL)
    names, files = registry.named("model", [f"my_stid={path}", "dlinear"])
    assert names == ("my_stid", "dlinear")
    with own_files.listed(files):
        assert registry.load("model", "my_stid").Model
        assert registry.find("model", "stid").root is None
    assert "my_stid" not in registry.model_names()


def test_the_variable_is_as_it_was_after_a_file_was_known_for_a_while(home: Path) -> None:
    before, path = os.environ[own_files.VARIABLE], put(home.parent / "other.py", MODEL)
    with own_files.listed(registry.named("model", [str(path)])[1]):
        assert "other" in registry.model_names()
    assert os.environ[own_files.VARIABLE] == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("./gone.py", "gone.py is not there; give the path of a Python file"),
        ("./folder/", "folder is a folder; .* list a folder in \\$STBENCH_PLUGINS"),
        ("./card.toml", "card.toml is no Python file"),
        ("./parts.py", "parts.py defines no Config and no Model, so it is no model's file"),
        ("./my:model.py", "has ':' in its path"),
    ],
)
def test_a_path_that_is_of_no_model_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, content in {"card.toml": "", "parts.py": "FACTOR = 1\n", "my:model.py": MODEL}.items():
        put(tmp_path / name, content)
    with pytest.raises(ConfigError, match=sentence):
        registry.named("model", [text])


def test_a_name_that_nothing_has_and_a_file_here_has_is_answered_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mine.py", MODEL)
    put(tmp_path / "harbour.py", CARD)
    with pytest.raises(
        UnknownNameError, match=r"no model named 'mine'; .*; a file of your own is named .*: ./mine.py$"
    ):
        _methods(load_suite("short_term"), Selection(models=("mine",)), PROFILES["quick"])
    with pytest.raises(UnknownNameError, match=r"no data set named 'harbour'; .* is named by its path: ./harbour.py; "):
        datasets_of(load_suite("short_term"), ["harbour"], Catalog(data_dir=None, cache=tmp_path))
    shown = CliRunner().invoke(app, ["show", "mine"]).exception
    assert "no model or data set named 'mine'; " in str(shown)
    assert "; a file of your own is named by its path: ./mine.py; " in str(shown)
    assert "its path" in str(registry.unknown("model", "minus"))  # of no file
    assert "./" not in str(registry.unknown("model", "minus"))


def test_what_the_variable_lists_in_vain_is_said_where_a_name_is_unknown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(own_files.VARIABLE, f"{home}/gone:{home}/gone.py")
    with pytest.raises(UnknownNameError, match=r"no model named 'mine'; .* lists .*/gone, which is neither a folder"):
        registry.find("model", "mine")
    with pytest.raises(ConfigError, match=r"lists .*/gone.py, which is not there"):
        registry.find("model", "gone")


@pytest.mark.parametrize("name", ["my model", "v1.2", "größe"])
def test_a_name_that_no_record_can_have_is_one_sentence(home: Path, name: str) -> None:
    put(home / f"{name}.py", MODEL)
    with pytest.raises(ConfigError, match=r"cannot be that of a model or data set; use letters, digits and _ alone"):
        registry.find("model", name)


# ---------------------------------------------------------------- what it imports


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_the_digest_covers_what_lies_beside_and_is_imported_and_nothing_else(home: Path, way: str) -> None:
    put(home / "mine.py", MODEL + f"\n{way}\n")
    put(home / "parts.py", "from deeper.end import FACTOR\n")
    put(home / "deeper" / "end.py", "FACTOR = 2\n")
    put(home / "unused.py", "FACTOR = 3\n")
    assert registry.load("model", "mine").FACTOR == 2
    before = code_of("bikenyc", "mine")
    behind = [path.relative_to(home).as_posix() for path in own_files_behind(registry.find("model", "mine"))]
    assert sorted(behind) == ["deeper/end.py", "mine.py", "parts.py"]
    put(home / "unused.py", "FACTOR = 4  # edited\n")
    assert code_of("bikenyc", "mine") == before
    put(home / "deeper" / "end.py", "FACTOR = 50\n")
    assert code_of("bikenyc", "mine") != before
    assert registry.load("model", "mine").FACTOR == 50


def test_the_digest_is_the_same_in_another_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "mine.py", MODEL + "\nfrom parts import FACTOR\n")
    put(home / "parts.py", "FACTOR = 2\n")
    before = code_of("bikenyc", "mine")
    moved = shutil.move(home, home.with_name("moved"))
    monkeypatch.setenv(own_files.VARIABLE, str(moved))
    assert code_of("bikenyc", "mine") == before


def test_two_folders_may_have_helpers_of_one_name(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders):
        put(folder / f"model_{folder.name}.py", MODEL + "\nimport utils\nfrom utils import NUMBER\n")
        put(folder / "utils.py", f"NUMBER = {number}\n")
    monkeypatch.setenv(own_files.VARIABLE, os.pathsep.join(map(str, folders)))
    modules = [registry.load("model", f"model_{name}") for name in "ab"]
    assert [(module.NUMBER, module.utils.NUMBER) for module in modules] == [(0, 0), (1, 1)]


def test_a_helper_called_like_a_library_hides_it_from_nobody_else(home: Path) -> None:
    put(home / "mine.py", MODEL + "\nimport random, os.path\n")
    put(home / "random.py", "MINE = True\n")
    module = registry.load("model", "mine")
    assert module.random.MINE
    assert module.os is os
    import random as again

    assert again is random
    assert not hasattr(again, "MINE")


def test_a_folder_beside_that_is_no_package_does_not_hide_an_installed_one(home: Path) -> None:
    put(home / "mine.py", MODEL + "\nimport numpy\n")
    put(home / "numpy" / "setup.py", "raise RuntimeError\n")
    assert registry.load("model", "mine").numpy.ndarray
    assert [path.name for path in own_files_behind(registry.find("model", "mine"))] == ["mine.py"]


def test_a_file_in_a_package_imports_from_it_and_from_beside_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MODEL + "\nfrom .parts import FACTOR\nfrom nets.parts import FACTOR as same\nimport layers.attention\n"
    put(home / "nets" / "mine.py", text)
    put(home / "nets" / "parts.py", "FACTOR = 2\n")
    put(home / "nets" / "__init__.py", "")
    put(home / "layers" / "attention.py", "HEADS = 4\n")
    monkeypatch.setenv(own_files.VARIABLE, str(home / "nets" / "mine.py"))
    module = registry.load("model", "mine")
    assert (module.FACTOR, module.same, module.layers.attention.HEADS) == (2, 2, 4)
    assert len(own_files_behind(registry.find("model", "mine"))) == 4


def test_a_file_is_imported_once_until_it_is_edited(home: Path) -> None:
    put(home / "mine.py", MODEL + "\nNUMBER = 1\n")
    first = registry.load("model", "mine")
    assert registry.load("model", "mine") is first
    put(home / "mine.py", MODEL + "\nNUMBER = 22\n")
    assert registry.load("model", "mine").NUMBER == 22


def test_nothing_is_written_beside_a_users_file(home: Path) -> None:
    put(home / "mine.py", MODEL + "\nimport parts\n")
    put(home / "parts.py", "FACTOR = 2\n")
    registry.load("model", "mine")
    assert sorted(path.name for path in home.iterdir()) == ["mine.py", "parts.py"]


def test_a_config_may_lie_beside(home: Path) -> None:
    put(
        home / "mine.py",
        MODEL.replace("class Config:\n    pass", "class Other:\n    pass") + "\nfrom sizes import Config\n",
    )
    put(home / "sizes.py", "from dataclasses import dataclass\n\n@dataclass\nclass Config:\n    width: int = 3\n")
    assert registry.config_class("mine")().width == 3
    put(home / "sizes.py", "from dataclasses import dataclass\n\n@dataclass\nclass Config:\n    width: int = 44\n")
    assert registry.config_class("mine")().width == 44
