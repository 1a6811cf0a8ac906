"""Addresses of MLflow: the usual one, what is none, as one is shown, as MLflow can open it, and how to fill it in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.errors import TrackingError

DEFAULT = "mlflow.db"
VARIABLE = "MLFLOW_TRACKING_URI"  # MLflow's own
SQLITE = re.compile(r"sqlite(\+\w+)?:///", re.IGNORECASE)
FILES = re.compile(r"(sqlite(\+\w+)?|file):", re.IGNORECASE)  # addresses without a host
SERVER = re.compile(r"https?://", re.IGNORECASE)
DATA_BASE = re.compile(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://", re.IGNORECASE)
OTHERS = ("file", "databricks", "databricks-uc", "uc")  # schemes of MLflow besides
INSIDE = re.compile(r"(/?#.*|/(ajax-)?api(/.*)?)$")  # pages and endpoints of a server, which are not its address
SECRET = re.compile(r"(?<![\w+])(?!sqlite|file)([a-z][\w+.-]*://)\S*@", re.IGNORECASE)
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
    return results.resolve() / DEFAULT


def default_uri(results: Path) -> str:
    """The tracking store of a results folder."""
    return f"sqlite:///{default_file(results)}"


def usual_uri(results: Path) -> str:
    """Where runs are tracked if nobody says: at the address in the environment, else in the results folder."""
    return os.environ.get(VARIABLE) or default_uri(results)


def check_form(uri: str) -> None:
    """Refuse what is no address of MLflow, without asking anybody.

    Raises:
        TrackingError: With what may have been meant.
    """
    if not uri.strip():
        raise TrackingError(
            "the address of MLflow is empty; write one, such as sqlite:///results/mlflow.db or http://localhost:5000"
        )
    if (meant := _meant(uri)) is not None:
        origin = f" (${VARIABLE})" if uri == os.environ.get(VARIABLE) else ""
        raise TrackingError(f"'{shown(uri)}'{origin} is no address of MLflow; {meant}")


def _meant(uri: str) -> str | None:
    """What may have been meant by an address that is none; None if it may be one."""
    if SERVER.match(uri):
        parts = urlsplit(uri)
        if not parts.netloc:
            return "write http://HOST:PORT"
        inside = INSIDE.search(uri.partition(parts.netloc)[2])
        if inside and "@" in inside[0]:
            return "a '#' in a name or password is written %23"
        return f"did you mean {shown(uri[: -len(inside[0])])}?" if inside else None
    scheme, colon, _ = uri.partition(":")
    if DATA_BASE.match(uri) or (colon and scheme.lower() in (*OTHERS, *_schemes_of_plugins())) or uri in OTHERS:
        return None
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?|localhost|[\w-]+(\.[\w-]+){3}", uri):
        return f"did you mean http://{uri}?"
    if uri.endswith((".db", ".sqlite")) and "://" not in uri:
        return f"did you mean sqlite:///{uri}?"
    return "write http://HOST:PORT of a server, or sqlite:///FILE of a data base"


def _schemes_of_plugins() -> list[str]:
    return [entry.name for entry in entry_points(group="mlflow.tracking_store")]


def sync_command(uri: str, results: Path | None = None) -> str:
    """The whole command that fills in what MLflow lacks, without a password.

    Args:
        uri: A tracking store.
        results: The results folder; None if nobody knows but the name of a data base.
    """
    file = sqlite_file(uri)
    if results is None:
        results = file.parent if file is not None and file.name == DEFAULT else Path("results")
    own = file is not None and file.absolute() == default_file(results).absolute()
    words = ["--results", str(results)] if results.absolute() != Path("results").absolute() else []
    words += ["--tracking-uri", shown(uri)] if not own or os.environ.get(VARIABLE) else []
    return " ".join(["stbench sync", shlex.join(words)]).strip()


def left_to_sync(uri: str | None, results: Path, number: int) -> str | None:
    """That a tracking store may lack so many runs of before, in a sentence; None if nothing is tracked.

    Nor is it said of the data base of the results folder, where there is one: commands write there if nobody says else.
    """
    if uri is None or not number or (uri == default_uri(results) and default_file(results).exists()):
        return None
    which = "the one that was" if number == 1 else f"any of the {number} that were"
    return (
        f"only runs of this command are written to MLflow; if {shown(uri)} lacks {which} there already, this fills it "
        f"in: {sync_command(uri, results)}"
    )


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
    """The address without user and password, which may themselves hold "/" and "@"; a file's address is as it was.

    So is what has no scheme, unless it begins as "user:password@host" does.
    """
    before, at, host = uri.rpartition("@")
    scheme = re.match(r"[a-z][\w+.-]*:/+", before, re.IGNORECASE)
    secret = at and (scheme or re.match(r"[^/:]+:[^/]", before))
    return f"{scheme[0] if scheme else ''}***@{host}" if secret and not FILES.match(uri) else uri


def first_line(error: BaseException, uri: str | None) -> str:
    """Of an error's text, with an address in it as it is shown; the error's type if it has no text."""
    line, address = next(iter(str(error).splitlines()), "") or type(error).__name__, (uri or "").rstrip("/")
    line = line.replace(address, shown(address)) if address else line
    return SECRET.sub(r"\1***@", line)  # libraries write a host and a password in other letters


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
