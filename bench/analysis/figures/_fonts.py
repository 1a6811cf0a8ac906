"""Letters that the usual font lacks, such as Chinese ones, from other fonts of the machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

MOST_FONTS = 4  # beside the usual one
UNFIT = ("last resort", "emoji", "symbols")  # in the names of fonts that show a box or a picture for a letter


class MissingLettersWarning(UserWarning):
    """No font of this machine has some letters of a figure."""


def cover(figure: Figure) -> str:
    """Let other fonts stand in for letters that the usual one lacks; returns the letters that none has, sorted."""
    texts = [text for text in _texts(figure) if text.get_visible()]
    wanted = {letter for text in texts for letter in text.get_text() if letter.isprintable() and not letter.isspace()}
    lacking = wanted - _letters(_usual_font())
    fonts: list[str] = []
    for name, letters in _others() if lacking else ():
        if len(fonts) < MOST_FONTS and lacking & letters:
            fonts.append(name)
            lacking -= letters
    for text in texts if fonts else ():
        text.set_fontfamily([*text.get_fontfamily(), *fonts])
    return "".join(sorted(lacking))


def warn_of(letters: str, figures: Iterable[str]) -> None:
    """Say in one sentence which letters are boxes, and where."""
    warnings.warn(
        f"no font of this machine has {letters}, which {', '.join(figures)} show as boxes; install one that has them "
        "(for Chinese, Japanese and Korean such as Noto Sans CJK) and draw again",
        MissingLettersWarning,
        stacklevel=2,
    )


def _texts(figure: Figure) -> list[Text]:
    from matplotlib.text import Text

    figure.draw_without_rendering()  # so that labels of ticks have their texts
    return [text for text in figure.findobj(Text) if isinstance(text, Text)]


def _usual_font() -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return findfont(FontProperties())


@cache
def _others() -> tuple[tuple[str, frozenset[str]], ...]:
    """The upright fonts of the machine and their letters, those with the most first."""
    from matplotlib.font_manager import fontManager

    paths = {
        font.name: font.fname
        for font in sorted(fontManager.ttflist, key=lambda font: (font.name, font.fname), reverse=True)
        if font.style == "normal" and not any(word in font.name.lower() for word in UNFIT)
    }
    known = ((name, _letters(path)) for name, path in paths.items())
    return tuple(sorted(known, key=lambda font: (-len(font[1]), font[0])))


@cache
def _letters(path: str) -> frozenset[str]:
    """Those that a font has; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
