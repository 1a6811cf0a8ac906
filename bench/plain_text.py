"""Texts of others, so that they can be shown: no escape sequence reaches a terminal, no formula a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

PICTURES: Final = 0x2400  # begins the pictures of control characters
UNSEEN: Final = "\N{REPLACEMENT CHARACTER}"
LONGEST: Final = 200  # letters of a value that a sentence shows
MOST: Final = 1000  # letters of a library's message
_KEPT = "\t\n"
_TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # that make a text run backwards
_SIGNS: Final = (
    {code: PICTURES + code for code in range(0x20) if chr(code) not in _KEPT}
    | {0x7F: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), *_TURNS, 0x2028, 0x2029, *range(0xD800, 0xE000)], UNSEEN)
)
FORMULA: Final = re.compile(r"\s*[=+\-@\t\r|]")


def printable(text: str) -> str:
    """A text in which every control character but tab and line break is a sign that can be seen."""
    return text if text.isprintable() else text.translate(_SIGNS)


def counted(number: int, thing: str, several: str = "") -> str:
    """A number of things in words, such as "1 run" and "2 runs"; ``several`` is a plural that is no mere s."""
    return f"{number} {thing if number == 1 else several or f'{thing}s'}"


def listed(names: Iterable[str]) -> str:
    """Names with commas between them, in quotes where one has a comma of its own."""
    several = list(names)
    return ", ".join(f"'{name}'" for name in several) if any("," in name for name in several) else ", ".join(several)


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first names with commas between them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def one_line(error: BaseException) -> str:
    """A library's message, fit for a sentence of ours: of a very long one its beginning."""
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001 - a class of somebody's own
        text = f"its text cannot be had ({type(second).__name__})"
    line = printable(" ".join(text[: 2 * MOST].split())) or type(error).__name__
    return line if len(text) <= MOST else f"{line[:MOST]}… ({len(text):,} characters)"


def shown(value: object) -> str:
    """A value as a sentence shows it: as it would be written, and not at length."""
    try:
        text = repr(value)
    except RecursionError:
        return "something nested"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def no_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table, in which no text is a formula to a spreadsheet: such a one has an apostrophe before it.

    Numbers stay numbers, also where they are written as text.
    """
    texts = frame.select_dtypes(exclude=["number", "bool", "datetime"])
    return frame.assign(**{name: texts[name].map(_no_formula) for name in texts.columns}).rename(columns=_no_formula)


def _no_formula(value: object) -> object:
    if not isinstance(value, str) or not FORMULA.match(value) or _is_number(value):
        return printable(value) if isinstance(value, str) else value
    return f"'{printable(value)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
