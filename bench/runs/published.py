"""Numbers that others printed."""

from __future__ import annotations

import tomllib
from dataclasses import field
from functools import cache
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from bench.errors import ConfigError, UnknownNameError

FOLDER = Path(__file__).resolve().parent / "published_tables"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Published:
    """One printed table.

    Attributes:
        source: Where it is printed.
        datasets: Its columns.
        rmse, mae: Rows by the name of our method, or by the paper's name of a model that is not here.
        names: What the paper calls a method that has another name here.
        one_channel: Data sets of which its numbers are of one channel, while ours have several.
        caveat: What is not the same, a sentence or more.
    """

    source: str
    caveat: str
    task: str
    protocol: str
    history: int
    horizon: int
    datasets: tuple[str, ...]
    rmse: dict[str, tuple[float, ...]]
    mae: dict[str, tuple[float, ...]]
    names: dict[str, str] = field(default_factory=dict)
    one_channel: tuple[str, ...] = ()

    def value(self, metric: str, method: str, dataset: str) -> float:
        rows: dict[str, tuple[float, ...]] = {"rmse": self.rmse, "mae": self.mae}[metric]
        return rows[method][self.datasets.index(dataset)]


@cache
def load_published(name: str) -> Published:
    """Read a file of ``bench/runs/published_tables/``.

    Raises:
        UnknownNameError: If there is none of this name.
        ConfigError: If it does not validate, or a row is not as long as the columns.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.toml"))
    if name not in known:
        raise UnknownNameError("published table", name, known)
    path = FOLDER / f"{name}.toml"
    try:
        table = Published(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is no published table: {error}") from error
    if table.rmse.keys() != table.mae.keys() or any(
        len(row) != len(table.datasets) for row in (*table.rmse.values(), *table.mae.values())
    ):
        raise ConfigError(f"{path} has rows of different lengths, or not the same rows for both metrics")
    return table
