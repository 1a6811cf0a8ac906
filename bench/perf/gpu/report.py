"""The measurements as one JSON and one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from bench.perf.gpu.part import PARTS
from bench.perf.gpu.rows import Row

VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part as it ended; what was measured before an error is kept.

    Attributes:
        seconds: Of its process, from start to end.
        error: Its last line, if it failed.
    """

    name: str
    status: Literal["done", "failed", "skipped"]
    seconds: float
    rows: tuple[Row, ...] = ()
    error: str = ""


def write(parts: Sequence[Part], device: str, folder: Path) -> tuple[Path, Path]:
    """Write ``gpu.json`` and ``gpu.md`` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"version": VERSION, "device": device, "parts": [asdict(part) for part in parts]}
    (folder / "gpu.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "gpu.md").write_text(table(parts), encoding="utf-8")
    return folder / "gpu.json", folder / "gpu.md"


def table(parts: Sequence[Part]) -> str:
    """All rows in one Markdown table, part by part."""
    lines = ["| part | of | measured | value | note |", "|---|---|---|---:|---|"]
    for part in parts:
        heading = PARTS[part.name][1]
        lines += [_line(heading, row.subject, row.measure, _value(row), row.note) for row in part.rows]
        if part.status != "done":
            lines.append(_line(heading, "", part.status, "", part.error))
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _value(row: Row) -> str:
    if isinstance(row.value, bool):
        return "yes" if row.value else "no"
    if isinstance(row.value, str):
        return row.value
    return f"{row.value:.3g} {row.unit}".strip() if abs(row.value) < 1000 else f"{row.value:,.0f} {row.unit}".strip()
