"""What workers print reaches the terminal in lines that it obeys in nothing, and not for ever."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from bench.runs.printed import LONGEST, MOST, Printed


def shown(capsys: pytest.CaptureFixture[str], *pieces: bytes, name: str = "") -> str:
    """What is passed on of these pieces, each taken as it comes."""
    read, write = multiprocessing.Pipe(duplex=False)
    printed = Printed(read, name)
    for piece in pieces:
        os.write(write.fileno(), piece)
        printed.hear()
    write.close()
    printed.close()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hat the top", "at the top"),
        ("\x1b]0;title\x07behind", "behind"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcreset", "reset"),
        ("\x9b31mred, \x07 a bell", "31mred,   a bell"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("100 %\r", "100 %"),
        ("\u202egnp.exe", "gnp.exe"),
        ("Kölner Züge: 5 →", "Kölner Züge: 5 →"),
        ("[bold]not ours[/bold]", "[bold]not ours[/bold]"),
    ],
)
def test_a_line_is_shown_without_what_a_terminal_obeys(
    text: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, f"{text}\n".encode()).strip() == line


def test_pieces_become_lines_that_say_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    pieces = [b"one\ntw", b"o\n\nK\xc3", b"\xb6ln\nno end"]
    assert shown(capsys, *pieces, name="stid") == "stid: one\nstid: two\nstid: Köln\nstid: no end\n"


def test_what_is_no_text_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, b"\xff\xfe\x00\n") == "\ufffd\ufffd\n"


def test_what_is_printed_for_ever_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *[b"x" * 5000] * 40, b"\nmore\n")
    assert MOST / 10 < len(text) < MOST + 1000
    assert max(map(len, text.splitlines())) == LONGEST
    assert text.endswith("(what else it prints is left out)\n")
    assert "more" not in text
