"""Numbers that others printed, and the block of a table that lays ours beside them."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from bench.analysis.cells import BLOCK, DATA, LINE, Entries, Entry, Key
from bench.analysis.render import SHOWN, Block, Cell, Header, Score
from bench.errors import ConfigError, UnknownNameError

FOLDER = Path(__file__).resolve().parent.parent / "published"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Published:
    """One printed table.

    Attributes:
        source: Where it is printed.
        datasets: Its columns.
        rmse, mae: Rows by the name of our line, or by the paper's name of a model that is not here.
    """

    source: str
    task: str
    protocol: str
    history: int
    horizon: int
    datasets: tuple[str, ...]
    rmse: dict[str, tuple[float, ...]]
    mae: dict[str, tuple[float, ...]]

    def value(self, metric: str, line: str, dataset: str) -> float:
        rows: dict[str, tuple[float, ...]] = {"rmse": self.rmse, "mae": self.mae}[metric]
        return rows[line][self.datasets.index(dataset)]


def load_published(name: str) -> Published:
    """Read a file of ``bench/published/``.

    Raises:
        UnknownNameError: If there is none of this name.
        ConfigError: If it does not validate, or a row is not as long as the columns.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.toml"))
    if name not in known:
        raise UnknownNameError("published table", name, known)
    path = FOLDER / f"{name}.toml"
    try:
        found = Published(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is no published table: {error}") from error
    if found.rmse.keys() != found.mae.keys() or any(
        len(row) != len(found.datasets) for row in (*found.rmse.values(), *found.mae.values())
    ):
        raise ConfigError(f"{path} has rows of different lengths, or not the same rows for both metrics")
    return found


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
