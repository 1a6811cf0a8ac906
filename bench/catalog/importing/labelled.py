"""Arrays with named dimensions, as xarray holds them: NetCDF, Zarr, and a DataArray or Dataset from Python."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.array_files import named_arrays, source
from bench.catalog.importing.arrays import ArraySource, Indexed, Reported, checked
from bench.catalog.importing.nodes import named
from bench.catalog.importing.source import Doubt
from bench.catalog.importing.stamps import looks_like_times, stamps, stamps_of_file
from bench.catalog.importing.valid_values import valid_values
from bench.clock import MONTH
from bench.errors import DataError, is_installed, require
from bench.plain_text import one_line

if TYPE_CHECKING:
    import xarray as xr

LETTERS: Final = {"time": "T", "row": "H", "column": "W", "node": "N", "channel": "C"}
USUAL: Final = {
    "time": ("time", "date", "datetime", "timestamp", "valid_time", "t"),
    "row": ("row", "y", "lat", "latitude", "row_id"),
    "column": ("column", "x", "lon", "longitude", "lng", "column_id", "col"),
    "node": ("node", "sensor", "station", "location"),
    "channel": ("channel", "variable", "band", "feature"),
}
UNREADABLE: Final = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, ImportError)
OFFSET: Final = re.compile(r"(?<=[\d:.])[+-]\d{1,2}:\d{2}$|\s[+-]\d{1,2}(:?\d{2})?$")  # behind a time of day
Progress = Callable[[int, int], None]


def netcdf_source(path: Path, card: ImportCard, folder: Path, on_progress: Progress) -> ArraySource:
    """What a card means in a NetCDF file, or in an HDF5 file that is one.

    Raises:
        MissingPackageError: If xarray or what it reads NetCDF with is not installed.
        DataError: If the file cannot be read or is not what the card says.
    """
    require("xarray", "formats", f"{path}, a NetCDF file,")
    if not is_installed("h5netcdf"):
        require("netCDF4", "formats", f"{path}, a NetCDF file,")
    import xarray as xr

    with _told(path, "NetCDF"):
        data = xr.open_dataset(path, cache=False, decode_timedelta=False)
        if not data.data_vars and (groups := _groups(path)):
            raise _in_groups(path, groups)
    return labelled_source(data, card, path, folder, on_progress, default_fills=True)


def zarr_source(path: Path, card: ImportCard, folder: Path, on_progress: Progress) -> ArraySource:
    """What a card means in a Zarr store: with named dimensions as xarray writes it, or of plain arrays.

    Raises:
        MissingPackageError: If xarray or zarr is not installed.
        DataError: If the store cannot be read or is not what the card says.
    """
    for package in ("zarr", "xarray"):
        require(package, "formats", f"{path}, a Zarr store,")
    import xarray as xr
    import zarr

    with _told(path, "Zarr"):
        store: Any = zarr.open(str(path), mode="r")
        own = {"": store} if isinstance(store, zarr.Array) else dict(store.arrays())
        arrays = own or _nested(store)
        if "" not in arrays and arrays and all(map(_names_dimensions, arrays.values())):
            if not own:
                raise _in_groups(path, sorted({name.rpartition("/")[0] for name in arrays}))
            data = xr.open_dataset(path, engine="zarr", cache=False, consolidated=False, decode_timedelta=False)
            return labelled_source(data, card, path, folder, on_progress)
        plain = {name: Reported(Indexed(array), partial(_told, path, "Zarr")) for name, array in arrays.items()}
    return named_arrays(plain, card, path, folder, on_progress)


def labelled_source(
    data: xr.Dataset | xr.DataArray,
    card: ImportCard,
    where: Path,
    folder: Path,
    on_progress: Progress,
    *,
    default_fills: bool = False,
) -> ArraySource:
    """What a card means in a Dataset, or a DataArray.

    ``default_fills`` is whether what was never written holds a fill value by default, as in NetCDF.

    Raises:
        DataError: If dimensions or variables are not what the card says.
    """
    whole = _variables(data, card, where)
    arrays = [_squeezed(array, card) for array in whole]
    first = arrays[0]
    if other := [array for array in arrays if array.dims != first.dims]:
        raise DataError(
            f"{where} has '{first.name}' along {_listed(first.dims)} and '{other[0].name}' along "
            f"{_listed(other[0].dims)}, which are no channels of one; import them one by one"
        )
    names = _dimensions(first, _listed(whole[0].dims), card, where)
    letters = "".join(LETTERS[names[str(dim)]] for dim in first.dims)
    inverse = {part: dim for dim, part in names.items()}
    for part in ("row", "column"):
        _check_order(first, inverse.get(part, ""), where)
    nodes = first.sizes[inverse["node"]] if "node" in inverse else 0
    if "channel" in inverse:
        arrays = [_by_labels(array, inverse["channel"], card, where) for array in arrays]
        first = arrays[0]
    readable = [
        valid_values(
            Reported(Indexed(array), partial(_told, where, "an array")), held, where, default_fills=default_fills
        )
        for array, held in zip(arrays, whole, strict=True)
    ]
    letters = checked(readable, letters, card, where, nodes=nodes)
    return source(
        readable,
        letters,
        card,
        where,
        folder,
        on_progress,
        times=_times(data, first, inverse["time"], card, where, folder),
        names=_labels(first, inverse["node"]) if nodes else None,
        notes=_southern_first(first, inverse.get("row", "")),
    )


def _variables(data: xr.Dataset | xr.DataArray, card: ImportCard, where: Path) -> Sequence[xr.DataArray]:
    import xarray as xr

    if isinstance(data, xr.DataArray):
        return [data]
    held = [str(name) for name in data.data_vars]
    if not held:
        raise DataError(f"{where} holds no variable; give a file with values")
    if lost := [key for key in card.keys if key not in held]:
        raise DataError(f"{where} holds {_listed(held)} where '{lost[0]}' is wanted; correct key in the card")
    if not card.keys:
        deep = [name for name in held if data[name].ndim > 1 and data[name].dtype.kind in "biuf"]
        held = deep if len(deep) == 1 else held
    names = card.keys or ([*card.channels] if {*card.channels} <= {*held} else held)
    by_position = len(names) > 1 and not card.keys and names != [*card.channels]
    if by_position or len(names) not in (1, len(card.channels)):
        raise DataError(
            f"{where} holds {_listed(held)}; name one of them as key in the card, or several as a list, one for each "
            "channel"
        )
    return [data[name] for name in names]


def _squeezed(array: xr.DataArray, card: ImportCard) -> xr.DataArray:
    """Without dimensions of size 1 that stand for nothing, such as a height."""
    meant = {*_stated(card).values(), *(name for names in USUAL.values() for name in names)}
    return array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and str(dim).lower() not in meant])


def _stated(card: ImportCard) -> dict[str, str]:
    return {part: name.lower() for part, name in card.dims.model_dump().items() if name}


def _dimensions(array: xr.DataArray, all_names: str, card: ImportCard, where: Path) -> dict[str, str]:
    """What each dimension is, by the card or by its usual name."""
    stated, names = _stated(card), [str(dim) for dim in array.dims]
    parts = {}
    for name in names:
        by_card = [part for part, said in stated.items() if said == name.lower()]
        usual = [part for part, known in USUAL.items() if name.lower() in known and part not in stated]
        parts[name] = (by_card or usual or [""])[0]
    kinds = {*parts.values()}
    if (
        len(kinds) < len(names)
        or "" in kinds
        or kinds - {"channel"} not in ({"time", "row", "column"}, {"time", "node"})
    ):
        raise DataError(
            f"{where} has '{array.name}' along {all_names}; say under [dims] in the card which of them are time, "
            "row and column, or time and node, and channel if there is one"
        )
    return parts


def _check_order(array: xr.DataArray, dim: str, where: Path) -> None:
    """Rows and columns that have numbers rise or fall with them."""
    if dim not in array.coords or array[dim].dtype.kind not in "iuf":
        return
    steps = np.diff(array[dim].values.astype(np.float64))
    if not ((steps > 0).all() or (steps < 0).all()):
        raise DataError(
            f"{where} has '{dim}' in no order, such as {array[dim].values[:5].tolist()}; sort it, as "
            f"data.sortby('{dim}') of xarray does"
        )


def _southern_first(array: xr.DataArray, dim: str) -> list[str]:
    """A doubt where latitudes rise, as they do in many files: maps have north on top."""
    if not dim.lower().startswith("lat") or dim not in array.coords or array[dim].dtype.kind not in "iuf":
        return []
    first, last = array[dim].values[[0, -1]].tolist()
    remedy = f"data.sortby('{dim}', ascending=False) of xarray turns them"
    sentence = f"row 0, on top of maps, is the southernmost, as {dim} rises from {first:g} to {last:g}; {remedy}"
    return [Doubt(sentence)] if first < last else []


def _by_labels(array: xr.DataArray, dim: str, card: ImportCard, where: Path) -> xr.DataArray:
    """An array whose channels have names, in the order of the card's; names that count them from 0 or 1 say nothing."""
    labels = _labels(array, dim)
    if labels is None or len(labels) == 1:
        return array
    numbered = [[str(number) for number in range(first, first + len(labels))] for first in (0, 1)]
    if labels in numbered and {*labels} != {*card.channels}:
        return array
    if sorted(labels) != sorted(card.channels):
        raise DataError(
            f"{where} has the channels {_listed(labels)}, but the card has channels = {list(card.channels)}; write "
            "them alike"
        )
    order = [labels.index(name) for name in card.channels]
    return array if order == [*range(len(order))] else array.isel({dim: order})


def _times(
    data: xr.Dataset | xr.DataArray, array: xr.DataArray, dim: str, card: ImportCard, where: Path, folder: Path
) -> Any:
    """Times of the slots: those that the card names, of the dimension, or that lie along it; None if there are none."""
    import xarray as xr

    beside = data.variables if isinstance(data, xr.Dataset) else data.coords
    if card.times and card.times not in beside:
        path = folder / card.times
        if not path.is_file():
            raise DataError(f"{where} holds no '{card.times}', and there is no file {path} of times; correct times")
        return stamps_of_file(path, card)
    slots = array.sizes[dim]
    along = [name for name, other in beside.items() if name != dim and other.dims == (dim,)]
    timed = [str(name) for name in along if looks_like_times(beside[name].shape, beside[name].dtype, slots)]
    for name in (dim, *timed):
        _check_units(beside, name, where)
    if card.times:
        return stamps(beside[card.times].values, card, where, card.times)
    if dim in array.coords and (times := _index(array[dim].to_index(), dim, card, where)) is not None:
        return times
    if len(timed) > 1:
        raise DataError(f"{where} holds {' and '.join(timed)}, which may be its times; name them as times in the card")
    return stamps(beside[timed[0]].values, card, where, timed[0]) if timed else None


def _check_units(beside: Any, name: str, where: Path) -> None:
    """Refuse times that were not understood, or that are so far from UTC."""
    if name not in beside:
        return
    if "since" in str(units := beside[name].attrs.get("units", "")).lower():
        raise DataError(
            f"{where} has times in '{units}', which are none; write them as 'hours since 2024-03-01 00:00' is written"
        )
    offset = OFFSET.search(units := str(beside[name].encoding.get("units", "")))
    if offset and int(re.sub(r"\D", "", offset[0])):
        raise DataError(
            f"{where} has times in '{units}', at {offset[0].strip()} from UTC, and local times are wanted; write them "
            "since a local time without an offset"
        )


def _index(times: Any, dim: str, card: ImportCard, where: Path) -> Any:
    """Times of an index of pandas or xarray; None if it numbers the slots."""
    if times.dtype.kind == "M":
        return times.to_series().dt.round("ms").reset_index(drop=True)  # hours as floats are no whole seconds
    if times.dtype.kind in "iu":
        numbered = (np.asarray(times) == np.arange(len(times))).all()
        return None if numbered else stamps(np.asarray(times), card, where, dim)
    if "cftime" in type(times).__module__ or "cftime" in type(times[0]).__module__:
        if card.interval == MONTH:  # a month is one in any calendar
            return np.array([f"{time.year:04d}-{time.month:02d}" for time in times])
        raise DataError(
            f"{where} has times of the calendar '{times[0].calendar}', which is none of days as they were; convert them"
        )
    return np.asarray(times).astype(np.str_)


def _labels(array: xr.DataArray, dim: str) -> list[str] | None:
    return [named(label) for label in array[dim].values.tolist()] if dim in array.coords else None


def _nested(store: Any) -> dict[str, Any]:
    """Arrays in the groups of a store, by their paths."""
    import zarr

    return {name: item for name, item in store.members(max_depth=None) if isinstance(item, zarr.Array)}


def _in_groups(path: Path, groups: Sequence[str]) -> DataError:
    return DataError(
        f"{path} holds its variables in groups, {_listed(groups)}, which are not read; write the one that counts to a "
        "file of its own, by xarray.open_dataset(..., group=...) and its to_netcdf"
    )


def _groups(path: Path) -> list[str]:
    import xarray as xr

    return [group for group in xr.open_groups(path) if group != "/"]


def _names_dimensions(array: Any) -> bool:
    named = getattr(array.metadata, "dimension_names", None)
    return "_ARRAY_DIMENSIONS" in array.attrs or bool(named and all(named)) or array.ndim == 0


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "nothing"


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    """Around what is read by a library, whose warnings are of how files are written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UNREADABLE as error:
        text = one_line(error)[:200]
        if unit := re.search(r"unable to decode time units '(.*?)'", text):
            raise DataError(
                f"{path} has times in '{unit[1]}', which are none; write them in days, hours, minutes or seconds "
                "since a date"
            ) from error
        raise DataError(
            f"{path} cannot be read as {kind} ({text}); it may be cut off or not be what its name says"
        ) from error
