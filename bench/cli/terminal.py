"""The terminal, or what stands in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.plain_text import printable


class Console(RichConsole):
    """A console on which a text of others is nothing but a text: control characters in it are signs that can be seen.

    What rich itself orders of the terminal, such as to draw a bar anew, is in segments of its own and stays.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style, segment.control)
