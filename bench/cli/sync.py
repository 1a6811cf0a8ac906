"""The command ``sync``."""

from __future__ import annotations

from pathlib import Path

from bench.cli.console import print_line
from bench.cli.options import ResultsDir, TrackingUri, say_unread
from bench.errors import require


def sync(results: ResultsDir = Path("results"), tracking_uri: TrackingUri = None) -> None:
    """Log finished runs and studies that are missing in MLflow."""
    from bench.records import tracking
    from bench.records.mlflow_store import default_uri
    from bench.records.store import ResultStore
    from bench.tuning.tracking import sync_studies

    require("mlflow", "tracking", "stbench sync")
    uri = tracking_uri or default_uri(results)
    unread: list[str] = []
    records = ResultStore(results).records(lambda error: unread.append(str(error)))
    added, present = tracking.sync(records, uri, results)
    say_unread(unread)
    print_line(f"{added} runs added, {present} were there: {tracking.shown(uri)}")
    added, present = sync_studies(results, uri)
    if added or present:
        print_line(f"{added} studies of tuning added, {present} were there")
