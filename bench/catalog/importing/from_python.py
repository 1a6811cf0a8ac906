"""Arrays, data frames and labelled arrays that a script holds, imported as files are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard, card_from, read_card
from bench.catalog.import_layout import LONG
from bench.catalog.importing import import_source
from bench.catalog.importing.array_files import named_arrays
from bench.catalog.importing.arrays import Indexed, Readable
from bench.catalog.importing.beside import with_time_column, with_times
from bench.catalog.importing.formats import Errand, opened
from bench.catalog.importing.labelled import labelled_source
from bench.catalog.importing.long_columns import is_long
from bench.catalog.importing.long_table import LongTable
from bench.catalog.importing.source import Source
from bench.catalog.importing.tables import FrameTable
from bench.catalog.importing.wide_table import WideTable
from bench.errors import DataError
from bench.types import DatasetCard


def import_data(
    data: Any,
    card: Mapping[str, Any] | str | Path,
    data_dir: Path,
    *,
    times: Any = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
    on_note: Callable[[str], None] = lambda note: None,  # noqa: ARG005
) -> tuple[DatasetCard, Path]:
    """As ``bench.catalog.importing.import_array``, of what a script holds or of a file.

    Args:
        data: The path of a file; a numpy array, or a mapping of names to arrays, as in an ``.npz``; a pandas DataFrame,
            long, or wide with a row for each slot; an xarray DataArray or Dataset.
        card: Its keys, or the path of a TOML file.
        data_dir: Folder of all data sets; made if it does not exist.
        times: Of the slots of a numpy array, ``[T]`` datetimes or ISO texts.
        force: Replace an import of the same name.
        on_progress: Told how much of how much was read, after each piece.
        on_note: Told in a sentence what was decided in reading, once all was read.

    Returns:
        The card and the folder.

    Raises:
        ConfigError: If the card does not validate, or its name is taken.
        DataError: If the data cannot be read or are not what the card says.
    """
    text, asked, folder = _card(card)
    is_file = isinstance(data, str | Path)
    where = Path(data) if is_file else Path(f"the {type(data).__name__}")

    def open_data(scratch: Path) -> Source:
        errand = Errand(where, asked, folder, scratch, on_progress)
        return opened(errand) if is_file and times is None else _source(data, errand, times)

    return import_source(open_data, where, text, asked, data_dir, force=force, on_note=on_note)


def _card(card: Mapping[str, Any] | str | Path) -> tuple[str, ImportCard, Path]:
    """Text, meaning and folder of a card."""
    if isinstance(card, str | Path):
        return (*read_card(Path(card)), Path(card).parent)
    asked = card_from(card, "the card")
    return tomli_w.dumps(asked.model_dump(exclude_unset=True, exclude_none=True)), asked, Path()


def _source(
    data: Any,
    errand: Errand,
    times: Any,
) -> Source:
    where, card, folder, on_progress = errand.file, errand.card, errand.folder, errand.on_progress
    if isinstance(data, np.ndarray):
        data = {"": data}
    if isinstance(data, Mapping) and all(isinstance(array, np.ndarray) for array in data.values()):
        arrays: dict[str, Readable] = {str(name): Indexed(_unmasked(array)) for name, array in data.items()}
        return named_arrays(arrays, card, where, folder, on_progress, times=times)
    if times is not None:
        raise DataError(f"{where} has its own times, or its card names a file of them as times; leave times out")
    package = type(data).__module__.split(".")[0]
    if package == "pandas" and hasattr(data, "columns"):
        table = FrameTable(data, where)
        card = with_time_column(card, table.columns)
        if card.layout == LONG or is_long(table.columns, card):
            return LongTable(table, card, folder, errand.scratch, on_progress)
        return with_times(WideTable(table, card, folder, on_progress), card, folder, where)
    if package == "xarray" and type(data).__name__ in ("DataArray", "Dataset"):
        return labelled_source(data, card, where, folder, on_progress)
    if package == "pandas" and type(data).__name__ == "Series":
        raise DataError(
            f"{where} is not read; give a DataFrame, as its .to_frame() is: a long table where the levels of its index "
            "are called time, row and column, or time and node"
        )
    raise DataError(
        f"{where} is not read; give a path, a numpy array or several by name, a pandas DataFrame, or an xarray "
        "DataArray or Dataset"
    )


def _unmasked(array: NDArray[Any]) -> NDArray[Any]:
    """An array whose masked values are NaN."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    if not np.ma.is_masked(array):
        return array.data
    return np.ma.filled(array.astype(np.result_type(array.dtype, np.float32)), np.nan)
