"""Data sets whose files are not ours, which may end the process that imports them or reads by them."""

from __future__ import annotations

import json
import multiprocessing
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import stbench
from kills import alive, gone, start

import bench
from bench.catalog import own_files, reading, registry
from bench.catalog.data import Catalog
from bench.errors import ConfigError, DataError

READER = """
import os, sys
from bench.types import DatasetCard, RawSeries

CARD = DatasetCard(
    name="harbour", title="Harbour", city="", domain="", grid=(1, 2), interval=30, start=None, slots=96,
    channels=("value",), unit="", licence="", citation="", homepage="", how_to_get="", formats=(), files=(),
)
VERSION = 1
{top}

def read(folder): ...

def make():
    import numpy as np
    slots = np.arange(96)
    print("reading in", os.getpid())
    {body}
"""
GIVES = """clock = np.stack([slots % 48, slots // 48 % 7], axis=1)
    return RawSeries(values=np.arange(192.0).reshape(96, 1, 1, 2), clock=clock, layout="made")"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a data set's file whose reader does what a text says; it is listed, and the folder is the current one."""
    file = tmp_path / "harbour.py"
    monkeypatch.setenv(own_files.VARIABLE, str(file))
    monkeypatch.chdir(tmp_path)
    return lambda body, top="": file.write_text(READER.replace("{body}", body).replace("{top}", top), encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "ended"),
    [("os._exit(0)", "exit code 0"), ("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_reader_that_ends_its_process_is_one_sentence(reader, body: str, ended: str) -> None:
    reader(body)
    with pytest.raises(DataError, match=rf"the reader of 'harbour' ended its process with {ended} and no word") as told:
        bench.load_dataset("harbour")
    assert str(told.value).endswith(f"mend {Path('harbour.py').absolute()}")


@pytest.mark.parametrize(("top", "ended"), [("os._exit(0)", "exit code 0"), ("os.kill(os.getpid(), 9)", "signal 9")])
def test_a_file_that_ends_its_process_while_it_is_imported_is_one_sentence_that_names_it(
    reader, top: str, ended: str
) -> None:
    reader(GIVES, top)
    said = f"the import of the data set 'harbour' ended its process with {ended} and no word"
    with pytest.raises(ConfigError, match=said) as told:
        bench.load_dataset("harbour")
    assert str(told.value).endswith(f"mend {Path('harbour.py').absolute()}")


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        ("KeyboardInterrupt", "harbour: KeyboardInterrupt: KeyboardInterrupt"),
        ("type('End', (BaseException,), {})('of the\\n pier')", "harbour: End: of the pier"),
    ],
)
@pytest.mark.parametrize(
    ("place", "who", "refused"),
    [("top", "the import of the data set", ConfigError), ("body", "the reader of", DataError)],
)
def test_what_ends_a_process_when_it_is_raised_is_a_line_and_a_sentence_without_a_traceback(
    reader, capfd, raised: str, line: str, place: str, who: str, refused: type[Exception]
) -> None:
    reader(**{"body": GIVES, place: f"raise {raised}"})
    with pytest.raises(refused, match=f"{who} 'harbour' raised what ends a process, as the line before says") as told:
        bench.load_dataset("harbour")
    assert str(told.value).endswith(f"mend {Path('harbour.py').absolute()}")
    assert [said for said in capfd.readouterr().err.splitlines() if not said.startswith("reading in")] == [line]


def test_a_file_whose_import_has_no_end_is_given_up(reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "IMPORT_S", 0.5)
    reader(GIVES, "import time\nwhile True: time.sleep(1)")
    with pytest.raises(ConfigError, match=r"'harbour' has not come to its end in 0\.5 s; mend .*harbour\.py$"):
        bench.load_dataset("harbour")


def test_an_import_that_takes_long_is_told(reader, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.01)
    reader(GIVES)
    assert bench.load_dataset("harbour").values.shape == (96, 1, 1, 2)
    assert "the import of the data set 'harbour' is waited for, 300 s at most\n" in capfd.readouterr().err


@pytest.mark.parametrize(("place", "indent"), [("top", ""), ("body", "    ")])
def test_what_reads_ends_when_its_command_is_killed(reader, tmp_path: Path, place: str, indent: str) -> None:
    begun = tmp_path / "begun"
    endless = f"open({str(begun)!r}, 'w').write(f'{{os.getpid()}}\\n')\n{indent}while True: os.sched_yield()"
    reader(**{"body": GIVES, place: endless})
    results = str(tmp_path / "results")
    words = ["run", "--dataset", "harbour", "--model", "last_value", "--no-track", "--results", results]
    with start([sys.executable, "-m", "bench", *words]) as command:
        end = time.monotonic() + 60
        while not (begun.exists() and begun.read_text(encoding="utf-8").endswith("\n")):
            assert time.monotonic() < end
            time.sleep(0.05)
        reads = int(begun.read_text(encoding="utf-8"))
        assert alive(reads)
        command.kill()
    assert gone([reads]) == []


def test_a_reader_that_has_no_end_is_ended_after_the_time_limit_and_not_asked_again(reader, tmp_path: Path) -> None:
    reader("while True: os.sched_yield()")
    catalog = Catalog(data_dir=None, cache=tmp_path / "cache", time_limit=0.5)
    said = r"the reader of 'harbour' took longer than the time limit of 0\.5 s and was ended; look where it waits in "
    for _ in range(20):
        with pytest.raises(DataError, match=rf"{said}.*harbour\.py, or give a larger --time-limit, or time_limit=$"):
            catalog.load("harbour")


def test_a_reader_that_ends_within_the_time_limit_is_as_any_other(reader, tmp_path: Path) -> None:
    reader(GIVES)
    assert Catalog(data_dir=None, cache=tmp_path / "cache", time_limit=300).shape("harbour") == (96, 1, 1, 2)


@pytest.mark.parametrize(
    "top", ["os._exit(0)", "raise KeyboardInterrupt", "raise ValueError('no pier')", "import torn"]
)
def test_a_file_that_fails_is_tried_in_another_process_once_for_as_long_as_it_looks_the_same(
    reader, monkeypatch: pytest.MonkeyPatch, top: str
) -> None:
    tries: list[object] = []
    apart = reading._apart
    monkeypatch.setattr(reading, "_apart", lambda *words: (tries.append(words), apart(*words))[1])
    Path("torn.py").write_text("import (", encoding="utf-8")
    reader(GIVES, top)
    problems = {registry.problem_of("dataset", "harbour") for _ in range(10)}
    assert len(problems) == 1
    assert problems != {""}
    assert len(tries) == 1
    reader(GIVES, f"{top}  # edited")
    assert registry.problem_of("dataset", "harbour") in problems
    assert len(tries) == 2


@pytest.mark.parametrize("helper", ["helper", "parts.helper"])
def test_a_file_that_was_mended_is_used_at_once(reader, helper: str) -> None:
    reader(GIVES, f"import {helper}")
    file = Path(f"{helper.replace('.', '/')}.py")
    file.parent.mkdir(exist_ok=True)
    file.write_text("import os\nos._exit(0)\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="ended its process with exit code 0"):
        bench.load_dataset("harbour")
    file.write_text("level = 1\n", encoding="utf-8")
    assert bench.load_dataset("harbour").values.shape == (96, 1, 1, 2)


def test_links_to_nothing_beside_a_file_as_editors_leave_them_do_not_matter(reader) -> None:
    reader(GIVES)
    Path(".#harbour.py").symlink_to("me@host.1:2")
    assert bench.load_dataset("harbour").values.shape == (96, 1, 1, 2)


def test_files_of_the_current_folder_hide_no_library(reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader(GIVES)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("numpy", "bench"):
        (folder / f"{name}.py").write_text("raise ImportError('another')", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert bench.load_dataset("harbour").values.shape == (96, 1, 1, 2)


def test_a_file_that_raises_while_it_is_imported_is_told_by_what_it_raises(reader) -> None:
    reader(GIVES, "raise ValueError('no pier')")
    with pytest.raises(ConfigError, match=r"cannot be imported from .*harbour\.py: ValueError: no pier"):
        bench.load_dataset("harbour")


def test_commands_say_which_file_ends_its_process_and_leave_nothing_half_written(reader) -> None:
    reader(GIVES, "os._exit(0)")
    file, results = Path("harbour.py").absolute(), Path("results").absolute()
    answer = stbench("run", "--dataset", file, "--model", "last_value", "--no-track", "--results", results)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: the import of the data set 'harbour' ended its process with exit code 0 and no word")
    assert [path.name for path in Path.cwd().rglob("*") if path.is_file()] == ["harbour.py"]
    listed = json.loads(stbench("list", "datasets", "--json").stdout)["datasets"]
    problems = {entry["name"]: entry["problem"] for entry in listed}
    assert "exit code 0" in problems.pop("harbour")
    assert set(problems.values()) == {None}


@pytest.mark.parametrize("words", [("show", "harbour"), ("list", "datasets"), ("list", "datasets", "--json")])
def test_a_command_imports_a_file_that_ends_its_process_once(reader, words: tuple[str, ...]) -> None:
    reader(GIVES, "raise KeyboardInterrupt")
    assert stbench(*words).stderr.count("harbour: KeyboardInterrupt") == 1


def test_workers_and_files_of_the_project_are_spared_the_other_process(reader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader(GIVES)
    monkeypatch.setattr(reading, "_apart", lambda *_: pytest.fail("another process"))
    assert registry.load("dataset", "bikenyc").CARD.name == "bikenyc"
    with pytest.raises(pytest.fail.Exception):
        registry.load("dataset", "harbour")
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "a process")
    assert registry.load("dataset", "harbour").CARD.name == "harbour"


def test_a_reader_that_raises_is_told_by_what_it_raises(reader) -> None:
    reader("raise ValueError('no tide')")
    with pytest.raises(DataError, match="the reader of 'harbour' ended with ValueError: no tide; mend its file"):
        bench.load_dataset("harbour")


def test_a_reader_that_returns_nothing_is_one_sentence(reader) -> None:
    reader("pass")
    with pytest.raises(DataError, match=r"the reader of 'harbour' returned NoneType, wanted a RawSeries"):
        bench.load_dataset("harbour")


def test_a_reader_that_finds_no_file_is_one_sentence(reader) -> None:
    reader("open('tide.csv')")
    with pytest.raises(DataError, match=r"the reader of 'harbour' ended with FileNotFoundError: .*'tide\.csv'"):
        bench.load_dataset("harbour")


@pytest.mark.parametrize(
    ("series", "why"),
    [
        ("values=[1.0]", "AttributeError: 'list' object has no attribute 'shape'"),
        ("values=np.full((96, 1, 1, 2), 'wet')", "ValueError: could not convert string to float"),
        ("clock='daily'", "AttributeError: 'str' object has no attribute 'shape'"),
        ("segments=5", "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_series_of_the_wrong_kind_is_one_sentence(reader, series: str, why: str) -> None:
    reader(GIVES.replace("return RawSeries", "given = dict") + f"\n    return RawSeries(**(given | dict({series})))")
    with pytest.raises(DataError, match=f"what the reader of 'harbour' returned cannot be used: {why}"):
        bench.load_dataset("harbour")


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("grid=(1, 2)", "grid=None", r"Expected `array`, got `null` - at `\$\.grid`"),
        ('title="Harbour"', "title=None", "Expected `str`, got `null`"),
        ("files=()", "files=('a.csv',)", r"Expected `object`, got `str` - at `\$\.files\[0\]`"),
        ("interval=30", "interval=0", "has interval=0, wanted minutes of which a day holds a whole number"),
        ("start=None", "start='soon'", "has start='soon', wanted an ISO date-time"),
        ("VERSION = 1", "", "defines make and no VERSION"),
    ],
)
def test_a_card_that_is_wrong_is_one_sentence_and_hides_no_other_data_set(
    reader, shell, right: str, wrong: str, why: str
) -> None:
    reader(GIVES)
    file = Path("harbour.py")
    file.write_text(file.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")
    with pytest.raises(ConfigError, match=why) as told:
        bench.load_dataset("harbour")
    assert str(file.absolute()) in str(told.value)
    listed = shell.prints("list")
    assert "harbour" in listed
    assert "broken" in listed
    assert "BikeNYC" in listed


def test_numbers_of_numpy_are_numbers_of_a_card(reader) -> None:
    reader(GIVES)
    file = Path("harbour.py")
    text = file.read_text(encoding="utf-8").replace("slots=96", "slots=np.int64(96)")
    file.write_text(f"import numpy as np\n{text}", encoding="utf-8")
    assert bench.load_dataset("harbour").card.slots == 96


def test_what_could_not_be_read_is_read_again_when_it_was_mended_and_not_before(reader, tmp_path: Path, capfd) -> None:
    reader("raise ValueError('no tide')")
    catalog = Catalog(data_dir=None, cache=tmp_path / "cache")
    for _ in range(3):
        with pytest.raises(DataError, match="the reader of 'harbour' ended with ValueError: no tide; mend its file"):
            catalog.identity("harbour")
    out, err = capfd.readouterr()
    assert (out, err.count("reading in")) == ("", 2)  # in another process and, to hear what it raises, in this one
    reader(GIVES)
    assert catalog.shape("harbour") == (96, 1, 1, 2)


def test_what_it_reads_is_read_once_in_another_process_and_what_it_prints_stays_off_the_output(reader, capfd) -> None:
    reader(GIVES, "print('imported')")
    data = bench.load_dataset("harbour")
    np.testing.assert_array_equal(data.values.ravel(), np.arange(192.0))
    out, err = capfd.readouterr()
    assert out == ""
    assert len(re.findall("reading in", err)) == 1
