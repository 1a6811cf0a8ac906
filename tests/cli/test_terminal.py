"""What is printed: control characters of others are seen, and obeyed by no terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

import bench.cli
from bench.cli.app import app
from bench.cli.terminal import Console

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b31mb\rc\x08"
SEEN = "a␛]0;owned␛[2J\N{REPLACEMENT CHARACTER}31mbc"  # rich itself leaves some out


def printed(*things: object, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=terminal, color_system="standard" if terminal else None).print(*things)
    return out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_no_order_of_others_reaches_a_terminal(terminal: bool) -> None:
    table = Table(escape(HOSTILE), title=HOSTILE)
    table.add_row(HOSTILE)
    for thing in (HOSTILE, escape(HOSTILE), Text(HOSTILE), Text.assemble((HOSTILE, "bold red")), table):
        text = printed(thing, terminal=terminal)
        assert "owned" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[\d;]*m)", text)
    assert SEEN in printed(HOSTILE)


def test_colours_and_bars_of_our_own_are_as_they_were() -> None:
    assert printed("[red]✗[/red] no", terminal=True) == "\x1b[31m✗\x1b[0m no\n"
    out = io.StringIO()
    with Progress(console=Console(file=out, force_terminal=True, width=80), transient=True) as bar:
        bar.add_task(HOSTILE, total=2)
    assert "\x1b[?25l" in out.getvalue()
    assert "\x1b]0" not in out.getvalue()


def test_a_pipe_of_a_notebook_gets_whole_lines_without_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    out = io.StringIO()
    console = Console(file=out)
    with console.status("reading"), Progress(console=console) as bar:
        bar.add_task("plan", total=2)
        console.print("x" * 300)
    assert out.getvalue().startswith("x" * 300 + "\n")
    assert "\x1b" not in out.getvalue()


def test_every_command_prints_on_such_a_console() -> None:
    files = [*Path(bench.cli.__file__).parent.glob("*.py"), Path(bench.cli.__file__).parents[1] / "__main__.py"]
    plain = re.compile(r"from rich.console import .*\bConsole\b|from rich import print|^ *print\(|typer\.s?echo", re.M)
    assert [file.name for file in files if plain.search(file.read_text(encoding="utf-8"))] == ["terminal.py"]


def test_help_is_broken_by_the_width_of_the_terminal_alone() -> None:
    groups: list[Any] = [get_command(app)]
    for group in groups:
        for command in getattr(group, "commands", {}).values():
            groups.append(command)
            assert "\n" not in (command.help or "").replace("\n\n", ""), command.name
    assert len(groups) > 20
    lines = CliRunner().invoke(app, ["plots", "--help"], env={"COLUMNS": "80"}).output.splitlines()
    (row,) = (row for row, line in enumerate(lines) if "Over suites:" in line)
    assert [line.split()[-1] for line in lines[row : row + 2]] == ["against", "against"]  # full lines, none of a word
