"""Reports of synthetic records, for tests of the page as a text and in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from records import record, results_of

from bench.analysis.report import page
from bench.records.environment import Environment
from bench.runs.tuned import TunedFolder

HOSTILE = """<script>window.hurt = 1</script><img src=x onerror="window.hurt = 2">"'&{{ 7 * 7 }}"""


def report(records: Iterable[Any], folder: Path = Path("nowhere"), *, figures: bool = False) -> str:
    """The page of these records and of the tuned settings in a folder; figures take seconds."""
    results = results_of(records, tuned=list(TunedFolder(folder).files()))
    return page.report(results, drawn(results) if figures else ())


def drawn(results: Any) -> list[Any]:
    """Its figures."""
    from bench.analysis.figures._files import Look, pictures

    return list(pictures(results, page.shown(results, "figures"), Look(formats=(".png",))))


def failing(message: str, **facts: Any) -> Any:
    """A run that failed with a message."""
    made = record(failed=True, **facts)
    return msgspec.structs.replace(made, error=msgspec.structs.replace(made.error, message=message))


def hostile() -> list[Any]:
    """Records whose every text would be a script."""
    model = record(model=HOSTILE)
    spec = msgspec.structs.replace(model.spec, data=replace(model.spec.data, version=HOSTILE))
    environment = Environment(device=HOSTILE, libraries={HOSTILE: HOSTILE}, commit=HOSTILE)
    return [
        msgspec.structs.replace(model, spec=spec, environment=environment),
        record(overrides={"model.act": HOSTILE}),
        failing(HOSTILE, seed=1),
    ]


def words(text: str) -> str:
    """What is read of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())
