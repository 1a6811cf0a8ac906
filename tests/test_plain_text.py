"""Texts of others: nothing in them gives orders to a terminal, or is a formula to a spreadsheet."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError, RecordError, UnknownNameError
from bench.plain_text import LONGEST, listed, no_formulas, one_line, printable, shown


@given(st.text())
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    left = printable(text)
    assert len(left) == len(text)
    assert not any(ord(sign) < 0x20 and sign not in "\t\n" for sign in left)
    assert not any(0x7F <= ord(sign) < 0xA0 or 0xD800 <= ord(sign) < 0xE000 for sign in left)
    assert printable(left) == left


def test_what_people_write_stays_as_it_is() -> None:
    text = "Zürich 上海 – ‘naïve’ ✓ ▼\t1\nnext 🚲"  # noqa: RUF001 - on purpose
    assert printable(text) == text
    assert printable("a\x1b[31mb\r\x9b1m\u202egnp") == "a␛[31mb␍\N{REPLACEMENT CHARACTER}1m\N{REPLACEMENT CHARACTER}gnp"


def test_every_error_of_ours_is_printable() -> None:
    escape = "\x1b]0;owned\x07"
    errors = [ConfigError(f"the card {escape} is wrong"), UnknownNameError("model", escape, ["stid"])]
    for error in (*errors, RecordError(escape)):
        assert printable(str(error)) == str(error)
    assert RecordError(escape).what == "␛]0;owned␇"
    assert one_line(ValueError(f"two\nlines {escape}")) == "two lines ␛]0;owned␇"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("a\n" * 500)) == " ".join("a" * 500)
    assert one_line(ValueError("a\n" * 5000)) == f"{'a ' * 500}… (10,000 characters)"
    assert (
        one_line(type("Mute", (Exception,), {"__str__": lambda _: 1 // 0})())
        == "its text cannot be had (ZeroDivisionError)"
    )


def test_names_that_are_listed_are_quoted_where_one_has_a_comma() -> None:
    assert listed(["stid", "a b"]) == "stid, a b"
    assert listed(iter(["stid", "random, frozen"])) == "'stid', 'random, frozen'"


def test_a_value_is_shown_at_a_length_that_can_be_read() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown("\x1b") == r"'\x1b'"
    assert len(shown("x" * 10**6)) == LONGEST + 1
    assert shown(nested) == "something nested"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "|x"])
def test_no_text_is_a_formula_to_a_spreadsheet(text: str) -> None:
    frame = pd.DataFrame({text: [text, "stid"], "mae": [-1.5, 2.0]})
    read = pd.read_csv(io.StringIO(no_formulas(frame).to_csv(index=False)), dtype=str)
    assert all(cell.startswith("'") for cell in (read.columns[0], read.iloc[0, 0]))
    assert read.iloc[1, 0] == "stid"
    assert list(read["mae"]) == ["-1.5", "2.0"]


def test_numbers_stay_numbers_to_the_last_digit() -> None:
    frame = pd.DataFrame(
        {
            "text": ["-0.5", "+1e-3", "-inf", "2024-01-01", None],
            "whole": pd.array([-1, 2, None, 4, 5], dtype="Int64"),
            "real": [-0.1, np.nan, 1e300, -2.5e-9, np.inf],
            "truth": [True, False, True, False, True],
        }
    )
    assert no_formulas(frame).to_csv(index=False) == frame.to_csv(index=False)
    frame = pd.concat([frame, frame], axis=1)
    assert no_formulas(frame).to_csv(index=False) == frame.to_csv(index=False), "two columns of one name"
    assert no_formulas(pd.DataFrame()).empty
