"""Which reader a file gets, by its suffix: what is not read is refused before any reader looks at a byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.catalog.import_card import ImportCard
from bench.catalog.import_layout import LONG
from bench.catalog.importing.array_files import named_arrays
from bench.catalog.importing.beside import with_time_column, with_times
from bench.catalog.importing.hdf5 import hdf5_source, is_netcdf
from bench.catalog.importing.labelled import netcdf_source, zarr_source
from bench.catalog.importing.long_columns import is_long
from bench.catalog.importing.long_table import LongTable
from bench.catalog.importing.numpy_arrays import numpy_arrays
from bench.catalog.importing.source import Source
from bench.catalog.importing.tables import LIBCITY, ParquetTable, TextTable
from bench.catalog.importing.wide_csv import CsvFile
from bench.catalog.importing.wide_table import SensorCsv, WideTable
from bench.disguise import disguise
from bench.errors import DataError
from bench.plain_files import check_plain

NUMPY: Final = (".npz", ".npy")
TEXTS: Final = (".csv", ".tsv", ".txt")
HDF5: Final = (".h5", ".hdf5", ".hdf")
NETCDF: Final = (".nc", ".nc4", ".cdf")
PARQUET: Final = (".parquet", ".pq")
ZARR: Final = ".zarr"
READ: Final = (*NUMPY, *TEXTS, *(f"{suffix}.gz" for suffix in TEXTS), *PARQUET, *HDF5, *NETCDF, ZARR, *LIBCITY)
ADVICE: Final = {
    ".geo": "give the .grid or .dyna file, and name the .geo as nodes in the card",
    **dict.fromkeys((".json", ".rel", ".ext"), "give the .grid or .dyna file if it is of LibCity, else convert it"),
    **dict.fromkeys((".od", ".gridod"), "it has flows between two places; write a .grid or .dyna of those of each"),
    ".pkl": "it could run code; write the array with numpy.savez",
    ".pickle": "it could run code; write the array with numpy.savez",
    ".mat": "write the array with numpy.savez(file, **scipy.io.loadmat(mat))",
    ".xlsx": "save the sheet as CSV",
    ".zip": "unpack it first",
}


@dataclass(frozen=True)
class Errand:
    """What every reader is told.

    Attributes:
        folder: Of the card, beside which files lie that it names.
        scratch: A folder for what is as large as the array.
    """

    file: Path
    card: ImportCard
    folder: Path
    scratch: Path
    on_progress: Callable[[int, int], None]


def opened(errand: Errand) -> Source:
    """The source of rows that a file is.

    Raises:
        DataError: If there is no such file, it is of a kind that is not read, or not what the card says.
    """
    file, card = errand.file, errand.card
    suffix = suffix_of(file)
    check_there(file)
    common = (card, errand.folder, errand.on_progress)
    if suffix in NUMPY:
        return named_arrays(numpy_arrays(file), card, file, errand.folder, errand.on_progress)
    if suffix == ZARR:
        return zarr_source(file, *common)
    if suffix in NETCDF or (suffix in HDF5 and is_netcdf(file)):
        return netcdf_source(file, *common)
    if suffix in HDF5:
        return hdf5_source(file, *common)
    return _table(errand, suffix)


def suffix_of(file: Path) -> str:
    """The suffix, in small letters, with that before ``.gz``."""
    suffixes = [suffix.lower() for suffix in file.suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def check_there(file: Path) -> None:
    """Refuse what is not there, or of a kind that is not read.

    Raises:
        DataError: If it is so.
    """
    suffix = suffix_of(file)
    if suffix not in READ:
        kind = f"'{suffix}'" if suffix else f"a file without a suffix, as {file.name},"
        advice = ADVICE.get(suffix, "convert it, or rename it if it is one of these")
        raise DataError(f"{kind} is not read; {', '.join(READ[:-1])} and {READ[-1]} are: {advice}")
    if suffix == ZARR:
        if file.is_file():
            raise DataError(f"{file} is a file, and a Zarr store is a folder; unpack it if it is an archive")
        if not file.is_dir():
            raise DataError(f"there is no Zarr folder {file}; give the path of what is to be imported")
    elif suffix in PARQUET and file.is_dir():
        raise DataError(
            f"{file} is a folder of parts; write them into one file, as pandas.read_parquet(folder).to_parquet(file) "
            "does"
        )
    else:
        _check_plain(file)


def _check_plain(file: Path) -> None:
    """Refuse what is no file, or a file of another kind than its name says."""
    try:
        check_plain(file)
        disguised = disguise(file, file.name) if file.stat().st_size else ""
    except FileNotFoundError as error:
        raise DataError(f"there is no file {file}; give the path of what is to be imported") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{file} cannot be read: {reason}; give the path of what is to be imported") from error
    if disguised:
        raise DataError(f"{file} holds {disguised}; get the file itself")


def _columns(table: ParquetTable | TextTable) -> Sequence[str]:
    """The names of columns; none of a text without a header that can be read: the reader of wide tables says why."""
    if isinstance(table, ParquetTable):
        return table.columns
    try:
        return table.columns
    except DataError:
        return []


def _table(errand: Errand, suffix: str) -> Source:
    file = errand.file
    table = ParquetTable(file) if suffix in PARQUET else TextTable(file, errand.card)
    columns = _columns(table)
    card = with_time_column(errand.card, columns)
    if card.layout == LONG or suffix in LIBCITY or is_long(columns, card):
        return LongTable(table, card, errand.folder, errand.scratch, errand.on_progress)
    return with_times(_wide(errand, table, card), card, errand.folder, file)


def _wide(errand: Errand, table: ParquetTable | TextTable, card: ImportCard) -> Source:
    file = errand.file
    if isinstance(table, ParquetTable):
        return WideTable(table, card, errand.folder, errand.on_progress)
    size = file.stat().st_size
    if card.nodes:
        return SensorCsv(file, card, errand.folder, lambda done: errand.on_progress(done, size))
    return CsvFile(file, card, lambda done: errand.on_progress(done, size))
