"""Odd files, each in a folder of its own, are imported as its ``expected.toml`` says, or refused in its sentence.

A folder of ``tests/odd_files`` holds one file of data, or a ``make.py`` with a function ``make(folder)`` that writes it
where a library must and returns its path; ``card.toml``, whose name is ``odd``; and ``expected.toml``::

    sentence = "is not in order of time"    # a part of the one sentence that refuses the file, or several parts

or what is imported, of which any may be left out::

    values = [[1, 2], [3, nan]]             # in the layout [T, C, H, W]; its length in each may be left to the card
    start = "2024-03-01T00:00:00"           # "unknown" if there is none
    slots = 2
    says = ["2 slots"]                      # parts of what is printed, where white space counts as one space

and ``why``, for who reads it. ``file`` names the file where there are several.
"""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Shell

from bench.catalog.imported import read_imported
from bench.errors import BenchError
from bench.plain_text import printable

FOLDERS = sorted(path.parent for path in (Path(__file__).parent / "odd_files").glob("*/expected.toml"))
OURS = ("card.toml", "expected.toml", "make.py")
KEYS = {"sentence", "values", "start", "slots", "says", "why", "file"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_odd_file_is_read_rightly_or_refused_in_one_sentence(folder: Path, shell: Shell) -> None:
    expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
    assert set(expected) <= KEYS
    command = ("import", str(_input(folder, shell.folder, expected)), "--card", str(folder / "card.toml"))
    if "sentence" in expected:
        told = shell.refuses(*command, error=BenchError)
        for part in [expected["sentence"]] if isinstance(expected["sentence"], str) else expected["sentence"]:
            assert part in told
        assert printable(told) == told
        assert not [path for path in shell.folder.rglob("*") if path.name in ("data.npy", "card.toml")]
        return
    printed = shell.prints(*command)
    for part in expected.get("says", []):
        assert part in printed
    _compare(shell.folder / "data" / "odd", expected)


def _input(folder: Path, scratch: Path, expected: dict[str, Any]) -> Path:
    if (folder / "make.py").is_file():
        return Path(runpy.run_path(str(folder / "make.py"))["make"](scratch))
    if "file" in expected:
        return folder / expected["file"]
    (file,) = (path for path in folder.iterdir() if path.name not in OURS)
    return file


def _compare(made: Path, expected: dict[str, Any]) -> None:
    card, raw = read_imported(made)
    if "values" in expected:
        values = np.array(expected["values"], dtype=np.float32)
        np.testing.assert_array_equal(raw.values, values.reshape(len(values), *raw.values.shape[1:]))
    if "slots" in expected:
        assert card.slots == expected["slots"]
    if "start" in expected:
        assert (card.start or "unknown") == expected["start"]
