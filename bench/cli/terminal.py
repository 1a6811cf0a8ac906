"""The terminal, or what stands in its place."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.plain_text import printable

WIDE: Final = 10_000  # of a pipe or a file, where nothing is cut or wrapped
_COMMAND = re.compile(
    r"(?<![\w/.-])stbench"
    r"(?= (?:run|score|status|tune|report|export|tables|plots|list|show|sync|ui|doctor|data|weights)\b)"
)


def program() -> str:
    """What started this program: ``stbench``, or ``python -m bench``."""
    return "python -m bench" if Path(sys.argv[0]).parts[-2:] == ("bench", "__main__.py") else "stbench"


def to_type() -> str:
    """``program``, with a path where the shell would not find it, as outside an environment that is not activated."""
    name = program()
    word = name.split()[0]
    file, found = Path(sys.executable).with_name(word), shutil.which(word)
    started = name != word or Path(sys.argv[0]) == file
    if sys.prefix == sys.base_prefix or not started or (found and Path(found).parent == file.parent):
        return name  # no environment, not a program of it, or activated
    with suppress(ValueError):
        file = file.relative_to(Path.cwd())
    return name.replace(word, shlex.quote(str(file)), 1)


def as_started(text: str) -> str:
    """A text whose commands begin with what starts this program."""
    return _COMMAND.sub(lambda _: to_type(), text)


class Console(RichConsole):
    """A console on which a text of others is nothing but a text: control characters in it are signs that can be seen.

    What rich itself orders of the terminal, such as to draw a bar anew, is in segments of its own and stays.
    """

    def __init__(self, **options: Any) -> None:
        self._told = options.get("force_terminal")
        super().__init__(**options)
        if "width" not in options and not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = WIDE

    @property
    def is_terminal(self) -> bool:
        """Whether lines can be drawn anew; not in a pipe or a file, even where a notebook has set ``FORCE_COLOR``."""
        return super().is_terminal and (self._told is not None or self.file.isatty())

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(as_started(text) if isinstance(text, str) else text for text in objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style, segment.control)
