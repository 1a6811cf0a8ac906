"""Forms in which people write times: which of them is read, and what to do about the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Final

ISO: Final = (
    r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2})"
    r"(?:[Tt ]+(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d{1,6})?\d*)?)?)?"
    r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?$"
)
NUMBERS_FIRST: Final = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:,?([T ]+)(.*))?$")
NAMED_MONTH: Final = r"^\d{1,4}[-/. ][A-Za-z]{3,9}\b"
ISO_WEEK: Final = re.compile(r"^\d{4}-?W\d{2}$")
SINCE_1970: Final = re.compile(r"1[0-8]\d{8}(\d{3}){0,3}")  # seconds until 2030, or thousandths of them and so on
LIKE: Final = "2024-03-01T00:30"
DATES: Final[tuple[str, ...]] = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y-%j", "%a %Y-%m-%d"),
    *("%d %B %Y", "%d. %B %Y", "%d-%B-%Y", "%d-%b-%y", "%d/%b/%Y", "%a %d %b %Y", "%a, %d %b %Y"),
    *("%B %d, %Y", "%B %d %Y", "%a %B %d %Y"),
)
CLOCKS: Final[tuple[str, ...]] = (
    *("", "%H:%M", "%H:%M:%S", "%H%M", "%H.%M"),
    *("%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I %p"),
)
MONTHS: Final[tuple[str, ...]] = ("%Y%m", "%B %Y", "%B-%Y", "%B-%y", "%Y %B", "%YM%m")
TRIED: Final = 50  # times that a form is tried on
SECONDS: Final = re.compile(r"1\d{9}(\d{3})?(\.\d*)?|1\.\d+[eE]\+?(09?|9|12)")
DAYS: Final = re.compile(r"[1-9]\d{4}(\.\d*)?")  # of a spreadsheet, from 1927 on
DIGITS: Final = re.compile(r"(19|20)\d{6}(\d{2}){0,3}")  # of a date, and maybe of a time
LONG_STEP: Final = re.compile(r"\d{4}|\d{4}[- ]?Q[1-4]|Q[1-4][-/ ]?\d{4}")
NAMED_ZONE: Final = re.compile(r"(.*\d)\s*(\[[\w/+-]+\]|(?![AP]M)[A-Z]{2,5})")
SPAN: Final = re.compile(r"(.*:\d{2}[Zz]?)\s*(/|\s-\s?|-|\u2013|to)\s*(.*\d{1,2}:\d{2}.*)")
SPANS: Final = f"is a span of time; write when it begins, as {LIKE}"
UTC_NAME: Final = re.compile(r"(?<![a-z])(utc|gmt)(?![a-z]|\s*[+-]\s*\d)", re.I)


def is_time(cell: str) -> bool:
    """Whether a cell looks like a time or a date, in whatever order."""
    cell = cell.strip()
    return any(re.match(form, cell) for form in (ISO, ISO_WEEK, NUMBERS_FIRST, NAMED_MONTH))


def says_utc(names: Sequence[str]) -> bool:
    """Whether a name of the columns of times says that they are those of UTC, such as ``utc_timestamp``."""
    return any(map(UTC_NAME.search, names))


def advice(text: str, texts: Sequence[str], *, months: bool) -> str:
    """What to do about a time of these that is not ISO; ``months`` is whether a step is a month."""
    if match := NUMBERS_FIRST.match(text):
        found = [[int(number) for number in other.group(1, 3, 4)] for other in map(NUMBERS_FIRST.match, texts) if other]
        return _which_first(match, [max(numbers) for numbers in zip(*found, strict=True)])
    if not re.search(r"\d", text):
        return f"is no ISO time; remove that row if it is no slot, such as a total, or write it as {LIKE}"
    if SECONDS.fullmatch(text):
        return f"counts seconds since 1970; write it as {LIKE}"
    if DAYS.fullmatch(text):
        return f"may count the days since 1900, as spreadsheets do; show the column there as {LIKE} and save it again"
    if DIGITS.fullmatch(text):
        form = "%Y%m%d%H%M%S"[: 6 + len(text) - 8]
        return f'is not written as {LIKE}; say time_format = "{form}" in the card'
    if LONG_STEP.fullmatch(text):
        what = "quarter of a year" if "Q" in text else "year"
        return f"is a {what}, which is no step; a step divides a day, or is a week or a month, so bring rows to such"
    if (match := SPAN.fullmatch(text)) and is_time(match[1]):
        return SPANS
    if (match := NAMED_ZONE.fullmatch(text)) and re.match(ISO, match[1]):
        return (
            f'has the name of a zone, {match[2]}; remove it, and say time_zone = "Europe/Paris" or the like in the card'
        )
    if form := _form_of([text, *texts[:: 1 + len(texts) // TRIED]], months=months):
        return f'is not written as {LIKE}; say time_format = "{form}" in the card'
    return f'is no ISO time; write it as {LIKE}, or say time_format = "%d %b %Y %H:%M" or the like in the card'


def _form_of(texts: Sequence[str], *, months: bool) -> str:
    """The format that all of these have, as ``time_format`` has it; empty if none of those that leave nothing open."""
    import pandas as pd

    dated = (f"{date}{mark}{clock}" for date, clock in product(DATES, CLOCKS) for mark in (" :" if clock else [""]))
    for form in (*(MONTHS if months else ()), *dated):
        for spelt in (form.replace("%B", "%b"), form):
            if not pd.to_datetime(pd.Series(texts), format=spelt, errors="coerce").hasnans:
                return spelt
    return ""


def _which_first(match: re.Match[str], largest: Sequence[int]) -> str:
    """What to do about 01/03/2024, whose first number is the day in some countries, the month in others, or the year.

    ``largest`` are the largest of the first, second and third numbers of all times.
    """
    first, sign, second, year, _, clock = match.groups(default="")
    time = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}[min(2, clock.count(":"))] if clock else ""
    if re.search(r"[AaPp][Mm]", clock):
        time = time.replace("%H", "%I") + " %p"
    orders = [("the day", "%d%m%Y", 1), ("the month", "%m%d%Y", 0)]
    if len(year) == 2:
        orders = [(what, form.replace("Y", "y"), month) for what, form, month in orders]
        orders += [("the year", "%y%m%d", 1)] if sign != "." and largest[2] <= 31 else []
    forms = {
        what: sign.join(re.findall("%.", form)) + time
        for what, form, month in orders
        if largest[month] <= 12 and all(n <= 31 for n, part in zip(largest, form[1::2], strict=True) if part == "d")
    }
    if len(forms) == 1:
        return f'is not written as {LIKE}; say time_format = "{forms.popitem()[1]}" in the card'
    if [*forms] == ["the day", "the month"]:
        by_day, by_month = forms.values()
        return (
            f'may be day {first} of month {second} or the reverse; say time_format = "{by_day}" in the card if the day '
            f'comes first, or "{by_month}", or write it as {LIKE}'
        )
    if not forms:
        return f"is no day of the calendar in any order, or not alike in all rows; write it as {LIKE}"
    ways = ", or ".join(f'"{form}" if {what} comes first' for what, form in forms.items())
    return f"may be read in several ways; say time_format = {ways}, in the card, or write it as {LIKE}"
