"""Names, plug-ins, and the guard for the name ``datasets``."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from bench.catalog import registry
from bench.errors import ConfigError, UnknownNameError


@pytest.fixture(autouse=True)
def fresh_registry():
    registry._plugins.cache_clear()
    registry._config_in.cache_clear()
    yield
    registry._plugins.cache_clear()
    registry._config_in.cache_clear()


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Declare an entry point; its module is looked for in the test's folder."""

    def entry_point(group, name, module):
        monkeypatch.syspath_prepend(tmp_path)
        entry = EntryPoint(name=name, value=module, group=group)
        monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == entry.group else [])
        registry._plugins.cache_clear()

    return entry_point


@pytest.fixture
def third_party(tmp_path, declare):
    """Install a module under an entry point of the given group."""

    def install(group, name, text, module="third_party_plugin"):
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        declare(group, name, module)

    return install


@pytest.mark.parametrize("name", registry.model_names())
def test_every_config_is_readable_without_its_module(name):
    assert registry.config_class(name)() is not None
    assert registry.describe(name)


@pytest.mark.parametrize("name", registry.dataset_names())
def test_every_data_set_file_is_named_as_its_card(name):
    assert registry.load("dataset", name).CARD.name == name


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="there is no model named 'convlstn'; did you mean 'convlstm'"):
        registry.find("model", "convlstn")


def test_a_name_that_is_near_to_none_gets_no_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="there is no model named 'mine'; known: ") as caught:
        registry.find("model", "mine")
    assert "did you mean" not in str(caught.value)


def test_a_model_from_an_entry_point_is_listed(third_party):
    text = (
        '"""Mine: a model."""\nfrom dataclasses import dataclass\n\n'
        "@dataclass(frozen=True, kw_only=True)\nclass Config:\n    size: int = 3\n\nclass Model: ...\n"
    )
    third_party("stbench.models", "mine", text)
    assert "mine" in registry.model_names()
    assert registry.config_class("mine")().size == 3
    assert registry.load("model", "mine").Model


def test_a_name_registered_twice_is_an_error(third_party):
    third_party("stbench.models", "stid", "", module="second_stid")
    with pytest.raises(ConfigError, match="registered twice"):
        registry.find("model", "stid")
    assert registry.find("model", "dlinear")


def test_a_plugin_without_a_model_is_one_sentence(third_party):
    third_party("stbench.models", "hollow", "class Config: ...\n", module="hollow_plugin")
    with pytest.raises(ConfigError, match=r"hollow_plugin.py defines no Model"):
        registry.load("model", "hollow")


@pytest.mark.parametrize("card", ["1", "{'name': 'harbour'}", "None"])
def test_a_card_that_is_none_is_one_sentence(third_party, card):
    third_party("stbench.datasets", "harbour", f"CARD = {card}\nread = None\n", module=f"harbour_{len(card)}")
    assert registry.problem_of("dataset", "harbour").endswith(".py is no bench.types.DatasetCard; make it one")


@pytest.mark.parametrize("line", ['ROLE = "naive"', 'ROLE: Final = "naive"'])
def test_a_role_is_read_however_it_is_written(third_party, line):
    third_party("stbench.models", "flat", f"from typing import Final\n\n{line}\n", module=f"flat_{len(line)}")
    assert registry.role("flat") == "naive"


def test_a_role_that_is_computed_is_an_error(third_party):
    third_party("stbench.models", "odd", 'ROLE = "flo" + "or"\n', module="odd_plugin")
    with pytest.raises(ConfigError, match='must be the text "naive"'):
        registry.role("odd")


def test_an_entry_point_in_an_absent_package_is_one_sentence(declare):
    declare("stbench.models", "lost", "no_such_package.model")
    assert "lost" in registry.model_names()
    with pytest.raises(ConfigError, match=r"names the module 'no_such_package.model', which is not installed"):
        registry.load("model", "lost")


def test_a_file_that_is_no_python_is_one_sentence(third_party):
    third_party("stbench.models", "torn", "class Config(:\n", module="torn_plugin")
    with pytest.raises(ConfigError, match="cannot be read as Python"):
        registry.describe("torn")


def test_a_data_set_whose_card_has_another_name_is_one_sentence(third_party):
    text = "from builders import make_card\n\nCARD = make_card(name='my_set')\n\ndef read(folder): ...\n"
    third_party("stbench.datasets", "myset", text, module="misnamed_plugin")
    with pytest.raises(ConfigError, match="is registered as 'myset', but its card says 'my_set': agree on one"):
        registry.load("dataset", "myset")


def test_a_config_that_uses_foreign_names_is_one_sentence(third_party):
    third_party("stbench.models", "foreign", "import os\n\nclass Config:\n    x = os.name\n", module="foreign_plugin")
    with pytest.raises(ConfigError, match="uses a name from outside"):
        registry.config_class("foreign")


def test_another_package_named_datasets_is_named_with_the_remedy(tmp_path, monkeypatch):
    other = tmp_path / "datasets"
    other.mkdir()
    (other / "__init__.py").write_text("", encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == "datasets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"'datasets' resolves to .*pip uninstall datasets"):
        registry.dataset_names()
