"""Pipes, devices and folders are no files, and a text that somebody wrote is no abyss."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bench.plain_files import check_plain, parse_toml, read_plain, read_text, read_toml


def special(folder: Path) -> dict[str, Path]:
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
    return {path.name: path for path in folder.iterdir()} | {
        "zero byte": folder / "a\0b",
        "long": folder / ("a" * 300),
        "absent": folder / "absent",
        "below a file": Path(__file__) / "below",
    }


SAYS = {
    "pipe": "it is a pipe, and no file",
    "device": "it is a device, and no file",
    "folder": "it is a folder, and no file",
    "socket": "it is a socket, and no file",
    "loop": "Too many levels of symbolic links",
    "zero byte": "no file can have this name",
    "long": "File name too long",
    "absent": "No such file or directory",
    "below a file": "Not a directory",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [check_plain, read_plain, read_text, read_toml])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, read: object) -> None:
    paths = special(tmp_path)
    assert paths.keys() == SAYS.keys()
    for name, path in paths.items():
        with pytest.raises(OSError, match=SAYS[name]) as caught:
            read(path)  # type: ignore[operator]
        assert caught.value.strerror == SAYS[name]


def test_a_text_of_any_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match=r"it is larger than 4\.19 MB"):
        read_text(tmp_path / "large")


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = " + "[" * 40 + "]" * 40, ".".join(["a"] * 20_000) + " = 1", f"[{'.'.join('a' * 40)}]"],
)
def test_what_is_nested_beyond_sense_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it is nested too deeply$"):
        parse_toml(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (r'title = "\u001b[31m"', "title"),
        (r'a = { b = ["x", "\u0000"] }', "b"),
        (r'"\u0007" = 1', "\u2407"),
        (r'title = "\u009b1m"', "title"),
        (r'title = "\u202egnp"', "title"),
    ],
)
def test_an_order_to_a_terminal_is_no_text(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where} holds a control character$"):
        parse_toml(text)


def test_what_people_write_is_read(tmp_path: Path) -> None:
    text = 'title = "Zürich, 上海"\r\nciting = """\r\nTwo\tlines."""\n[a.b.c]\nd = [[1, 2], [3]]\n'
    (tmp_path / "a.toml").write_bytes(text.encode())
    read = {"title": "Zürich, 上海", "citing": "Two\tlines.", "a": {"b": {"c": {"d": [[1, 2], [3]]}}}}
    assert read_toml(tmp_path / "a.toml") == read
