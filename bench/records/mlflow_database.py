"""The data base of a store without a server, before MLflow opens it: whole, of MLflow's schema, its artefacts found.

MLflow makes its tables one after the other, so a process that is killed meanwhile leaves a file that no later one can
open. Here a new data base gets its name when it is whole, and a half-made one that holds nothing is set aside.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from bench.errors import TrackingError
from bench.files import atomic_write, journal_of
from bench.records.mlflow_address import openable, shown, sqlite_file, sync_command

ARTEFACTS = "mlartifacts"
CONTENT = ("runs", "registered_models", "trace_info", "logged_models")  # tables that hold what somebody logged
WAIT_S = 20.0  # for another process that writes


@dataclass(frozen=True)
class Condition:
    """What a file of SQLite holds.

    Attributes:
        revision: MLflow's schema, None if it does not say.
        rows: Of what somebody logged.
    """

    tables: frozenset[str]
    revision: str | None
    rows: int


def prepare(file: Path, *, own: bool, say: Callable[[str], None]) -> None:
    """Make it fit to be opened by this MLflow; whoever calls it keeps other processes away.

    Args:
        file: Of the data base.
        own: Whether it is the results folder's, so that nobody else expects anything of it.
        say: Told in a sentence what was mended.

    Raises:
        TrackingError: If it is not fit, and could not be mended without a loss.
    """
    if not file.exists() or not condition(file).tables:
        _make(file)
        return
    try:
        check(file)
    except HalfMadeError:
        if not own:
            raise
        aside = _set_aside(file)
        say(
            f"{file} was half made by a process that was killed, and held no run; it is {aside.name} now, and made anew"
        )
        _make(file)
    if own:
        follow_move(file, say)


class HalfMadeError(TrackingError):
    """A data base that was not finished and holds nothing."""


def check(file: Path) -> None:
    """Refuse a data base that this MLflow cannot use as it is; MLflow might change the schema of one without a word.

    Raises:
        TrackingError: With what to do.
    """
    found, known = condition(file), revisions()
    if found.revision == known[0]:
        return
    if not found.rows and (found.revision is None or found.revision in known):
        raise HalfMadeError(
            f"the MLflow data base {file} is half made and holds no run; delete it: {_anew(f'sqlite:///{file}')}"
        )
    raise other_schema(
        f"sqlite:///{file}", found.revision, f"cd {shlex.quote(str(file.parent))}; {_upgrade(file.name)}"
    )


def other_schema(uri: str, revision: str | None, upgrade: str) -> TrackingError:
    """What to do about a data base whose schema is not this MLflow's; ``upgrade`` is the command for an older one."""
    from mlflow.version import VERSION

    place = sqlite_file(uri) or shown(uri)
    if revision in revisions():
        return TrackingError(
            f"the MLflow data base {place} was made by an older MLflow than {VERSION}, which is installed here; "
            f"keep a copy of it, then: {upgrade}"
        )
    if revision:
        return TrackingError(
            f"the MLflow data base {place} was made by a newer MLflow than {VERSION}, which is installed here; "
            f"pip install --upgrade mlflow, or move it away: {_anew(uri)}"
        )
    return TrackingError(f"the MLflow data base {place} does not say its schema; move it away: {_anew(uri)}")


def condition(file: Path) -> Condition:
    """What a file holds, without MLflow.

    Raises:
        TrackingError: If it is no data base of SQLite, or another process holds it.
    """
    with _opened(file) as data_base:
        tables = frozenset(name for (name,) in data_base.execute("select name from sqlite_master where type = 'table'"))
        revision = None
        if "alembic_version" in tables:
            revision = next(
                (str(name) for (name,) in data_base.execute("select version_num from alembic_version")), None
            )
        here = [name for name in CONTENT if name in tables]
        rows = sum(data_base.execute(f"select count(*) from {name}").fetchone()[0] for name in here)  # noqa: S608
    return Condition(tables=tables, revision=revision, rows=int(rows))


def revisions() -> list[str]:
    """The schemas that this MLflow knows, its own first."""
    import mlflow
    from alembic.script import ScriptDirectory

    migrations = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return [script.revision for script in migrations.walk_revisions()]


def follow_move(file: Path, say: Callable[[str], None]) -> None:
    """Look for artefacts beside the data base if its folder was moved or copied; MLflow keeps where they were."""
    here = file.parent.resolve() / ARTEFACTS
    with _opened(file) as data_base:
        query = "select experiment_id, artifact_location from experiments where name glob 'st-vfm-bench*'"
        for experiment, then in data_base.execute(query).fetchall():
            was = path_of(then or "")
            if was is None or was.name != ARTEFACTS or was == here or (was.exists() and not here.exists()):
                continue
            data_base.execute(
                "update experiments set artifact_location = ? where experiment_id = ?", (here.as_uri(), experiment)
            )
            data_base.execute(
                "update runs set artifact_uri = ? || substr(artifact_uri, ?) where experiment_id = ? "
                "and substr(artifact_uri, 1, ?) = ?",
                (here.as_uri(), len(then) + 1, experiment, len(then), then),
            )
            data_base.commit()
            say(f"the results folder was at {was.parent}; MLflow now looks for artefacts in {here}")


def path_of(location: str) -> Path | None:
    """Where artefacts lie; None if that is not on this machine."""
    parts = urlparse(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(file.resolve()))}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT_S)) as data_base:
            yield data_base
    except sqlite3.OperationalError as error:
        raise TrackingError(
            f"the MLflow data base {file} cannot be used ({error}); end what uses it, check its rights, and repeat"
        ) from error
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"the MLflow data base {file} cannot be used ({error}); move it away: {_anew(f'sqlite:///{file}')}"
        ) from error


def _make(file: Path) -> None:
    """A new data base, whole or not at all."""
    from mlflow import MlflowClient

    with atomic_write(file) as part:
        try:
            MlflowClient(tracking_uri=openable(f"sqlite:///{part}")).search_experiments(max_results=1)
        finally:
            journal_of(part).unlink(missing_ok=True)


def _anew(uri: str) -> str:
    return f"a new one is then made from the records by {sync_command(uri)}"


def _set_aside(file: Path) -> Path:
    names = (file.with_name(f"{file.stem}.half-made{number or ''}{file.suffix}") for number in count())
    aside = next(name for name in names if not name.exists())
    return file.rename(aside)


def _upgrade(name: str) -> str:
    return f"mlflow db upgrade {shlex.quote(f'sqlite:///{name}')}"
