"""Readers that are not ours, which may end the process that reads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.catalog import own_files
from bench.errors import DataError

READER = """
import os, sys
from bench.types import DatasetCard, RawSeries

CARD = DatasetCard(
    name="harbour", title="Harbour", city="", domain="", grid=(1, 2), interval=30, start=None, slots=96,
    channels=("value",), unit="", licence="", citation="", homepage="", how_to_get="", formats=(), files=(),
)
VERSION = 1

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
    return lambda body: file.write_text(READER.replace("{body}", body), encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "ended"),
    [("os._exit(0)", "exit code 0"), ("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_reader_that_ends_its_process_is_one_sentence(reader, body: str, ended: str) -> None:
    reader(body)
    with pytest.raises(DataError, match=rf"the reader of 'harbour' ended its process with {ended} and no word"):
        bench.load_dataset("harbour")


def test_a_reader_that_raises_is_told_by_what_it_raises(reader) -> None:
    reader("raise ValueError('no tide')")
    with pytest.raises(DataError, match="the reader of 'harbour' ended with ValueError: no tide; mend its file"):
        bench.load_dataset("harbour")


def test_a_reader_that_returns_nothing_is_one_sentence(reader) -> None:
    reader("pass")
    with pytest.raises(DataError, match=r"the reader of 'harbour' returned NoneType, wanted a RawSeries"):
        bench.load_dataset("harbour")


def test_what_it_reads_is_read_once_in_another_process_and_what_it_prints_stays_off_the_output(reader, capfd) -> None:
    reader(GIVES)
    data = bench.load_dataset("harbour")
    np.testing.assert_array_equal(data.values.ravel(), np.arange(192.0))
    out, err = capfd.readouterr()
    assert out == ""
    assert len(re.findall("reading in", err)) == 1
