"""What a user says of an array: a TOML card.

A complete card; only the first three lines are required, and the values shown for the others are their defaults,
except for ``start``, whose default is that the calendar is unknown, and ``header``, which is found out if it can be::

    name = "citybus"                # small letters, digits and _; not the name of a data set that exists
    interval = 30                   # minutes per slot, of which a day holds a whole number; or "week", or "month"
    grid = [10, 20]                 # rows, columns
    start = "2024-01-01T00:00"      # local time of the first slot
    channels = ["value"]            # names, in the array's order
    use_channels = []               # names of those that make the data set, if not all do
    header = true                   # whether a CSV begins with one; asked for only where its first line leaves it open
    columns = ""                    # how a table names its columns of values, such as "{channel}_{row}_{col}"
    skip_columns = []               # names of columns of a table that are left out
    time_columns = []               # the name of its column of times, or those of its columns of dates and times of day
    decimal = ""                    # "." or ",", where a CSV leaves it open
    missing = "none"                # or what marks a missing value: a list such as [-1, "NA", "nan", ""]
    gaps = "error"                  # or "missing": slots that the file leaves out are missing values
    time_zone = ""                  # of the times in the file, such as "Europe/Paris" or "+01:00", where it matters
    time_format = ""                # of the times in the file, such as "%d/%m/%Y %H:%M", where they are not ISO
    nonnegative = true              # a negative value is an error
    zero_is_missing = false         # a zero means that the sensor was silent
    mape_threshold = 10.0           # MAPE counts only targets of at least this size, and never a target of 0
    unit = "units"                  # or a list, one for each of channels: scores are not pooled where they differ
    title = ""                      # the name, if empty
    city = ""                       # data sets of one city or one source are related: no independent witnesses
    source = ""                     # whose measurements they are
    domain = ""
    licence = ""
    citation = ""
    homepage = ""

``bench.catalog.import_layout`` shows the keys that say how the values lie in the file.

Where a step is a week or a month, the season is the year: ``bench.clock`` says which times they have.

A number in ``missing`` marks the values that are equal to it, ``""`` an empty cell, and ``"nan"`` NaN in any of its
usual spellings; ``missing = "nan"`` is short for ``["nan", ""]``. With a ``time_zone``, times are put into its standard
(winter) time all year, so that each day has as many slots as the next.

A CSV has one slot per row, and may have a header line and a column of ISO times; the card's ``start`` may then be left
out. Its columns are matched by their names where these are a row and a column, as ``r3c7``, ``3_7`` or ``in_3_7``, or
number the cells row by row, as ``node12``; other names are taken in the order of the layout. ``columns`` says what they
mean: a pattern of ``{row}`` and ``{col}``, or ``{cell}``, and ``{channel}``; ``"in order"``; or the place of each::

    [columns]
    "Station A" = [0, 3]            # row and column, from 0
    "Station B" = [1, 2]            # or [1, 2, "in"] where there are several channels
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    Field,
    NaiveDatetime,
    PlainSerializer,
    PositiveInt,
    ValidationError,
    model_validator,
)

from bench.catalog.import_layout import LONG, FileLayout, sizes
from bench.catalog.known_keys import UNKNOWN
from bench.clock import MONTH, WEEK, moment_of, step_in_words, times_from
from bench.errors import ConfigError
from bench.plain_files import parse_toml, read_text
from bench.plain_text import one_line, shown
from bench.types import MINUTES_PER_DAY, DatasetCard

CARD_FILE, DATA_FILE = "card.toml", "data.npy"
BY_HAND = "data.npz"  # in place of DATA_FILE: of a folder laid out by hand, or by an earlier version
IN_ORDER = "in order"  # of ``columns``: the names of columns mean nothing
ZONE = r"^([+-][0-9]{2}:[0-9]{2}|[A-Za-z][A-Za-z0-9_+/-]*)?$"
NAME = r"^[a-z][a-z0-9_]*$"
MIDNIGHT = datetime.fromisoformat("2024-01-01")  # of a Monday
LONG_STEPS: Final = {"week": WEEK, "month": MONTH}
WORDS: Final = {  # of pydantic's types of errors, where it speaks of Python
    "tuple_type": "should be a list in square brackets",
    "too_long": "should have at most {max_length} parts",
    "model_type": "should be a table of its own",
    "too_short": "should have at least {min_length} part",
    "string_too_short": "should have a name",
    "int_from_float": "should be a whole number",
}
KEY_WORDS: Final = {  # of patterns
    "name": "should be small letters, digits and _, beginning with a letter",
    "time_zone": 'should be a zone such as "Europe/Paris" or "+01:00"',
}
EXAMPLES: Final = {"name": '"mybikes"', "grid": "[8, 9] (rows, columns)", "interval": "60 (minutes)"}
LAST_MOMENT: Final = moment_of("9999-12-31T23:59:59")


def _marks(value: object) -> object:
    """``missing`` of a card as a list: the words ``none`` and ``nan`` are short for one."""
    lists: dict[object, tuple[object, ...]] = {"none": (), "nan": ("nan", "")}
    marks = lists.get(value) if isinstance(value, str) else value
    if not isinstance(marks, list | tuple) or any(isinstance(mark, bool) for mark in marks):
        raise ValueError('write "none", "nan", or a list of what marks a missing value, such as [-1, "NA", "nan", ""]')
    return tuple(map(_mark, marks))


def _mark(mark: object) -> object:
    """A number in quotes is that number, and a NaN is the word for it."""
    try:
        number = float(mark)  # type: ignore[arg-type]  # what is no number is told so
    except (TypeError, ValueError):
        return mark.strip() if isinstance(mark, str) else mark
    return "nan" if math.isnan(number) else number


def _columns(value: object) -> object:
    """``columns`` of a card: empty, in order, a pattern, or a table of places."""
    if isinstance(value, Mapping):
        for name, place in value.items():
            if not (
                isinstance(place, list | tuple) and len(place) in (2, 3) and all(type(n) is int for n in place[:2])
            ):
                raise ValueError(f'write the place of "{name}" as [row, column] or [row, column, "channel"]')
        return value
    if not isinstance(value, str):
        raise ValueError('write a pattern such as "r{row}c{col}", or "in order"')
    parts = re.findall(r"\{([^{}]*)\}", value)
    if value not in ("", IN_ORDER) and sorted({*parts} - {"channel"}) not in (["cell"], ["col", "row"]):
        raise ValueError('write {row} and {col}, or {cell}, and {channel}, such as "{channel}_{row}_{col}"')
    if len({*parts}) < len(parts):
        raise ValueError("write each part once")
    return value


def _interval(value: object) -> object:
    """Minutes, also of a week or a month."""
    if isinstance(value, bool) or (isinstance(value, str) and value not in LONG_STEPS):
        raise ValueError('write minutes, such as 30, or "week" or "month"')
    return LONG_STEPS[value] if isinstance(value, str) else value


def _interval_in_card(minutes: int) -> int | str:
    return next((word for word, length in LONG_STEPS.items() if length == minutes), minutes)


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("write a date-time such as 2024-01-01T00:00")
    return value


class ImportCard(FileLayout):
    """What a user says of an array; see the module's docstring."""

    name: Annotated[str, Field(pattern=NAME, max_length=64)]
    interval: Annotated[PositiveInt, BeforeValidator(_interval), PlainSerializer(_interval_in_card)]
    grid: tuple[PositiveInt, PositiveInt]
    start: Annotated[NaiveDatetime, BeforeValidator(_no_number)] | None = None
    channels: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] = ("value",)
    use_channels: tuple[str, ...] = ()
    header: bool | None = None
    columns: Annotated[str | dict[str, tuple[int | str, ...]], BeforeValidator(_columns)] = ""
    skip_columns: tuple[str, ...] = ()
    time_columns: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    decimal: Literal["", ".", ","] = ""
    missing: Annotated[tuple[float | str, ...], BeforeValidator(_marks)] = ()
    gaps: Literal["error", "missing"] = "error"
    time_zone: Annotated[str, Field(pattern=ZONE)] = ""
    time_format: str = ""
    nonnegative: bool = True
    zero_is_missing: bool = False
    mape_threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    unit: str | tuple[str, ...] = "units"
    title: str = ""
    city: str = ""
    source: str = ""
    domain: str = ""
    licence: str = ""
    citation: str = ""
    homepage: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> ImportCard:
        short = self.interval not in LONG_STEPS.values()
        if short and MINUTES_PER_DAY % self.interval:
            raise ValueError(
                f"interval = {self.interval} does not divide a day of {MINUTES_PER_DAY} minutes, and is no "
                '"week" or "month"'
            )
        if short and self.start and (self.start - MIDNIGHT) % timedelta(minutes=self.interval):
            raise ValueError(
                f"start = {self.start} is not a whole number of {self.interval}-minute slots after midnight"
            )
        if len(set(self.channels)) < len(self.channels):
            raise ValueError(f"channels = {list(self.channels)} names one twice")
        if len(self.keys) > 1 and len(self.keys) != len(self.channels):
            raise ValueError(f"key = {list(self.keys)} names {len(self.keys)} for {len(self.channels)} channels")
        if "C" not in self.layout and len(self.channels) > 1 and len(self.keys) < 2 and self.layout != LONG:
            raise ValueError(f"layout {self.layout} has no C, but there are {len(self.channels)} channels")
        if not isinstance(self.unit, str) and len(self.unit) != len(self.channels):
            raise ValueError(f"unit = {list(self.unit)} names {len(self.unit)} for {len(self.channels)} channels")
        if strangers := {*self.use_channels} - {*self.channels}:
            raise ValueError(
                f"use_channels names {min(strangers)!r}, which is none of channels = {list(self.channels)}"
            )
        self._check_cells()
        self._check_places()
        return self

    def _check_cells(self) -> None:
        """Sensors and empty cells fit the grid."""
        cells = self.grid[0] * self.grid[1]
        if isinstance(self.nodes, int) and self.nodes > cells:
            raise ValueError(f"nodes = {self.nodes} are more than the {cells} cells of grid = {list(self.grid)}")
        if self.empty_cells and max(self.empty_cells) >= cells:
            raise ValueError(f"empty_cells names cell {max(self.empty_cells)}, but {cells} cells end at {cells - 1}")
        if len({*self.empty_cells}) == cells:
            raise ValueError(f"empty_cells names all {cells} cells, so that nothing is left")

    def _check_places(self) -> None:
        """Places that ``columns`` gives one by one lie in the grid and have a channel of the card."""
        if isinstance(self.columns, str):
            needs = len(self.channels) > 1 and self.columns not in ("", IN_ORDER)
            if needs and "{channel}" not in self.columns:
                raise ValueError(f"columns = '{self.columns}' has no {{channel}}, but there are several channels")
            return
        for name, (row, column, *channel) in self.columns.items():
            inside = 0 <= int(row) < self.grid[0] and 0 <= int(column) < self.grid[1]
            if not inside or {*channel} - {*self.channels} or len(channel) < (len(self.channels) > 1):
                raise ValueError(
                    f'columns puts "{name}" at {[row, column, *channel]}, which is no cell of grid = '
                    f"{list(self.grid)}, counted from 0, with channels = {list(self.channels)}"
                )

    @property
    def used(self) -> list[int]:
        """The numbers of the channels that make the data set, in the array's order."""
        wanted = self.use_channels or self.channels
        return [number for number, name in enumerate(self.channels) if name in wanted]

    @property
    def may_miss_values(self) -> bool:
        """Whether a value of the data set may be NaN."""
        return bool(self.missing) or self.gaps == "missing"

    def row_shape(self) -> tuple[int, ...]:
        """Shape of one slot in the declared layout."""
        nodes = self.nodes if isinstance(self.nodes, int) else 0
        return sizes(self.layout.replace("T", ""), len(self.channels), self.grid, nodes)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """``[H, W]``, True in cells where nothing is measured."""
        empty = np.zeros(self.grid[0] * self.grid[1], dtype=bool)
        empty[list(self.empty_cells)] = True
        return empty.reshape(self.grid)

    def card(self, slots: int) -> DatasetCard:
        """The same facts in the form that the harness knows.

        Raises:
            ConfigError: If so many slots end after the last day that the calendar has.
        """
        if self.start and times_from(moment_of(self.start), self.interval, np.array([slots]))[0] > LAST_MOMENT:
            raise ConfigError(
                f"{self.name} begins at {self.start}, and its {slots} slots of {step_in_words(self.interval)} end "
                "after the year 9999; correct the start"
            )
        return DatasetCard(
            name=self.name,
            title=self.title or self.name,
            city=self.city,
            source=self.source,
            domain=self.domain,
            grid=self.grid,
            interval=self.interval,
            start=self.start.isoformat() if self.start else None,
            slots=slots,
            channels=tuple(self.channels[number] for number in self.used),
            unit=self.unit if isinstance(self.unit, str) else tuple(self.unit[number] for number in self.used),
            licence=self.licence,
            citation=self.citation,
            homepage=self.homepage,
            how_to_get="A user's own array; see 'stbench data import --help'.",
            formats=(f"{DATA_FILE} beside {CARD_FILE}, written by 'stbench data import'",),
            nonnegative=self.nonnegative,
            zero_is_missing=self.zero_is_missing,
            mape_threshold=self.mape_threshold,
        )


def read_card(path: Path) -> tuple[str, ImportCard]:
    """The card's text and what it says.

    Raises:
        ConfigError: If it cannot be read or does not validate.
    """
    try:
        text = read_text(path)
        keys = parse_toml(text)
    except OSError as error:
        raise ConfigError(f"the card {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        remedy = "save it in UTF-8" if isinstance(error, UnicodeDecodeError) else "correct it"
        raise ConfigError(f"the card {path} is not TOML: {one_line(error)}; {remedy}") from error
    return text, card_from(keys, f"the card {path}")


def card_from(keys: Mapping[str, Any], where: str) -> ImportCard:
    """A card of these keys.

    Raises:
        ConfigError: If it does not validate.
    """
    try:
        return ImportCard.model_validate(dict(keys))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == UNKNOWN:
            raise ConfigError(f"{where} is wrong: {f'under [{key}] ' * bool(key)}{first['msg']}") from error
        words = KEY_WORDS.get(key, "") if first["type"] == "string_pattern_mismatch" else WORDS.get(first["type"], "")
        what = words.format(**first.get("ctx", {})) or first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            what = f"is missing: say {key} = {EXAMPLES[key]}" if key in EXAMPLES else "is missing"
        value = f", found {shown(first['input'])}" if key and first["type"] != "missing" else ""
        raise ConfigError(f"{where} is wrong: {' '.join(filter(None, (key, what)))}{value}; correct it") from error
