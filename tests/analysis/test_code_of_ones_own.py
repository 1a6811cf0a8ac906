"""Which runs of a model or data set of one's own are by today's code, in a supplement and where nothing says so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from records import record

from bench.analysis.known_code import undecided
from bench.analysis.results import Results
from bench.analysis.supplement import edited_since, supplement
from bench.catalog import own_files
from bench.catalog.code import code_of, code_of_scoring
from bench.runs.own_code import keep
from bench.runs.suite import load_suites

MODEL = """
from dataclasses import dataclass
from torch import nn
@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 32
class Model(nn.Module):
    def __init__(self, shape, config): ...
"""
READER = "from builders import make_card\n\nCARD = make_card(name='owncity')\nSCALE = 1.0\n\ndef read(folder): ...\n"


def by(code: str, **facts):
    return msgspec.structs.replace(record(**facts), code=code)


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The supplement of records, and the models that export says were edited."""
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])

    def pack(*records):
        results = Results(records, suites=load_suites())
        files = supplement(results, tmp_path, (), lambda _: None)
        return files, edited_since(results, tmp_path, files)

    return pack


def test_forecasts_made_elsewhere_that_an_earlier_code_scored_are_stale_in_a_supplement_and_nobody_edited_them(packed):
    stid = by(code_of("bikenyc", "stid"), model="stid")
    for code, stale in (("e" * 12, True), (code_of_scoring("bikenyc"), False)):
        files, edited = packed(stid, by(code, model="theirs", external=True))
        table = files["results/tables/short_term.md"].decode()
        assert "theirs" in table
        assert ("§" in table) == stale
        assert edited == []


def test_only_a_file_that_means_another_thing_than_the_copy_was_edited(tmp_path, packed, monkeypatch) -> None:
    """Its helper lies in a folder that a path sorts before the file, and a text behind it."""
    mine, helper = tmp_path / "mine.py", tmp_path / "mine" / "blocks.py"
    monkeypatch.setenv(own_files.VARIABLE, str(mine))
    helper.parent.mkdir()
    helper.write_text("wide = 1\n", encoding="utf-8")
    text = f"from mine import blocks\n{MODEL}"
    mine.write_text(text, encoding="utf-8")
    run = by("a" * 12, model="mine")  # by earlier code of the project, with this very file
    keep([run], _NoData(), tmp_path)
    assert packed(run)[1] == []
    mine.write_text(f"# A comment.\n{text}", encoding="utf-8")
    assert packed(run)[1] == []
    helper.write_text("wide = 2\n", encoding="utf-8")
    assert packed(run)[1] == ["mine"]


def test_of_a_run_of_ours_on_an_edited_data_set_of_ones_own_the_data_set_is_named(
    tmp_path, packed, monkeypatch
) -> None:
    city = tmp_path / "owncity.py"
    monkeypatch.setenv(own_files.VARIABLE, str(city))
    city.write_text(READER, encoding="utf-8")
    run = by("a" * 12, dataset="owncity", model="stid")
    keep([run], _NoData(), tmp_path)
    assert packed(run)[1] == []
    city.write_text(READER.replace("1.0", "2.0"), encoding="utf-8")
    assert packed(run)[1] == ["owncity"]


class _NoData:
    data_dir = None


def test_versions_are_counted_whatever_the_order_and_those_of_a_reader_count_too() -> None:
    three = [by(code * 12, model="mine", seed=1) for code in "abc"]
    two = [by(code * 12, model="mine", seed=2) for code in "ab"]
    for records in ([*three, *two], [*two, *three]):
        (sentence,) = undecided(records)
        assert "the runs of 'mine' are by 3 versions" in sentence
    reader = [by(code * 12, model="stid", dataset="owncity") for code in "ab"]
    (sentence,) = undecided(reader)
    assert "the runs of 'stid' are by 2 versions of its code" in sentence
    assert undecided([by(code * 12, model="stid") for code in "ab"]) == []  # those of the project are stale or not
    assert undecided([by("a" * 12, model="mine", seed=seed) for seed in (0, 1)]) == []
