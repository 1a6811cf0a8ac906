"""What ``show`` prints of the record of one run: what was run on what, its scores, and what its audit found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from bench.cli.console import print_json, print_line
from bench.cli.options import address_in
from bench.cli.terminal import Console
from bench.errors import StoreError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.records.record import Audit, DoneRun, Record

RUN_ID: Final = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{12}")
FILE: Final = (
    "FILE is that of your own model or data set (a class has none: give it to bench.evaluate again, with the same "
    "settings)"
)
LEAST: Final = 4  # characters of an id, one of them a digit, that no name is taken for
BEGINNING: Final = re.compile(rf"(?=.*\d)([0-9a-f]{{{LEAST},}}|\w{{10,}}\.\w*)")  # or an id with a wrong letter


def names_a_record(text: str) -> bool:
    """Whether a text is a run's id or the path of a record."""
    return RUN_ID.fullmatch(text) is not None or text.endswith(".json")


def may_begin_an_id(text: str) -> bool:
    """Whether what is no name can only be meant as a run's id, or as its beginning."""
    return BEGINNING.fullmatch(text) is not None


def is_short_beginning(text: str) -> bool:
    """Whether a text is as the beginning of an id, but has not enough of it to be told from a name."""
    return re.fullmatch(r"[0-9a-f]+", text) is not None and not may_begin_an_id(text)


def show_record(text: str, results: Path, source: str | None = None, *, as_json: bool = False) -> None:
    """Print the record of a run.

    Args:
        text: The run's id, a beginning that no other run has, or the path of its record.
        results: Where a record is looked for by its id.
        source: ``mlflow:URI`` to look there instead, or None.
        as_json: Whether the whole record is printed.

    Raises:
        StoreError: If there is none, or several begin so, or it cannot be read.
    """
    from bench.catalog.registry import needs_own_file
    from bench.records.command import command_of
    from bench.records.record import dump

    record = _read(_path_of(text, results)) if source is None else _in_mlflow(text, source)
    if as_json:
        print_json(json.loads(dump(record)))
        return
    table = Table("fact", "value", title=f"run {record.run_id}")
    for name, value in _facts(record):
        table.add_row(name, escape(value))
    Console().print(table)
    own = needs_own_file(record)
    if command := command_of(record, own=own):
        where = f", where {FILE}" if own else ""
        where += (
            ", where WEIGHTS is the folder of weights, if they are not in the hub's cache" if _reads(record) else ""
        )
        print_line(f"make it again{where}: {command}")


def _reads(record: Record) -> bool:
    return record.spec.weights_sha256 is not None and not record.external


def _in_mlflow(text: str, source: str) -> Record:
    from bench.records.mlflow_address import shown
    from bench.records.tracking import records_from

    uri = address_in(source)
    records = records_from(uri, beginning=text)
    _check_one([record.run_id for record in records], text, f"MLflow at {shown(uri)}")
    if not records:
        begun = "" if RUN_ID.fullmatch(text) else "whose id begins with "
        raise StoreError(
            f"MLflow at {shown(uri)} has no finished run {begun}{text}; check the id, its tag stbench.run_id"
        )
    return records[0]


def _path_of(text: str, results: Path) -> Path:
    if text.endswith(".json"):
        return Path(text)
    paths = sorted(path for path in (results / "runs").glob("*/*/*.json") if path.name.startswith(text))
    ids = sorted({path.name.removesuffix(".json").removesuffix(".failed") for path in paths})
    _check_one(ids, text, str(results))
    if not paths:
        begun = "the run" if RUN_ID.fullmatch(text) else "a run whose id begins with"
        raise StoreError(
            f"{results} holds no record of {begun} {text}; --results DIR names another folder, and --from "
            "mlflow:URI a server"
        )
    return paths[0]


def _check_one(ids: Sequence[str], text: str, where: str) -> None:
    if len(ids) > 1:
        raise StoreError(
            f"{len(ids)} runs of {where} begin with {text}, such as {ids[0]} and {ids[1]}; give more of it"
        )


def _read(path: Path) -> Record:
    from bench.plain_files import read_plain
    from bench.records.record import parse

    try:
        return parse(read_plain(path), path)
    except OSError as error:
        raise StoreError(f"the record {path} cannot be read ({error.strerror or error}); check its path") from error


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """Names and texts, the most wanted first."""
    spec, data = record.spec, record.spec.data
    yield "model", f"{record.model}, seed {record.seed}, profile {record.label.profile}"
    yield (
        "data set",
        f"{data.name}, {'synthetic' if data.synthetic else 'real'}, sha256 of the array as read {data.sha256}",
    )
    yield "task", f"{spec.task.name}: {spec.task.history} → {spec.task.horizon} steps, protocol {spec.task.protocol}"
    if spec.sources:
        yield "trained before on", ", ".join(source.name for source in spec.sources)
    yield "changed settings", ", ".join(f"{name}={value}" for name, value in record.label.overrides.items()) or "none"
    yield "weights", " ".join(filter(None, (spec.weights, spec.weights_sha256)))
    if record.status == "failed":
        yield "failed", str(record.error)
    else:
        yield from _outcome(record)
    facts = (record.environment.device, record.environment.system, f"commit {record.environment.commit or 'unknown'}")
    yield "made on", ", ".join(filter(None, facts))


def _outcome(record: DoneRun) -> Iterator[tuple[str, str]]:
    """The scores, and what the audit found."""
    from bench.metrics import METRICS
    from bench.records.channels import value

    for split, scores in record.scores.items():
        for cut, channel in record.cuts.items():
            known = [(metric.label, value(scores.get(name), channel)) for name, metric in METRICS.items()]
            texts = [f"{label} {number:.6g}" for label, number in known if number is not None]
            yield " ".join(filter(None, (split, cut))), ", ".join(texts)
    counts = record.counts
    yield "scored windows", f"{counts.test} of test" + ("" if record.external else f", {counts.val} of validation")
    if record.audit is None:
        yield "audit", "none: the forecasts were made elsewhere"
    else:
        yield from _audit(record.audit, trained=counts.train > 0)


def _audit(audit: Audit, *, trained: bool) -> Iterator[tuple[str, str]]:
    """How far the forecasts differ when they are made again, and what scaler and splits have seen.

    ``trained`` says whether any window of the data set itself was trained on.
    """
    if (forecasts := audit.forecasts) is None:
        yield "audit", "of the windows alone: the record is of an earlier version"
    else:
        again = f"largest difference {forecasts.largest:.3g}, allowed {forecasts.tolerance:g}"
        copy = {"process": "in a process of its own", "copy": "beside the scored model"}[forecasts.fresh_in]
        yield "audit: made again", f"{counted(forecasts.windows, 'window')}, {again}; fresh copy: {copy}"
    split = audit.split
    ranges = (audit.scaler_fitted_on, split.train, split.val, split.test)
    fitted, train, val, test = (f"{start} to {stop}" for start, stop in ranges)
    fitted = fitted if audit.scaler_fitted_on[1] else "those of other data sets"
    yield (
        "audit: slots",
        f"scaler fitted on {fitted}; train {train if trained else 'none'}, validation {val}, test {test}",
    )
    yield "audit: test opened", counted(audit.test_reads, "time")
