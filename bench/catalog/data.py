"""Data sets by name: raw files checked against their card, and kept in a canonical cache.

A data set is real when any file lies in ``<data dir>/<name>/``, and synthetic otherwise: made by
``datasets._synthetic``, or by the ``make`` of its own file (which then states a ``VERSION``), if it is never real.
Files and folders that cannot be read are an error and never replaced by synthetic data. A cached file is named by
everything that made it: card, code and raw files' digests.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from bench.catalog import own_files, registry
from bench.catalog.cache import CacheError, build, stored, stored_identity, stored_shape, write
from bench.catalog.canonical import SYNTHETIC, canonical
from bench.catalog.code import code_digest
from bench.catalog.raw_files import digest_of, entries, files_below, may_be_imported, searched
from bench.catalog.reading import fill_cache_apart, reading_apart
from bench.errors import BenchError, ConfigError, DataError, UnknownNameError
from bench.plain_files import read_plain
from bench.plain_text import one_line
from bench.types import DataIdentity, DatasetCard, RawSeries, SpatioTemporalData

READER = 1  # raised when the canonical form changes; part of every real data set's version
DIGESTS = "digests.json"
DATA_DIR_VARIABLE = "STBENCH_DATA"
CANONICAL_CODE = "bench.catalog.canonical"  # between any reader and the cache
SYNTHETIC_CODE = "datasets._synthetic"
IMPORT_CODE = "bench.catalog.imported"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of one raw file.

    Attributes:
        expected: The digest on the card, or None when it states none.
        actual: The digest of the file, or None when it is absent.
        status: "unchecked" is a file whose digest the card does not state.
    """

    file: str
    expected: str | None
    actual: str | None
    status: Literal["ok", "changed", "absent", "unchecked"]


def resolve_data_dir(option: Path | None) -> Path | None:
    """The folder of raw data: the option, else ``$STBENCH_DATA``, else ``./data``, else None for synthetic data.

    Raises:
        ConfigError: If a folder that was asked for does not exist.
    """
    variable = os.environ.get(DATA_DIR_VARIABLE)
    asked = option or (Path(variable) if variable else None)
    if asked is None:
        return Path("data") if Path("data").is_dir() else None
    if not asked.is_dir():
        source = "--data-dir, or data_dir=," if option else f"${DATA_DIR_VARIABLE}"
        raise ConfigError(f"{source} names {asked}, which is no folder; make it, or leave the setting out")
    return asked


def data_folder(option: Path | None) -> Path:
    """The data folder, which need not be there yet: a first download or import has to begin somewhere."""
    return option or Path(os.environ.get(DATA_DIR_VARIABLE) or "data")


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """All data sets that can be named, real or synthetic.

    Attributes:
        data_dir: Folder of raw data, one subfolder per data set; None means synthetic data only.
        cache: Folder of canonical data; made when first needed.
        time_limit: Seconds after which a reader that is not ours is ended; None for no limit.
    """

    data_dir: Path | None
    cache: Path
    time_limit: float | None = None
    _failed: dict[Path, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def names(self) -> list[str]:
        """Registered data sets and the user's own, sorted.

        Raises:
            DataError: If the data folder cannot be listed.
        """
        return sorted({*registry.dataset_names(), *self._imported()})

    def card(self, name: str) -> DatasetCard:
        """The card of a data set.

        Raises:
            UnknownNameError: With the nearest known name.
            BenchError: If a card of the user's own, or its array, is broken.
        """
        if name in registry.dataset_names():
            card: DatasetCard = registry.load("dataset", name).CARD
            return card
        from bench.catalog.imported import imported_card

        return imported_card(self._imported_folder(name))

    def unknown(self, name: str) -> UnknownNameError:
        """The error of a name that no data set has, with what it may have meant and where was looked for it."""
        return UnknownNameError("data set", name, self.names(), *own_files.here(name), searched(self.data_dir))

    def has_real(self, name: str) -> bool:
        """Whether any file lies in the data set's folder.

        Raises:
            DataError: If the folder, or a file in it, is there but cannot be reached.
        """
        return bool(self._raw_files(name))

    def is_never_real(self, name: str) -> bool:
        """Whether a data set is made by its own file, so that there are no raw files to get."""
        return name in registry.dataset_names() and hasattr(registry.load("dataset", name), "make")

    def identity(self, name: str) -> DataIdentity:
        """Which numbers ``load`` gives; reads a few bytes when they are cached.

        Raises:
            DataError: If raw files are there but are not what the card says.
        """
        digests = self._digests(name)
        file = self._cache_file(name, digests)
        identity = stored_identity(file) or self._build(name, file).identity
        self._remember(digests)
        return identity

    def load(self, name: str) -> SpatioTemporalData:
        """The canonical data, from the cache where it is whole; its arrays are mapped, and cannot be written to.

        Raises:
            DataError: If raw files are there but are not what the card says.
        """
        digests = self._digests(name)
        file = self._cache_file(name, digests)
        data = stored(file, self.card(name)) or self._build(name, file)
        self._remember(digests)
        return data

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape (T, C, H, W) of the values that ``load`` gives; reads a header when they are cached.

        Raises:
            DataError: If raw files are there but are not what the card says.
        """
        file = self._cache_file(name, self._digests(name))
        return stored_shape(file) or self._build(name, file).values.shape

    def examine(self, name: str) -> DataIdentity:
        """As ``identity``, for commands that only look: a cache that cannot be written is no error.

        Raises:
            DataError: If raw files are there but are not what the card says.
        """
        try:
            return self.identity(name)
        except CacheError:
            return canonical(*self._read(name)).identity

    def verify(self, name: str) -> list[Finding]:
        """Hold every raw file, and every file that the card wants, against the card's digests.

        Raises:
            DataError: If the folder, or a file in it, is there but cannot be read.
        """
        expected = {file.name: file.sha256 for file in self.card(name).files}
        folder = self._folder(name)
        files = self._raw_files(name) if folder else []
        actual = {path.relative_to(folder or path).as_posix(): digest_of(path) for path in files}
        return [_finding(file, expected.get(file), actual.get(file)) for file in sorted({*expected, *actual})]

    def _folder(self, name: str) -> Path | None:
        return self.data_dir / name if self.data_dir else None

    def _raw_files(self, name: str) -> list[Path]:
        folder = self._folder(name)
        known = name in registry.dataset_names() or name in self._imported()
        files = files_below(folder) if folder and known else []
        if folder and known and not files and registry.comes_with_the_project("dataset", name):
            self._check_depth(name, folder)
        return files

    def _check_depth(self, name: str, folder: Path) -> None:
        """Refuse files of one of our data sets that lie a folder too high: they would be taken for absent.

        Raises:
            DataError: If the data folder itself holds a file that the card names; of archives, whose names say little,
                if it is called as the data set is.
        """
        above = folder.parent.resolve()
        named = {file.name for file in self.card(name).files if above.name == name or not file.name.endswith(".zip")}
        if loose := named & {path.name for path in entries(folder.parent)}:
            remedy = f"give {above.parent} as the data folder" if above.name == name else f"move it into {folder}"
            raise DataError(f"{min(loose)} of {name} lies in {folder.parent} itself, wanted in {folder}; {remedy}")

    def _imported(self) -> list[str]:
        registered = registry.dataset_names()
        folders = entries(self.data_dir) if self.data_dir else []
        return [path.name for path in folders if path.name not in registered and may_be_imported(path)]

    def _read_imported(self, name: str) -> tuple[DatasetCard, RawSeries]:
        from bench.catalog.imported import read_imported

        return read_imported(self._imported_folder(name))

    def _imported_folder(self, name: str) -> Path:
        folder = self._folder(name)
        if folder is None or name not in self._imported():
            raise self.unknown(name)
        self._raw_files(name)  # a file that cannot be reached is named as such
        return folder

    def _read(self, name: str) -> tuple[DatasetCard, RawSeries, str]:
        """Card, series and version of a data set, from its raw files or as a synthetic data set."""
        if name not in registry.dataset_names():
            card, series = self._read_imported(name)
            return card, series, f"{series.layout}-{READER}"
        module = registry.load("dataset", name)
        folder = self._folder(name)
        if folder and self.has_real(name):
            series = _series(name, lambda: module.read(folder))
            return module.CARD, series, f"{series.layout}-{READER}"
        if hasattr(module, "make"):
            return module.CARD, _series(name, module.make), f"{SYNTHETIC}{module.VERSION}"
        return module.CARD, _synthetic().generate(module.CARD), f"{SYNTHETIC}{_synthetic().VERSION}"

    def _build(self, name: str, file: Path) -> SpatioTemporalData:
        """Read and cache a data set; what could not be read is not read again for as long as it looks the same."""
        if file in self._failed:
            raise DataError(self._failed[file])
        try:
            return self._built(name, file)
        except CacheError:
            raise
        except DataError as error:
            self._failed[file] = str(error)
            raise

    def _built(self, name: str, file: Path) -> SpatioTemporalData:
        """Read and cache a data set; by a reader that is not ours in a process of its own, which it may end."""
        if name not in registry.dataset_names() or registry.comes_with_the_project("dataset", name):
            return build(file, *self._read(name))
        if not reading_apart():
            source, limit = registry.find("dataset", name).source, self.time_limit
            fill_cache_apart(name, source, self.data_dir, self.cache, limit)
            if (data := stored(file, self.card(name))) is not None:
                return data
        read = self._read(name)
        return _of_plugin(f"what the reader of '{name}' returned cannot be used:", lambda: build(file, *read))

    def _cache_file(self, name: str, digests: dict[str, list[Any]]) -> Path:
        """Named by all that decides the content: raw files, card, and the code that reads or generates."""
        made_of: list[Any] = [name, READER, sorted((file, entry[-1]) for file, entry in digests.items())]
        if name in registry.dataset_names():
            made_of.append(repr(self.card(name)))
            generator = [] if digests else [SYNTHETIC_CODE]
            made_of.append(code_digest([CANONICAL_CODE, *generator], [registry.find("dataset", name)]))
        else:
            made_of.append(code_digest([CANONICAL_CODE, IMPORT_CODE]))
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
        return self.cache / f"{name}-{key[:16]}.npz"

    def _digests(self, name: str) -> dict[str, list[Any]]:
        """``{path: [size, time of change, sha256]}``; a file that looks as when it was last read is not read again."""
        known = _remembered(self.cache / DIGESTS)
        digests = {}
        for path in self._raw_files(name):
            about, key = path.stat(), path.absolute().as_posix()
            looks = [about.st_size, about.st_mtime_ns]
            digests[key] = known[key] if known.get(key, [])[:2] == looks else [*looks, digest_of(path)]
        return digests

    def _remember(self, digests: dict[str, list[Any]]) -> None:
        index = self.cache / DIGESTS
        known = _remembered(index)
        if any(known.get(key) != entry for key, entry in digests.items()):
            write(index, lambda stream: stream.write(json.dumps(known | digests, indent=0).encode()))


def _remembered(index: Path) -> dict[str, list[Any]]:
    try:
        digests = json.loads(read_plain(index))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(digests, dict):
        return {}
    return {key: entry for key, entry in digests.items() if isinstance(entry, list) and len(entry) == 3}


def _finding(file: str, expected: str | None, actual: str | None) -> Finding:
    if actual is None:
        return Finding(file=file, expected=expected, actual=None, status="absent")
    if expected is None:
        return Finding(file=file, expected=None, actual=actual, status="unchecked")
    return Finding(file=file, expected=expected, actual=actual, status="ok" if actual == expected else "changed")


def _series(name: str, read: Callable[[], RawSeries]) -> RawSeries:
    """What the reader of a plug-in gives.

    Raises:
        DataError: If it raises what is no sentence of ours, ends the process, or gives something else.
    """
    series = _of_plugin(f"the reader of '{name}' ended with", read)
    if not isinstance(series, RawSeries):
        raise DataError(f"the reader of '{name}' returned {type(series).__name__}, wanted a RawSeries; mend its file")
    return series


def _of_plugin(failure: str, made: Callable[[], T]) -> T:
    """What is made by the reader of a plug-in, which prints on stderr, or of what it returned.

    Raises:
        DataError: If that raises what is no sentence of ours; ``failure`` begins the sentence.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return made()
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(
            f"{failure} {type(error).__name__}: {one_line(error)}; mend its file, or look whether the raw files are "
            "what its card says"
        ) from error


def _synthetic() -> ModuleType:
    registry.dataset_names()  # has checked that 'datasets' is our package
    return importlib.import_module(SYNTHETIC_CODE)
