"""What planning, status and the estimate of time ask of a record, read without all the rest of it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from bench.errors import RecordError
from bench.metrics import Score
from bench.records.plain import one_line
from bench.records.record import Cost, Counts, Failure
from bench.records.spec import Spec
from bench.records.upgrade import upgraded


class Machine(Struct, frozen=True):
    """Of ``bench.records.environment.Environment`` the device."""

    device: str | None = None


class _Seen(Struct, frozen=True, kw_only=True, tag_field="status"):
    """What both have; a schema before this one is not read as if it were of today."""

    schema: Literal[4]
    run_id: str
    spec: Spec

    @property
    def dataset(self) -> str:
        return self.spec.data.name

    @property
    def model(self) -> str:
        return self.spec.model


class DoneGlance(_Seen, tag="done", frozen=True, kw_only=True):
    """Of ``bench.records.record.DoneRun`` what it took; nothing of forecasts that were made elsewhere."""

    environment: Machine
    cost: Cost | None
    counts: Counts
    scores: dict[str, dict[str, Score]]

    @property
    def status(self) -> Literal["done"]:
        return "done"


class FailedGlance(_Seen, tag="failed", frozen=True, kw_only=True):
    """Of ``bench.records.record.FailedRun`` the error."""

    error: Failure

    @property
    def status(self) -> Literal["failed"]:
        return "failed"


Glance: TypeAlias = DoneGlance | FailedGlance
_DECODER: msgspec.json.Decoder[Glance] = msgspec.json.Decoder(Glance)


def glance(text: bytes, source: object) -> Glance:
    """What is asked of the record in a text; one of an earlier schema is brought up to date.

    Raises:
        RecordError: If the text is no JSON, or what is asked of it is not there.
    """
    try:
        return _decoded(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(f"{source} is not a result record ({one_line(error)})") from error


def _decoded(text: bytes) -> Glance:
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, ValueError):
        values = upgraded(text)
        if values is None:
            raise
        seen: Glance = msgspec.convert(values, Glance)
        return seen
