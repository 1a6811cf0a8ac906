"""The command ``sync``."""

from __future__ import annotations

from pathlib import Path

from bench.cli.console import print_line, say_altered, say_unread
from bench.cli.options import ResultsDir, TrackingUri, check_results, typed
from bench.errors import require
from bench.plain_text import counted


def sync(results: ResultsDir = Path("results"), tracking_uri: TrackingUri = None) -> None:
    """Log finished runs and studies that are missing in MLflow."""
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
    files = [path for folder in ("tables", "figures") for path in sorted((results / folder).glob("*.*"))]
    unread: list[str] = []
    say_altered(alterations(results))
    records = store.records(lambda error: unread.append(str(error)))
    added, present = tracking.sync(
        records, uri, results, command=command, files=files, say=print_line, own=needs_own_file
    )
    say_unread(unread)
    print_line(f"{counted(added, 'run')} added, {present} {_were(present)} there: {shown(uri)}")
    added, present = sync_studies(results, uri, say=print_line)
    if added or present:
        print_line(f"{counted(added, 'study', 'studies')} of tuning added, {present} {_were(present)} there")


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
