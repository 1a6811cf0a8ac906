"""The command ``sync``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.cli.console import print_line, say_altered, say_unread, warn_on
from bench.cli.options import ResultsDir, TrackingUri, check_results, typed
from bench.cli.terminal import Console
from bench.errors import BenchError, require
from bench.plain_text import counted


def sync(results: ResultsDir = Path("results"), tracking_uri: TrackingUri = None) -> None:
    """Log finished runs and studies that are missing in MLflow, with tables of the records as they are now."""
    from bench.analysis.sums import alterations
    from bench.catalog.registry import needs_own_file
    from bench.records import tracking
    from bench.records.mlflow_address import check_form, shown, usual_uri
    from bench.records.mlflow_command import Command
    from bench.records.store import ResultStore
    from bench.tuning.tracking import sync_studies

    require("mlflow", "tracking", "stbench sync")
    check_results(results)
    uri, store = tracking_uri or usual_uri(results), ResultStore(results)
    check_form(uri)
    store.sweep()
    command = Command(name="stbench sync", words=typed())
    unread: list[str] = []
    records = store.records(lambda error: unread.append(str(error)))
    added, present = tracking.sync(
        records, uri, results, command=command, files=_tables(results), say=print_line, own=needs_own_file
    )
    if not added:  # else it is said with the tables
        say_altered(alterations(results))
        say_unread(unread)
    print_line(f"{counted(added, 'run')} added, {present} {_were(present)} there: {shown(uri)}")
    added, present = sync_studies(results, uri, say=print_line)
    if added or present:
        print_line(f"{counted(added, 'study', 'studies')} of tuning added, {present} {_were(present)} there")


def _tables(results: Path) -> Iterator[Path]:
    """Tables and figures of the records as they are when the first is taken, so that none is older than another.

    What hinders them, such as a broken file of tuned settings, is told and hinders nothing else.
    """
    from bench.cli.output import write_both

    try:
        yield from write_both(results, [])
    except BenchError as error:
        warn_on(Console(stderr=True), f"without tables and figures: {error}")


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
