"""Which column of a table is which cell and channel, by the names of the columns wherever these say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import IN_ORDER, ImportCard
from bench.errors import DataError
from bench.plain_text import counted

BETWEEN: Final = " _.:/,-"  # what stands between the parts of a name
CORES: Final = (  # row and column, as people write them
    rf"r(?:ow)?[{BETWEEN}]*(?P<row>\d+)[{BETWEEN}]*c(?:ol(?:umn)?)?[{BETWEEN}]*(?P<col>\d+)",
    rf"c(?:ol(?:umn)?)?[{BETWEEN}]*(?P<col>\d+)[{BETWEEN}]*r(?:ow)?[{BETWEEN}]*(?P<row>\d+)",
    r"\(?(?P<row>\d+)(?:[_x:/-]|, ?| )(?P<col>\d+)\)?",
)
CELL: Final = r"(?P<cell>\d+)"
Place = tuple[int, int]  # channel, and cell row by row


MOST_KEYS = 3  # columns of a long table that say which cell a line is of, and number the lines


@dataclass(frozen=True)
class Order:
    """Where each column goes.

    Attributes:
        columns: ``[places]``, the number of the column for each place of the card's layout.
        note: What was decided, in a sentence.
    """

    columns: NDArray[np.int64]
    note: str


def order_of(names: Sequence[str], width: int, card: ImportCard, where: object) -> Order:
    """Which column is which, by the card's ``columns``, else by names that say it, else by position.

    Args:
        names: Of the columns that hold values; empty if there is no header.
        width: How many columns hold values.
        card: Grid, channels and layout.
        where: The file, for messages.

    Raises:
        DataError: If the names say it, but not for exactly the cells and channels of the card.
    """
    if isinstance(card.columns, Mapping):
        return _order(_by_mapping(card.columns, names, card, where), names, card, where, "as the card says")
    if card.columns == IN_ORDER or not names:
        return _in_order(names, width, card, where)
    if card.columns:
        return _order(_by_pattern(names, card, where), names, card, where, f"as {card.columns}")
    places = _by_grid(names, card, where) or _by_number(names, card, where) or _by_channel(names, card)
    if places:
        return _order(places, names, card, where, "by their names")
    order = _in_order(names, width, card, where)
    _check_channels(names, card, where)
    return order


def _order(places: Sequence[Place], names: Sequence[str], card: ImportCard, where: object, how: str) -> Order:
    """From the place of each column to the column of each place."""
    taken: dict[Place, str] = {}
    for name, place in zip(names, places, strict=True):
        if place in taken:
            raise DataError(
                f"{where} has two columns for {_said(place, card)}: '{taken[place]}' and '{name}'; remove or rename one"
            )
        taken[place] = name
    flat = _flat(card)
    for place in np.ndindex(*flat.shape):
        if place not in taken:
            raise DataError(
                f"{where} has no column for {_said((place[0], place[1]), card)}, but one for {_said(places[0], card)}, "
                f"'{names[0]}'; correct grid in the card or the names of the columns"
            )
    columns = np.empty(len(names), np.int64)
    columns[[flat[place] for place in places]] = np.arange(len(names))
    return Order(columns, f"columns are matched {how}: '{names[0]}' is {_said(places[0], card)}")


def _in_order(names: Sequence[str], width: int, card: ImportCard, where: object) -> Order:
    flat = _flat(card).ravel()
    if width != len(flat):
        long = (
            '; if each line is a time and a cell, say layout = "long", and under [dims] which columns are row and '
            "column, or node"
        )
        raise DataError(
            f"{where} has {counted(width, 'value column')} where {card.layout} of {card.row_shape()} wants "
            f"{len(flat)}; correct grid, channels or layout in the card"
            + (long if width <= MOST_KEYS + len(card.channels) < len(flat) else "")
        )
    cells = _flat(card).shape[1]
    last = int(np.argmax(flat))
    first, end = (f"'{names[at]}'" if names else f"value column {at + 1}" for at in (0, len(flat) - 1))
    ends = f"{first} is {_said((0, 0), card)}, {end} is {_said((last // cells, last % cells), card)}"
    note = f"columns are taken in their order, as layout {card.layout}: {ends}" if len(flat) > 1 else ""
    if names and not card.columns and note:
        note += '; if that is wrong, say columns = "r{row}c{col}" or the like in the card'
    return Order(np.arange(len(flat)), note)


def _flat(card: ImportCard) -> NDArray[np.int64]:
    """``[C, cells]``: which value of a row in the card's layout each place is."""
    letters, shape = card.layout.replace("T", ""), card.row_shape()
    index = np.arange(np.prod(shape)).reshape(shape)
    return index.transpose([letters.index(letter) for letter in "CHWN" if letter in letters]).reshape(
        len(card.channels), -1
    )


def _said(place: Place, card: ImportCard) -> str:
    row, column = divmod(place[1], card.grid[1])
    channel = f" of {card.channels[place[0]]}" if len(card.channels) > 1 else ""
    return f"row {row}, column {column}{channel}"


def _by_mapping(
    stated: Mapping[str, Sequence[int | str]], names: Sequence[str], card: ImportCard, where: object
) -> list[Place]:
    places = []
    for name in names:
        if name not in stated:
            raise DataError(
                f"{where} has a column '{name}', which columns in the card does not name; name it there, or say "
                f'skip_columns = ["{name}"]'
            )
        row, column, channel = (*stated[name], card.channels[0])[:3]
        places.append((card.channels.index(str(channel)), int(row) * card.grid[1] + int(column)))
    return places


def _by_pattern(names: Sequence[str], card: ImportCard, where: object) -> list[Place]:
    """By the card's pattern, such as ``{channel}_{row}_{col}``; numbers count from 0 or from 1."""
    parts = {"channel": f"(?P<channel>{_alternatives(card)})", **{n: rf"(?P<{n}>\d+)" for n in ("row", "col", "cell")}}
    pieces = re.split(r"\{(\w+)\}", str(card.columns))
    pattern = re.compile("".join(parts[text] if odd % 2 else re.escape(text) for odd, text in enumerate(pieces)), re.I)
    matches = []
    for name in names:
        match = pattern.fullmatch(name)
        if match is None:
            raise DataError(
                f"{where} has a column '{name}', which is not like columns = '{card.columns}' in the card; correct "
                f'that, or say skip_columns = ["{name}"]'
            )
        matches.append(match.groupdict())
    return _places(matches, [match.get("channel") or card.channels[0] for match in matches], names, card, where)


def _by_grid(names: Sequence[str], card: ImportCard, where: object) -> list[Place] | None:
    """By a row and a column in each name, with the channel before or behind."""
    for core in CORES:
        split = [_split(name, core, card) for name in names]
        known = [parts for parts in split if parts]
        if not known or (core == CORES[-1] and 2 * len(known) <= len(names)):
            continue
        if len(known) < len(names):
            _refuse_stranger(names, split, where)
        if doubtful := _signed(names, known):
            raise DataError(
                f"{where} has columns such as {doubtful}, whose numbers may be negative; write them from 0 or 1 on, or "
                f"{_otherwise()}"
            )
        channels = _channels([label for label, _ in known], names, card, where)
        return _places([match.groupdict() for _, match in known], channels, names, card, where)
    return None


def _signed(names: Sequence[str], known: Sequence[tuple[str, re.Match[str]]]) -> str:
    """Names in which a minus may be a sign: not all have as many, or one stands where nothing is to be parted."""
    counts = [match.string.count("-") for _, match in known]
    if len({*counts}) > 1:
        more, less = (names[counts.index(count)] for count in (max(counts), min(counts)))
        return f"'{more}' beside '{less}'"
    return next((f"'{name}'" for name, (label, match) in zip(names, known, strict=True) if _below(label, match)), "")


def _below(label: str, match: re.Match[str]) -> bool:
    """Whether a name may have a row below 0: a minus before the row, with no word and no minus between the numbers."""
    row, column = (match.string[: match.start(part)].endswith("-") for part in ("row", "col"))
    return match.string.startswith("-") or (row and not column and not label)


def _by_number(names: Sequence[str], card: ImportCard, where: object) -> list[Place] | None:
    """By a number in each name that counts the cells, of each channel or of all; None if they are other numbers."""
    split = [_split(name, CELL, card) for name in names]
    known = [(label, int(match["cell"])) for label, match in filter(None, split)]
    if len(known) < len(names):
        same = len({label for label, _ in known}) == 1 and max(number for _, number in known) <= len(names)
        if same and 2 * len(known) > len(names):
            _refuse_stranger(names, split, where)
        return None
    labels = list(dict.fromkeys(label for label, _ in known))
    flat = _flat(card)
    count = flat.shape[1] if len(labels) == len(card.channels) else flat.size
    if len(labels) not in (1, len(card.channels)) or (
        len(labels) > 1 and {*labels} != {*map(str.lower, card.channels)}
    ):
        return None
    numbers = {number for _, number in known}
    first = min(numbers)
    if {*known} != {(label, first + n) for label in labels for n in range(count)} or first > 1:
        if max(numbers) > count or len(names) != flat.size:
            return None
        absent = min({*range(first, max(numbers))} - numbers, default=min(numbers))
        raise DataError(
            f"{where} counts its columns, such as '{names[0]}', but not each of {count} once: see number {absent}; "
            f"correct the names, or {_otherwise()}"
        )
    if count < flat.size or len(card.channels) == 1:
        channels = [*map(str.lower, card.channels)]
        return [(channels.index(label) if len(labels) > 1 else 0, number - first) for label, number in known]
    places = np.argwhere(np.ones_like(flat))[np.argsort(flat.ravel())]
    return [(int(places[number - first][0]), int(places[number - first][1])) for _, number in known]


def names_a_cell(name: str) -> bool:
    """Whether a name is a row and a column beyond doubt, such as ``r3c7``."""
    return any(re.fullmatch(core, name.strip().lower()) for core in CORES[:2])


def _refuse_stranger(names: Sequence[str], split: Sequence[object], where: object) -> NoReturn:
    """Refuse a name that says nothing beside names that do."""
    stranger = names[split.index(None)]
    example = next(name for name, parts in zip(names, split, strict=True) if parts is not None)
    raise DataError(
        f"{where} has a column '{stranger}' beside such as '{example}'; say skip_columns = [\"{stranger}\"] in the "
        f"card, or {_otherwise()}"
    )


def _by_channel(names: Sequence[str], card: ImportCard) -> list[Place] | None:
    """By the channel alone, where there is one cell."""
    channels = [channel.lower() for channel in card.channels]
    if len(channels) == 1 or card.grid != (1, 1) or sorted(map(str.lower, names)) != sorted(channels):
        return None
    return [(channels.index(name.lower()), 0) for name in names]


def _places(
    matches: Sequence[Mapping[str, str | None]],
    channels: Sequence[str],
    names: Sequence[str],
    card: ImportCard,
    where: object,
) -> list[Place]:
    """Places of names that hold ``row`` and ``col``, or ``cell``, of which the smallest is the first."""
    lower = [channel.lower() for channel in card.channels]
    numbers = [lower.index(channel.lower()) for channel in channels]
    H, W = card.grid
    if "cell" in matches[0]:
        cells = [int(match["cell"] or 0) for match in matches]
        _check_span("cells", cells, H * W, names, card, where)
        return [(number, cell - min(cells)) for number, cell in zip(numbers, cells, strict=True)]
    rows, columns = ([int(match[part] or 0) for match in matches] for part in ("row", "col"))
    if (_span(rows), _span(columns)) == (W, H) and H != W:
        raise DataError(
            f"{where} has rows {min(rows)} to {max(rows)} and columns {min(columns)} to {max(columns)} in the names of "
            f"its columns, such as '{names[0]}', where grid = [{H}, {W}] is rows, columns; say grid = [{W}, {H}], or "
            f'columns = "{{col}}_{{row}}" or the like, in the card'
        )
    _check_span("rows", rows, H, names, card, where)
    _check_span("columns", columns, W, names, card, where)
    top, left = min(rows), min(columns)
    return [(n, (row - top) * W + column - left) for n, row, column in zip(numbers, rows, columns, strict=True)]


def _check_span(
    what: str, numbers: Sequence[int], wanted: int, names: Sequence[str], card: ImportCard, where: object
) -> None:
    if _span(numbers) != wanted:
        raise DataError(
            f"{where} has {what} {min(numbers)} to {max(numbers)} in the names of its columns, such as '{names[0]}', "
            f"where grid = {list(card.grid)} wants {wanted}; correct grid, or {_otherwise()}"
        )


def _otherwise() -> str:
    return 'say in the card what names mean, as columns = "r{row}c{col}", or columns = "in order" if they mean nothing'


def _span(numbers: Sequence[int]) -> int:
    return max(numbers) - min(numbers) + 1


def _split(name: str, core: str, card: ImportCard) -> tuple[str, re.Match[str]] | None:
    """The words before or behind the numbers of a name, in small letters, and the numbers."""
    text, label = name.strip().lower(), ""
    for channel in sorted(map(str.lower, card.channels), key=len, reverse=True):
        own = re.escape(channel)
        rest = re.sub(rf"^{own}(?![a-z0-9])[{BETWEEN}]*|[{BETWEEN}]*(?<![a-z0-9]){own}$", "", text)
        if rest != text:
            text, label = rest, channel
            break
    lead, trail = (r".*?", r"(?:\D.*)?") if core in CORES[:2] else (r"\D*?", r"\D*")  # beside r3c7, digits are no place
    match = re.fullmatch(rf"(?P<lead>{lead})[{BETWEEN}]*{core}[{BETWEEN}]*(?P<trail>{trail})", text)
    return (label or f"{match['lead']} {match['trail']}".strip(BETWEEN), match) if match else None


def _channels(labels: Sequence[str], names: Sequence[str], card: ImportCard, where: object) -> list[str]:
    """The channel of each name, from the words in it."""
    distinct = list(dict.fromkeys(labels))
    if len(card.channels) == 1 and len(distinct) == 1:
        return [card.channels[0]] * len(names)
    if {*distinct} != {*map(str.lower, card.channels)}:
        shown = ", ".join(f"'{label}'" for label in distinct[:4]) if any(distinct) else "no channel"
        raise DataError(
            f"{where} has {shown} in the names of its columns, such as '{names[0]}', where the card has channels = "
            f"{list(card.channels)}; write them alike, or {_otherwise()}"
        )
    return list(labels)


def _check_channels(names: Sequence[str], card: ImportCard, where: object) -> None:
    """Names that tell a channel and nothing else are in the order of the layout."""
    lower = [channel.lower() for channel in card.channels]
    named = [
        [n for n, channel in enumerate(lower) if channel in re.split(r"[^a-z0-9]+", name.lower())] for name in names
    ]
    if len(lower) == 1 or any(len(channels) != 1 for channels in named):
        return
    order = np.argsort(_flat(card).ravel())
    expected = order // _flat(card).shape[1]
    wrong = [at for at, channels in enumerate(named) if channels[0] != expected[at]]
    if wrong:
        raise DataError(
            f"{where} has the column '{names[wrong[0]]}' where layout {card.layout} has "
            f"'{card.channels[expected[wrong[0]]]}'; correct layout or channels in the card, or {_otherwise()}"
        )


def _alternatives(card: ImportCard) -> str:
    return "|".join(re.escape(channel) for channel in sorted(card.channels, key=len, reverse=True))
