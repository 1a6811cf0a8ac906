"""What a part measures, row by row, and the budget it has for it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number, or one answer.

    Attributes:
        subject: What was measured, such as a model.
        measure: What of it.
        value: A number, a text, or whether it holds.
        unit: Of a number.
        note: What a reader must know beside it.
    """

    subject: str
    measure: str
    value: float | str | bool
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a part is measured, for how long, and where its rows go.

    Attributes:
        device: As torch names it.
        seconds: The part's budget.
        file: Each row is a line of JSON, written at once, so that what was measured outlives its process.
    """

    device: str
    seconds: float
    file: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.seconds - (time.monotonic() - self.started)

    def share(self, parts: int) -> float:
        """Seconds for one of so many things that are still to be measured."""
        return max(0.0, self.left) / parts

    def row(self, subject: str, measure: str, value: float | str | bool, unit: str = "", note: str = "") -> None:
        line = json.dumps(asdict(Row(subject=subject, measure=measure, value=value, unit=unit, note=note)))
        with self.file.open("a", encoding="utf-8") as rows:
            rows.write(f"{line}\n")

    def skipped(self, subject: str, why: str) -> None:
        """Say why something was not measured."""
        self.row(subject, "not measured", why)


def read_rows(file: Path) -> list[Row]:
    """The rows that were written; a last line that a killed process left unfinished is dropped."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return [Row(**json.loads(line)) for line in lines]
