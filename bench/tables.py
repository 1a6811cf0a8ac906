"""Tables as pure functions of the result frame, and the files they are written to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from bench.cells import BLOCK, DATA, LINE, METRICS, Entries, Entry, Key, Row, blocks
from bench.errors import StoreError, UnknownNameError
from bench.render import MARKS, SHOWN, Block, Cell, Flag, Header, Rank, Score, Table

if TYPE_CHECKING:
    import pandas as pd

TABLES: Mapping[str, tuple[str, ...]] = {
    "short_term": ("short",),
    "long_term": ("long",),
    "few_shot": ("few1", "few5"),
}
"""The tasks of each table."""

LONG = ("dataset", "model", "variant", "settings", "weights", *BLOCK, "metric", "mean", "std", "n", *DATA[1:], "flags")


def short_term(frame: pd.DataFrame) -> Table:
    """The table of the task "short"."""
    return make_table(frame, "short_term")


def long_term(frame: pd.DataFrame) -> Table:
    """The table of the task "long"."""
    return make_table(frame, "long_term")


def few_shot(frame: pd.DataFrame) -> Table:
    """The table of the few-shot tasks."""
    return make_table(frame, "few_shot")


def make_table(frame: pd.DataFrame, name: str) -> Table:
    """Build one table of ``TABLES``.

    Args:
        frame: Rows of ``bench.frame``, in any order; without the column ``stale`` no row is stale.
        name: A key of ``TABLES``.

    Raises:
        UnknownNameError: If there is no such table.
    """
    import pandas as pd

    if name not in TABLES:
        raise UnknownNameError("table", name, TABLES)
    selected = frame[frame["task"].isin(TABLES[name])]
    rows = [{"stale": False} | cast("Row", row) for row in selected.to_dict("records")]
    found = blocks(rows)
    long = [row for place, entries in found.items() for row in _long_rows(place, entries)]
    return Table(
        name=name,
        blocks=tuple(_block(dict(zip(BLOCK, place, strict=True)), entries) for place, entries in found.items()),
        long=pd.DataFrame(long, columns=list(LONG)),
    )


def write_tables(frame: pd.DataFrame, folder: Path, names: Sequence[str] | None = None) -> list[Path]:
    """Write ``<name>.md``, ``.tex`` and ``.csv`` of every table that has rows, and remove those of a table without.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    files = _files(frame, folder, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            if text is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, text)
    except OSError as error:
        raise StoreError(
            f"the tables cannot be written to {folder} ({error}); check the folder's space and rights"
        ) from error
    return [path for path, text in files.items() if text is not None]


def check_tables(frame: pd.DataFrame, folder: Path, names: Sequence[str] | None = None) -> list[Path]:
    """The files in ``folder`` that ``write_tables`` would change, create or remove."""
    files = _files(frame, folder, names)
    return [path for path, text in files.items() if _bytes(path) != (None if text is None else text.encode())]


def _files(frame: pd.DataFrame, folder: Path, names: Sequence[str] | None) -> dict[Path, str | None]:
    files: dict[Path, str | None] = {}
    for name in names or TABLES:
        table = make_table(frame, name)
        texts = {"md": table.to_markdown(), "tex": table.to_latex(), "csv": table.to_csv()}
        files |= {folder / f"{name}.{suffix}": text if table.blocks else None for suffix, text in texts.items()}
    return files


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(text.encode())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _block(place: Mapping[str, Any], entries: Entries) -> Block:
    data = sorted({data for data, _ in entries})
    floors = {line for (_, line), entry in entries.items() if entry.floor}
    lines = sorted({line for _, line in entries}, key=lambda line: (line not in floors, line))
    seeds = max(entry.seeds for entry in entries.values())
    quick = place["profile"] == "quick"
    return Block(
        title=_title(place),
        notes=_notes(seeds, quick=quick),
        datasets=_dataset_headers(data),
        models=_model_headers(lines, floors),
        cells=tuple(_cells({line: entries.get((key, line)) for line in lines}, seeds, quick=quick) for key in data),
    )


def _title(place: Mapping[str, Any]) -> str:
    parts = [
        f"Task {place['task']}: {place['history']} → {place['horizon']} steps",
        f"protocol {place['protocol']}",
        f"profile {place['profile']}",
    ]
    parts += [f"first {place['fraction'] * 100:g} % of the training windows"] if place["fraction"] < 1 else []
    parts += ["scaler fitted on all data (leaky)"] if place["leaky_scaler"] else []
    parts += ["forecasts clamped to the data's range"] if place["clamp"] else []
    return ", ".join(parts)


def _notes(seeds: int, *, quick: bool) -> tuple[str, ...]:
    spread = f"Mean ± sample standard deviation over {seeds} seeds, (n=k) where there are fewer."
    counted = spread if seeds >= 2 else "One seed." if seeds else "No run is done."
    ranks = "Best in bold, second underlined, ties at the printed precision neither."
    if quick:
        ranks = (
            "Quick profile: the budgets are small, so the ranks mean nothing and none is marked; use `--profile paper`."
        )
    return counted, "Floors in italics.", ranks


def _dataset_headers(keys: Sequence[Key]) -> tuple[Header, ...]:
    rows = [dict(zip(DATA, key, strict=True)) for key in keys]
    count = Counter((row["dataset"], row["stand_in"]) for row in rows)
    return tuple(
        Header(
            name=row["dataset"] + (f" ({row['data_version']}, {row['data_sha256'][:6]})" if twice else ""),
            flags=("stand_in",) if row["stand_in"] else (),
        )
        for row in rows
        for twice in [count[row["dataset"], row["stand_in"]] > 1]
    )


def _model_headers(keys: Sequence[Key], floors: Container[Key]) -> tuple[Header, ...]:
    headers = []
    for key in keys:
        model, variant, weights, split = key
        several = len({other[2] for other in keys if other[:2] == key[:2]}) > 1
        details = [variant] if variant else []
        details += [weights] if several else []
        details += [f"settings {split}"] if split else []
        name = model + (f" ({', '.join(details)})" if details else "")
        flags: tuple[Flag, ...] = ("random_weights",) if weights == "random" else ()
        headers.append(Header(name=name, flags=flags, floor=key in floors))
    return tuple(headers)


def _cells(entries: Mapping[Key, Entry | None], seeds: int, *, quick: bool) -> tuple[Cell, ...]:
    """One data set's cells; precision and ranks are those of its own best values."""
    scores = {metric: _scores(entries, metric, seeds, quick=quick) for metric in SHOWN}
    return tuple(
        Cell(flags=("missing",))
        if entry is None
        else Cell(scores={metric: scores[metric][key] for metric in SHOWN if key in scores[metric]}, flags=entry.flags)
        for key, entry in entries.items()
    )


def _scores(entries: Mapping[Key, Entry | None], metric: str, seeds: int, *, quick: bool) -> dict[Key, Score]:
    shown = {key: entry for key, entry in entries.items() if entry and math.isfinite(entry.mean(metric))}
    digits = _digits(min((entry.mean(metric) for entry in shown.values()), default=1.0))
    printed = {key: f"{entry.mean(metric):.{digits}f}" for key, entry in shown.items()}
    ranks = {} if quick else _ranks({key: float(text) for key, text in printed.items() if shown[key].ranked})
    return {
        key: Score(
            text=printed[key] + _spread(entry, metric, digits, seeds),
            rank=ranks.get(key, ""),
            flags=entry.flags_of(metric),
        )
        for key, entry in shown.items()
    }


def _spread(entry: Entry, metric: str, digits: int, seeds: int) -> str:
    deviation = f" ± {entry.std(metric):.{digits}f}" if entry.seeds >= 2 else ""
    return deviation + (f" (n={entry.seeds})" if entry.seeds < seeds else "")


def _digits(best: float) -> int:
    """Decimals that show three digits of the best value, two at least."""
    return 2 if best >= 1 or best <= 0 else min(6, 2 - math.floor(math.log10(best)))


def _ranks(values: Mapping[Key, float]) -> dict[Key, Rank]:
    """Best and second of two or more; values that are equal get no rank, and two equal bests leave no second."""
    ordered = sorted(values, key=lambda key: values[key])
    unique = [key for key in ordered[:2] if list(values.values()).count(values[key]) == 1]
    if len(ordered) < 2 or unique[:1] != ordered[:1]:
        return {}
    ranks: tuple[Rank, ...] = ("best", "second")
    return dict(zip(unique, ranks, strict=False))


def _long_rows(place: Key, entries: Entries) -> list[Row]:
    rows = []
    for (data, line), entry in entries.items():
        facts = dict(zip((*BLOCK, *DATA, *LINE, "split"), (*place, *data, *line), strict=True))
        facts["random_weights"] = facts["weights"] == "random"
        for metric in METRICS:
            flags = [flag for flag in MARKS if facts.get(flag) or flag in entry.flags_of(metric)]
            numbers = {"mean": entry.mean(metric), "std": entry.std(metric), "n": entry.seeds}
            rows.append(facts | {"settings": facts["split"], "metric": metric, "flags": ";".join(flags)} | numbers)
    return rows
