"""The numbers of a column of a frame, which may hold them as objects or texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def numbers_of(column: pd.Series[Any], card: ImportCard, where: Path) -> NDArray[np.float64]:
    """``[t]``, NaN where nothing is or where the card's ``missing`` names a text; the index counts the table's rows.

    Raises:
        DataError: If something else is no number.
    """
    import pandas as pd

    texts = [mark for mark in card.missing if isinstance(mark, str)]
    if texts and not pd.api.types.is_numeric_dtype(column):
        column = column.mask(column.isin(texts))
    try:
        return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise _no_number(column, where) from error


def _no_number(column: pd.Series[Any], where: Path) -> DataError:
    import pandas as pd

    lost = pd.to_numeric(column, errors="coerce").isna()
    wrong, name = column[lost & column.notna()], column.name
    row, cell = next(iter((wrong if len(wrong) else column).items()))
    if lost.all():
        remedy = f'skip_columns = ["{name}"] if it does not count, or time_columns = ["{name}"] if it has times'
    else:
        remedy = f'missing = ["{cell}"] if that marks a missing value'
    return DataError(
        f"{where} has '{cell}' in column '{name}' of row {int(str(row)) + 1} where numbers are wanted; write one or "
        f"NaN there, or say in the card {remedy}"
    )
