"""The record of a run: every key, type and unit, as the runner fills it, the store checks it and tables see it.

A record is one JSON object; ``dump`` and ``parse`` are its only way out and in. Arrays are base64 of little-endian
float32. Scores are in physical units, MAPE and WAPE in percent; slots count from the start of the data.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from bench.errors import RecordError, StoreError, UnknownNameError
from bench.metrics import METRICS, Score
from bench.records.arrays import ForecastMap, WindowErrors
from bench.records.channels import Channel, cuts, scores_line, value
from bench.records.environment import Environment
from bench.records.forecast_audit import ForecastAudit
from bench.records.inputs import Inputs
from bench.records.plain import Whole, check, one_line
from bench.records.spec import Label, Spec
from bench.records.upgrade import upgraded
from bench.settings import RANDOM

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 4
NEEDED: Final = ("mae", "rmse")  # metrics of every record; one that is added later is not in those made before


class Counts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Windows of each split, and what else is counted.

    Attributes:
        per_epoch: Windows by which the steps of an epoch are counted.
        val, test: Windows that are scored.
        val_there, test_there: All that there are; 0 in records that were made before some could be left out.
        test_values: Target values on test that count.
        sources: Training windows of other data sets, in transfer across cities.
    """

    train: Whole
    per_epoch: Whole
    val: Whole
    test: Whole
    test_values: Whole
    val_there: Whole = 0
    test_there: Whole = 0
    sources: Whole = 0


class Cost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run took.

    Attributes:
        flops: Floating-point operations to forecast one window.
        ms_per_window, windows_per_s: To forecast the test windows.
        peak_mb: Peak memory of this run: allocated on a GPU; on a CPU what its process held beyond the start, libraries
            that it loads and the part of the data that it reads included. None where that is not known: in a process
            that is not the run's own, and on another system than Linux.
        train_s, wall_s: Seconds of training and validation, and of everything.
        work: As ``bench.runs.estimate`` counts it.
    """

    parameters: Whole
    trainable_parameters: Whole
    flops: Whole
    ms_per_window: float
    windows_per_s: float
    peak_mb: float | None
    train_s: float
    wall_s: float
    epochs: Whole
    work: float


class SplitRanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A half-open range of slots, or the first and the last origin, for each split."""

    train: tuple[Whole, Whole]
    val: tuple[Whole, Whole]
    test: tuple[Whole, Whole]


class Audit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was checked while the run was scored.

    Attributes:
        forecasts: None in records of earlier schemas, whose models were not audited in this way.
        scaler_fitted_on: Half-open range of slots that the scaler has seen; empty where that is of other data sets.
        origins: First and last origin of each split, both included; twice 0 where no window of it was used.
        test_reads: How often the test targets were opened.
        best_epoch: Counted from 1; 0 for a model without training by epochs. Epochs of adaptation count on from those
            on the sources.
        checkpoint_sha256: Digest of the scored weights.
    """

    forecasts: ForecastAudit | None
    scaler: Literal["standard", "minmax"]
    scaler_fitted_on: tuple[Whole, Whole]
    split: SplitRanges
    origins: SplitRanges
    test_reads: Whole
    best_epoch: Whole
    checkpoint_sha256: str


class Epoch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One row of the learning curve.

    Attributes:
        train_loss: Mean loss over the batches, of scaled values.
        val_mae: Validation MAE after the epoch, in the units of ``DoneRun.windows``; with sources in the scaler's.
        lr: Learning rate at its begin.
    """

    epoch: Whole
    train_loss: float
    val_mae: float
    lr: float


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a run failed, with the file and line that raised.

    Attributes:
        traceback: On its way from the process that raised to a log (``bench.records.failure_log``); no record has it.
    """

    type: str
    message: str
    where: str = ""
    traceback: str | UnsetType = UNSET

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class _Run(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="status"):
    """What every record holds.

    Attributes:
        code: Digest of the code that answered (``bench.catalog.code``).
        role: "naive" for a naive baseline, which is not trained.
        ended: When the run ended, in seconds since 1970; None in records that were made before it was kept.
    """

    schema: Literal[4]
    run_id: str
    code: str
    role: Literal["model", "naive"]
    spec: Spec
    label: Label
    environment: Environment
    ended: float | None = None

    @property
    def dataset(self) -> str:
        return self.spec.data.name

    @property
    def model(self) -> str:
        return self.spec.model

    @property
    def seed(self) -> int:
        return self.spec.seed

    @property
    def naive(self) -> bool:
        return self.role == "naive"

    @property
    def external(self) -> bool:
        """Whether it is of forecasts that were made elsewhere, so that no model was run or audited."""
        return self.spec.external


class DoneRun(_Run, tag="done", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that was scored, or forecasts that were made elsewhere.

    Attributes:
        scores: By "test" and "val", then by the names of ``bench.metrics.METRICS``; on "test" alone of forecasts that
            were made elsewhere.
        cost, audit: None of forecasts that were made elsewhere, and of these alone.
        windows: Errors of every test window; physical units, or the scaler's where units differ between channels.
        inputs: What the model reads; None in records that were made before this was measured.
        forecast_map: One forecast beside its truth; None if no test window has a value that counts at its last step,
            and in records that were made before maps were kept.
        channels: Empty in records of schemas before 4. Where units differ, scores are per channel alone.
    """

    scores: dict[str, dict[str, Score]]
    counts: Counts
    cost: Cost | None
    audit: Audit | None
    windows: WindowErrors
    inputs: Inputs | None = None
    forecast_map: ForecastMap | None = None
    channels: list[Channel] = []
    curve: list[Epoch]

    def __post_init__(self) -> None:
        for split, metric in product(("test",) if self.external else ("test", "val"), NEEDED):
            if metric not in self.scores.get(split, {}):
                raise ValueError(f"it lacks `$.scores.{split}.{metric}`")
        for part in ("cost", "audit"):
            if (getattr(self, part) is None) != self.external:
                raise ValueError(
                    f"it has a `$.{part}` of forecasts made elsewhere" if self.external else f"it lacks `$.{part}`"
                )
        if not self.environment.device:
            raise ValueError("it lacks `$.environment.device`")

    def __str__(self) -> str:
        marks = ["forecasts made elsewhere"] * self.external + ["synthetic data"] * self.spec.data.synthetic
        marks += ["random weights"] * (self.spec.weights in RANDOM)
        marks += ["quick profile, not to be quoted"] * (self.label.profile == "quick")
        marks += [f"trained on {' and '.join(one.name for one in self.spec.sources)}"] * bool(self.spec.sources)
        name = f"{self.model} on {self.dataset}" + (f" ({', '.join(marks)})" if marks else "")
        scores = scores_line(self.scores["test"], self.channels)
        return f"{name}, seed {self.seed}: {scores} on test" + (f", {self.cost.wall_s:.3g} s" if self.cost else "")

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What a notebook shows."""
        printer.text(str(self))

    @property
    def status(self) -> Literal["done"]:
        return "done"

    @property
    def cuts(self) -> dict[str, int | None]:
        """The channels that have scores of their own, by name; "" and None for all together."""
        return cuts(self.channels)

    def scores_by(self, by: str, split: str = "test") -> pd.DataFrame:
        """One row for each "step" or "channel", a column for each metric."""
        from bench.records.frame import scores_by

        return scores_by([self], by, split)

    def errors_by_window(self) -> pd.DataFrame:
        """One row for each test window: its first slot, how many values count, and MAE and RMSE over them."""
        from bench.records.frame import errors_by_window

        return errors_by_window(self)

    def score(self, metric: str, channel: int | str | None = None) -> float | None:
        """A metric on test, overall or of a channel, given by its number or its name.

        None where nothing was counted, or the record was made before there was such a metric.

        Raises:
            UnknownNameError: If there is no such metric or channel.
        """
        if metric not in METRICS:
            raise UnknownNameError("metric", metric, METRICS)
        score = self.scores["test"].get(metric)
        if channel is None or score is None:
            return value(score, None)
        names = [one.name for one in self.channels]
        number = names.index(channel) if channel in names else channel
        if not isinstance(number, int) or number not in range(len(score.per_channel)):
            what = "scores of validation are in record.scores['val']"
            raise UnknownNameError("channel", str(channel), names or map(str, range(len(score.per_channel))), what)
        return value(score, number)


class FailedRun(_Run, tag="failed", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that ended with an error."""

    error: Failure

    def __str__(self) -> str:
        return f"{self.model} on {self.dataset}, seed {self.seed}: failed: {self.error}"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What a notebook shows."""
        printer.text(str(self))

    @property
    def status(self) -> Literal["failed"]:
        return "failed"


Record: TypeAlias = DoneRun | FailedRun
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def dump(record: Record) -> bytes:
    """The record's one canonical text: sorted keys, full precision, UTF-8.

    Raises:
        StoreError: If a number is not finite or needs more than 64 bits, or a value is not of its key's type.
    """
    try:
        check(msgspec.to_builtins(record, builtin_types=(bytes,)), "$")
        known = _DECODER.decode(msgspec.json.encode(record))  # a float may be given as a whole number
        return msgspec.json.format(msgspec.json.encode(known, order="sorted"), indent=1) + b"\n"
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise StoreError(
            f"the record {record.run_id} cannot be stored ({one_line(error)}); numbers must be finite and of 64 bits"
        ) from error


def parse(text: bytes, source: object) -> Record:
    """The record in a text; that of an earlier schema is brought up to date. ``source`` names it in errors.

    Raises:
        RecordError: If the text is no record.
    """
    try:
        record = _decoded(text)
        spec, label = record.spec, record.label
        check({"config": spec.config, "task": vars(spec.task), "train": vars(spec.train)}, "$.spec", level=1)
        check({"overrides": label.overrides, "base": label.base}, "$.label", level=1)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(f"{source} is not a result record ({one_line(error)})") from error
    return record


def _decoded(text: bytes) -> Record:
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, ValueError):
        values = upgraded(text)
        if values is None:
            raise
        record: Record = msgspec.convert(values, Record)
        return record
