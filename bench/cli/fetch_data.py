"""Downloads a data set's files, and reads them before it says that they are there."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from bench.catalog import registry
from bench.cli.terminal import Console
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.types import DatasetCard, RawFile


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the data folder {folder} cannot be made: {error.strerror}; choose another --data-dir"
        ) from error


def drop_if_empty(folder: Path) -> None:
    """Leave no folder in which nothing came."""
    with suppress(OSError):
        folder.rmdir()


def fetch_files(catalog: Catalog, name: str, folder: Path, console: Console) -> str:
    """Fetch a data set's files, try to read them, and say in one line how it went.

    Raises:
        DataError: If a file cannot be had, or what lies in the folder then cannot be read.
    """
    card, real = catalog.card(name), catalog.has_real(name)
    wanted = [file for file in card.files if file.url]
    if real and {path.name for path in folder.glob("[!.]*")} - {file.name for file in wanted}:
        _check_readable(catalog, card, folder, [])
        _check_unchanged(catalog, name)
        text = f"{name}: files are in {folder} already; 'stbench data verify' checks them"
    elif wanted:
        _make(folder)
        fresh = [file for file in wanted if _download(file, folder, console)]
        _check_readable(catalog, card, folder, fresh)
        text = f"{name}: {', '.join(file.name for file in wanted)} in {folder}"
    else:
        return f"[yellow]•[/yellow] {escape(f'{name}: no stable address; {card.how_to_get}; folder: {folder}')}"
    return f"[green]✓[/green] {escape(text)}"


def _check_unchanged(catalog: Catalog, name: str) -> None:
    """Nothing is well that ``verify`` calls changed."""
    changed = [finding.file for finding in catalog.verify(name) if finding.status == "changed"]
    if changed:
        raise DataError(f"{', '.join(changed)} is not what the card says (another sha256); get the official file")


def _check_readable(catalog: Catalog, card: DatasetCard, folder: Path, fresh: list[RawFile]) -> None:
    """Read the data set; if that fails, remove those fresh files that no digest vouches for."""
    try:
        catalog.examine(card.name)
    except DataError as error:
        doubtful = [file.name for file in fresh if file.sha256 is None]
        for file in doubtful:
            (folder / file).unlink(missing_ok=True)
        if doubtful:
            remedy = f"{', '.join(doubtful)} was removed again, so try later, or {card.how_to_get}"
        else:
            remedy = f"delete what is wrong in {folder}, and run the same command again or {card.how_to_get}"
        raise DataError(f"what is there cannot be used ({error}); {remedy}") from error


def _download(file: RawFile, folder: Path, console: Console) -> bool:
    """Fetch one file; False if it was there already and was left alone."""
    registry.dataset_names()  # makes sure that the package 'datasets' is ours
    get = importlib.import_module("datasets._fetch").fetch
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    before = _looks(folder / file.name)
    with Progress(
        TextColumn("{task.description}"), *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(escape(f"{folder.name}/{file.name}"), total=None)
        get(file, folder, lambda done, total: bar.update(task, completed=done, total=total))
    return _looks(folder / file.name) != before


def _looks(path: Path) -> tuple[int, int] | None:
    """Tells a file from another one in its place."""
    if not path.is_file():
        return None
    about = path.stat()
    return about.st_ino, about.st_mtime_ns
