"""The block of a table that lays our numbers beside those that others printed."""

from __future__ import annotations

import math

from bench.analysis.grouping import BLOCK, DATA, LINE, Entries, Entry, Key
from bench.analysis.table import SHOWN, Block, Cell, Header, Score
from bench.runs.published import Published


def shared_data(place: Key, entries: Entries, published: Published) -> list[Key]:
    """The real data sets of a block whose numbers can be laid beside the published; none if it is another task."""
    facts = dict(zip(BLOCK, place, strict=True))
    same = all(facts[name] == getattr(published, name) for name in ("task", "protocol", "history", "horizon"))
    if not same or facts["fraction"] < 1:
        return []
    found = {key: dict(zip(DATA, key, strict=True)) for key, _ in entries}
    return sorted(key for key, row in found.items() if row["dataset"] in published.datasets and not row["stand_in"])


def published_block(place: Key, entries: Entries, published: Published, title: str) -> Block:
    """Ours and theirs, row by row, on the data sets of ``shared_data``, of which there must be one."""
    data = shared_data(place, entries, published)
    names = {key: dict(zip(DATA, key, strict=True)) for key in data}
    ours = {(key, line[LINE.index("line")]): entry for (key, line), entry in entries.items() if not line[-1]}
    rows: list[Header] = []
    cells: list[list[Cell]] = [[] for _ in data]
    for line in published.mae:
        found = [ours.get((key, line)) for key in data]
        if any(found):
            rows.append(Header(name=line))
            for column, key, entry in zip(cells, data, found, strict=True):
                column.append(_ours(entry, published, line, names[key]["dataset"]))
        rows.append(Header(name=f"{line}, published"))
        for column, key in zip(cells, data, strict=True):
            column.append(_theirs(published, line, names[key]["dataset"]))
    return Block(
        title=f"Beside published numbers. {title}",
        notes=(
            f"Published: {published.source}.",
            "In brackets: how much more ours is than published, in percent.",
            "Their recipe is theirs; protocol and metrics are the same.",
        ),
        datasets=tuple(Header(name=names[key]["dataset"]) for key in data),
        models=tuple(rows),
        cells=tuple(map(tuple, cells)),
        models_down=True,
    )


def _ours(entry: Entry | None, published: Published, line: str, dataset: str) -> Cell:
    if entry is None:
        return Cell(flags=("missing",))
    scores = {}
    for metric in SHOWN:
        mean, std = entry.mean(metric), entry.std(metric)
        if math.isfinite(mean):
            spread = f" ± {std:.3g}" if math.isfinite(std) and not entry.floor else ""
            more = round(100 * (mean / published.value(metric, line, dataset) - 1))
            scores[metric] = Score(text=f"{mean:.4g}{spread} ({more:+d})", flags=entry.flags)
    return Cell(scores=scores, flags=entry.flags)


def _theirs(published: Published, line: str, dataset: str) -> Cell:
    scores = {metric: Score(text=f"{published.value(metric, line, dataset):g}") for metric in SHOWN}
    return Cell(scores=scores)
