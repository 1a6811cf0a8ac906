"""Addresses of MLflow: that of a results folder, as one is shown, and as MLflow can open it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from bench.errors import TrackingError

SQLITE = re.compile(r"sqlite(\+\w+)?:///", re.IGNORECASE)
FILES = re.compile(r"(sqlite(\+\w+)?|file):", re.IGNORECASE)  # addresses without a host
OPEN_FOLDERS = Path("/proc/self/fd")  # of Linux
ENVIRONMENT: Mapping[str, str] = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
"""Settings of MLflow where the user has made none: be quiet, and give a dead server up within seconds."""


def default_file(results: Path) -> Path:
    """The data base of a results folder."""
    return results.resolve() / "mlflow.db"


def default_uri(results: Path) -> str:
    """The tracking store of a results folder."""
    return f"sqlite:///{default_file(results)}"


def file_of(uri: str) -> Path | None:
    """The file or folder of a store without a server; None of one that has a host.

    Signs such as "?" and "%" belong to the path; only in the last part of it a "?" begins options.
    """
    if not FILES.match(uri):
        return None
    scheme, _, rest = uri.partition(":")
    folder, slash, name = rest.removeprefix("//" if scheme.lower() == "file" else "///").rpartition("/")
    return Path(folder + slash + name.partition("?")[0])


def sqlite_file(uri: str) -> Path | None:
    """The file of a data base of SQLite; None of any other store, and of one in memory."""
    file = file_of(uri) if SQLITE.match(uri) else None
    return None if file is None or file.name in ("", ":memory:") else file


def shown(uri: str) -> str:
    """The address without user and password, which may themselves hold "/" and "@"; a file's address is as it was."""
    scheme, _, rest = uri.partition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}://***@{host}" if at and not FILES.match(uri) else uri


def first_line(error: BaseException, uri: str | None) -> str:
    """Of an error's text, with an address in it as it is shown; the error's type if it has no text."""
    line, address = next(iter(str(error).splitlines()), "") or type(error).__name__, (uri or "").rstrip("/")
    return line.replace(address, shown(address)) if address else line


def openable(uri: str) -> str:
    """The address as MLflow opens it: in a path it would read "?" as the begin of options, and "%3F" as "?".

    Raises:
        TrackingError: If the path has such a sign, and this system gives its folder no other name.
    """
    file = sqlite_file(uri)
    if file is None or not {"?", "%"} & {*str(file)}:
        return uri
    folder = str(file.parent)
    if {"?", "%"} & {*str(file.parent.resolve())}:
        if not OPEN_FOLDERS.is_dir():
            raise TrackingError(
                f"MLflow cannot open {file}, whose folder has '?' or '%' in its name; rename it, or say --no-track"
            )
        folder = _open_folder(file.parent.resolve())
    _, question, options = uri.rpartition("/")[2].partition("?")
    return f"{uri.partition(':')[0]}:///{folder}/{_quoted(file.name)}{question}{options}"


@cache  # MLflow keeps what it opened by its name, so a name must stay that of one folder
def _open_folder(folder: Path) -> str:
    """Another name for a folder, for as long as this process lives."""
    return str(OPEN_FOLDERS / str(os.open(folder, os.O_RDONLY | os.O_DIRECTORY)))


def _quoted(name: str) -> str:
    """A file's name as this SQLAlchemy wants it in an address; older ones take it as it is."""
    from sqlalchemy.engine import make_url

    return quote(name) if make_url("sqlite:///%25").database == "%" else name


def quiet_environment() -> dict[str, str]:
    """The environment for a process of MLflow: the user's own, completed by ``ENVIRONMENT``."""
    return {**ENVIRONMENT, **os.environ}
