"""What readers see in place of names: declared in the docstring of a model's file and on the card of a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.catalog import registry
from bench.catalog.own_files import VARIABLE
from bench.catalog.titles import LONGEST, dataset_title, model_title, step_of


def test_a_models_title_stands_before_the_colon_of_its_docstring() -> None:
    expected = {
        "stid": "STID",
        "stvfm": "ST-VFM",
        "time_llm": "Time-LLM",
        "unet": "U-Net",
        "historical_average": "Historical average",
        "seasonal_naive_day": "Seasonal naive (day)",
        "seasonal_naive_week": "Seasonal naive (week)",
    }
    assert {name: model_title(name) for name in expected} == expected


def test_no_two_models_and_no_two_data_sets_of_ours_share_a_title() -> None:
    for names, title in ((registry.model_names(), model_title), (registry.dataset_names(), dataset_title)):
        titles = [title(name) for name in names]
        assert len(set(titles)) == len(titles)
        assert all(titles)


def test_every_model_of_ours_declares_a_title() -> None:
    assert [name for name in registry.model_names() if model_title(name) == name] == []


def test_a_data_sets_title_is_that_of_its_card_and_a_users_own_is_recorded() -> None:
    assert dataset_title("bikenyc") == "BikeNYC"
    assert dataset_title("bikenyc", "Another") == "BikeNYC"
    assert dataset_title("trams", "Trams of Oslo\n(2024)") == "Trams of Oslo (2024)"
    assert dataset_title("trams", "\x1b[31mred") == "[31mred"
    assert dataset_title("trams") == "trams"
    assert model_title("mine", "Mine") == "Mine"
    assert model_title("mine") == "mine"


@pytest.mark.parametrize(
    "docstring",
    ["My model without a colon", f"{'A sentence that says so much before it ends'[: LONGEST + 1]}: that it is no name"],
)
def test_a_docstring_that_is_no_name_and_a_colon_gives_no_title(
    docstring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "describe", lambda _: docstring)
    assert model_title("stid") == "stid"


def test_the_step_of_a_data_set_of_ours_is_known_and_of_no_other() -> None:
    assert (step_of("taxibj"), step_of("tdrive"), step_of("trams")) == (30, 60, 0)


def test_a_model_in_a_file_of_the_users_own_has_the_title_of_its_runs_also_when_the_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_title("mine") == "mine"
    (tmp_path / "mine.py").write_text('"""My model: one line."""\n\nclass Model: ...\n', encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert model_title("mine") == "My model"
    assert model_title("mine", "My earlier model") == "My earlier model"
    (tmp_path / "mine.py").write_text('"""My edited model: one line."""\n\nclass Model: ...\n', encoding="utf-8")
    assert model_title("mine") == "My edited model"
