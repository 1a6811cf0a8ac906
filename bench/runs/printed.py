"""What workers print, on its way to the terminal: in lines, without what a terminal would obey, and not for ever."""

from __future__ import annotations

import codecs
import os
import re
import sys
from multiprocessing.connection import Connection
from typing import Final

MOST: Final = 100_000  # characters of a worker that are passed on
LONGEST: Final = 1000  # characters of a line
PIECE: Final = 65_536  # bytes read at once
OBEYED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""What terminals take for orders: colours, movements, titles."""


def print_into(pipe: Connection) -> None:
    """Let all that this process prints, and that its children print, go into a pipe."""
    for handle in (1, 2):
        os.dup2(pipe.fileno(), handle)
    sys.stdout, sys.stderr = (os.fdopen(handle, "w", buffering=1, errors="replace", closefd=False) for handle in (1, 2))
    pipe.close()


class Printed:
    """What one worker prints, passed on to this process's own stderr.

    Args:
        pipe: Where it comes from.
        name: Of the run, put before each line; empty for none.
    """

    def __init__(self, pipe: Connection, name: str) -> None:
        self.pipe, self.open = pipe, True
        self._name, self._left, self._line = name, MOST, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def hear(self) -> None:
        """Take what is there, a piece at most."""
        try:
            piece = os.read(self.pipe.fileno(), PIECE)
        except OSError:
            piece = b""
        self.open = bool(piece)
        self._take(self._decoder.decode(piece))

    def close(self) -> None:
        """Take what is left in the pipe, and no more from whoever still holds it."""
        os.set_blocking(self.pipe.fileno(), False)
        while self.open and self._left > 0:
            self.hear()
        self.pipe.close()
        self._take("\n" if self._line else "")

    def _take(self, text: str) -> None:
        if self._left <= 0:
            return
        *lines, self._line = (self._line + text[: self._left]).split("\n")
        self._left -= len(text)
        if len(self._line) > LONGEST or self._left <= 0:
            lines, self._line = [*lines, self._line], ""
        for line in lines:
            self._say(_shown(line))
        if self._left <= 0:
            self._say("(what else it prints is left out)")

    def _say(self, line: str) -> None:
        if line:
            print(f"{self._name}: {line}" if self._name else line, file=sys.stderr)


def _shown(line: str) -> str:
    """A line as a terminal may have it: of a line that was written over, such as a bar of progress, the last form."""
    last = OBEYED.sub("", line).rstrip("\r").rpartition("\r")[2]
    return "".join(sign if sign.isprintable() else " " for sign in last[:LONGEST]).rstrip()
