"""Files of named arrays: which are the values, which the times, and what they are as a source of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.import_layout import LONG
from bench.catalog.importing.arrays import ArraySource, Readable, checked
from bench.catalog.importing.nodes import canvas_of
from bench.catalog.importing.stamps import looks_like_times, stamps, stamps_of_file
from bench.catalog.importing.times import TimeAxis
from bench.errors import ConfigError, DataError

TIMES: Final = ("time", "times", "timestamp", "timestamps", "date", "dates", "datetime", "datetimes")
Progress = Callable[[int, int], None]


def named_arrays(
    arrays: Mapping[str, Readable],
    card: ImportCard,
    where: Path,
    folder: Path,
    on_progress: Progress,
    *,
    times: Any = None,
) -> ArraySource:
    """The arrays that a card names, or the only one of numbers, and the times that lie beside them.

    Of ``arrays``, by name, one without a name is named by "". ``where`` is the file, ``folder`` the card's.
    ``times`` take the place of those beside the values.

    Raises:
        DataError: If what the card names is not there, or is not what the card says.
    """
    if card.layout == LONG:
        raise ConfigError(f"layout 'long' is of tables, but {where} holds arrays; name their axes, such as TCHW or TNC")
    values = [arrays[name] for name in _chosen(arrays, card, where)]
    letters = checked(values, card.layout, card, where)
    slots = values[0].shape[letters.index("T")]
    times = _times(arrays, card, where, folder, slots) if times is None else stamps(times, card, where, "times")
    return source(values, letters, card, where, folder, on_progress, times=times)


def source(
    arrays: Sequence[Readable],
    letters: str,
    card: ImportCard,
    where: Path,
    folder: Path,
    on_progress: Progress,
    *,
    times: Any,
    names: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> ArraySource:
    """Arrays that were checked as a source of rows; ``times`` and ``names`` of sensors as far as the file has any.

    ``notes`` are what was decided already.

    Raises:
        DataError: If times are not as many as slots, or sensors cannot be placed.
    """
    shape = arrays[0].shape
    slots = shape[letters.index("T")]
    if times is not None and len(times) != slots:
        raise DataError(f"{where} has {len(times)} times for {slots} slots; give each slot one")
    canvas = canvas_of(card, folder, shape[letters.index("N")], names, where) if "N" in letters else None
    if card.nodes and not canvas:
        raise DataError(
            f"{where} has rows and columns, but the card says nodes; leave it out, or name an axis N or node"
        )
    if len(arrays) > 1:
        arrays = [arrays[number] for number in card.used]
    return ArraySource(
        arrays=arrays,
        letters=letters,
        card=imported_card(card, (*card.empty_cells, *(canvas.empty if canvas else ()))),
        channels=card.used,
        times=times,
        axis=TimeAxis(card, where),
        canvas=canvas,
        on_progress=on_progress,
        decided=notes,
    )


def imported_card(card: ImportCard, empty: Sequence[int]) -> ImportCard:
    """What a card says of ``[T, C, H, W]`` with its channels that are used."""
    names = tuple(card.channels[number] for number in card.used)
    unit = card.unit if isinstance(card.unit, str) else tuple(card.unit[number] for number in card.used)
    missing = (*card.missing, "nan") if card.absent == "missing" else card.missing
    changed = {**card.as_imported(names, tuple(sorted({*empty}))), "unit": unit, "missing": missing}
    return card.model_copy(update=changed)


def _chosen(arrays: Mapping[str, Readable], card: ImportCard, where: Path) -> Sequence[str]:
    """The names of the arrays that hold the values."""
    listed = ", ".join(sorted(arrays)) or "no array"
    if lost := [key for key in card.keys if key not in arrays]:
        raise DataError(f"{where} holds {listed} where '{lost[0]}' is wanted; name what it holds as key in the card")
    if card.keys:
        return card.keys
    if len(arrays) == 1:
        return [*arrays]
    numbers = [name for name, array in arrays.items() if array.dtype.kind in "biuf" and len(array.shape) > 1]
    if len(numbers) != 1:
        raise DataError(
            f"{where} holds {listed} where one array only is wanted; name it as key in the card, or several as a list, "
            "one for each channel"
        )
    return numbers


def _times(
    arrays: Mapping[str, Readable], card: ImportCard, where: Path, folder: Path, slots: int
) -> NDArray[Any] | None:
    if card.times in arrays and card.times:
        return stamps(_whole(arrays[card.times]), card, where, card.times)
    if card.times:
        path = folder / card.times
        if not path.is_file():
            listed = ", ".join(sorted(name for name in arrays if name))
            holds = f"{where} holds {listed}" if listed else f"{where} holds one array"
            raise DataError(f"{holds}, and there is no file {path} of times; correct times in the card")
        return stamps_of_file(path, card)
    candidates = [name for name, array in arrays.items() if looks_like_times(array.shape, array.dtype, slots)]
    if len(candidates) > 1:
        raise DataError(
            f"{where} holds {' and '.join(candidates)}, which may be its times; name them as times in the card"
        )
    if not candidates:
        _check_length(arrays, where, slots)
        return None
    return stamps(_whole(arrays[candidates[0]]), card, where, candidates[0])


def _check_length(arrays: Mapping[str, Readable], where: Path, slots: int) -> None:
    """Refuse times that are more or fewer than the slots."""
    for name, array in arrays.items():
        named = array.shape and name.rpartition("/")[2].lower() in TIMES
        if named and looks_like_times(array.shape, array.dtype, array.shape[0]):
            raise DataError(
                f"{where} has {array.shape[0]} times '{name}' for {slots} slots; give each slot one, or rename what "
                "are no times of slots"
            )


def _whole(array: Readable) -> NDArray[Any]:
    return array.read(0, slice(None))
