"""Which values of a NetCDF variable are valid by its attributes; all others are missing.

``valid_min``, ``valid_max`` and ``valid_range`` are limits, as the CF conventions have them: of the numbers as they are
packed, unless they are fractions where these are whole. Where a file states no mark of missing values, what was never
written to it holds a fill value that the type has by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.importing.arrays import Around, Readable
from bench.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

LIMITS: Final = {"valid_min": 1, "valid_max": 1, "valid_range": 2}  # how many numbers each has
MARKS: Final = ("_FillValue", "missing_value")
FILLS: Final = {
    "i2": -(2**15) + 1,
    "u2": 2**16 - 1,
    "i4": -(2**31) + 1,
    "u4": 2**32 - 1,
    "i8": -(2**63) + 2,
    "u8": 2**64 - 2,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}
"""The fill values of NetCDF by type; a byte has none."""


@dataclass(frozen=True)
class ValidValues(Around):
    """An array whose values below ``lowest``, above ``highest`` or equal to ``fill`` are missing."""

    lowest: Any = None
    highest: Any = None
    fill: Any = None

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        rows = self.array.read(axis, piece)
        invalid = np.zeros(rows.shape, dtype=bool)
        if self.lowest is not None:
            invalid |= rows < self.lowest
        if self.highest is not None:
            invalid |= rows > self.highest
        if self.fill is not None:
            invalid |= rows == self.fill
        if not invalid.any():
            return rows
        rows = rows if rows.dtype.kind == "f" else rows.astype(np.float64)
        rows[invalid] = np.nan
        return rows


def valid_values(array: Readable, labelled: xr.DataArray, where: Path, *, default_fills: bool) -> Readable:
    """An array with what its attributes call invalid made missing; ``labelled`` has these attributes.

    ``default_fills`` is whether what was never written holds a fill value by default.

    Raises:
        DataError: If a limit is no number.
    """
    packed = np.dtype(labelled.encoding.get("dtype", array.dtype))
    if array.dtype.kind not in "iuf" or packed.kind not in "iuf":
        return array
    limits = {name: _limit(labelled, name, where) for name in LIMITS if name in labelled.attrs}
    lowest, highest = limits.get("valid_range", (None, None))
    lowest, highest = limits.get("valid_min", [lowest])[0], limits.get("valid_max", [highest])[0]
    unmarked = default_fills and not any(name in {**labelled.attrs, **labelled.encoding} for name in MARKS)
    fill = FILLS.get(packed.str[1:]) if unmarked else None
    if not limits and fill is None:
        return array
    lower: list[Any] = []
    upper: list[Any] = []
    turns = labelled.encoding.get("scale_factor", 1) < 0  # a smallest number as packed into a largest value
    for number, same, other in ((lowest, lower, upper), (highest, upper, lower)):
        if number is not None:
            side = other if turns and _is_packed(number, packed) else same
            side.append(_unpacked(number, packed, array.dtype, labelled))
    fill = None if fill is None else _unpacked(fill, packed, array.dtype, labelled)
    return ValidValues(array, lowest=max(lower, default=None), highest=min(upper, default=None), fill=fill)


def _limit(labelled: xr.DataArray, name: str, where: Path) -> NDArray[Any]:
    limit = np.atleast_1d(labelled.attrs[name])
    if limit.dtype.kind not in "iuf" or limit.shape != (LIMITS[name],):
        wanted = "two numbers are" if LIMITS[name] > 1 else "a number is"
        raise DataError(
            f"{where} has {name} = {labelled.attrs[name]!r} of '{labelled.name}' where {wanted} wanted; correct or "
            "remove that attribute"
        )
    return limit


def _is_packed(number: Any, packed: np.dtype[Any]) -> bool:
    """Whether a number is one as they are packed: any but a fraction where these are whole."""
    return np.asarray(number).dtype.kind != "f" or packed.kind not in "iu"


def _unpacked(number: Any, packed: np.dtype[Any], dtype: np.dtype[Any], labelled: xr.DataArray) -> Any:
    """A number in units of the values, rounded as they are if it is packed."""
    if not _is_packed(number, packed):
        return number
    if str(labelled.encoding.get("_Unsigned", "")).lower() == "true" and packed.kind == "i":
        number = np.array([number]).astype(packed).view(f"u{packed.itemsize}")[0]
    value = np.array([number])
    value = value.astype(dtype) if dtype.kind == "f" else value
    for name, change in (("scale_factor", np.multiply), ("add_offset", np.add)):
        if name in labelled.encoding:
            change(value, labelled.encoding[name], out=value, casting="unsafe")
    return value[0]
