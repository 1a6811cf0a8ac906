"""Text broken into lines."""

from __future__ import annotations

import textwrap


def wrapped(text: str, width: int, *, first: str = "", later: str = "", cut: bool = False) -> str:
    """Text in lines that are broken between words, not at the hyphens in them, unless words have to be cut.

    Args:
        text: All of its white space counts as single spaces.
        width: The most letters of a line, unless one word is longer.
        first: What stands before the first line.
        later: What stands before each other line.
        cut: Whether a text with a word that is longer than a line is broken at all hyphens, and elsewhere as needed.
    """
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=cut,
        break_on_hyphens=cut and max(map(len, text.split()), default=0) > width,
    )
