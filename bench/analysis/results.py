"""The runs of a result frame as tables and figures see them: what several of them are made of is made once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from bench.analysis.differences import Differences, differences
from bench.analysis.grouping import BLOCK, LINE, Entries, Key, Row, blocks
from bench.analysis.tables.published import shared_data
from bench.runs.layout import Layout, Line

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 2  # variants that make a table of variants


class Runs:
    """The rows of ``bench.records.frame``, in any order; in a frame without the column ``stale`` no row is stale.

    Attributes:
        rows: The runs as plain values; whoever reads them leaves them as they are.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        full = frame if "stale" in frame else frame.assign(stale=False)
        names, columns = list(full.columns), [full[name].tolist() for name in full.columns]
        self.rows: list[Row] = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
        self._cells: dict[Layout, Mapping[Key, Entries]] = {}
        self._differences: dict[Layout, Mapping[Key, Differences]] = {}

    def cells(self, layout: Layout) -> Mapping[Key, Entries]:
        """The cells of a layout, block by block.

        A layout that compares has a block only for two variants of it, or for one with settings of its own: else a
        plain run would be a table of one line in every such layout. And it has none whose runs all stand in another
        block. A layout with published numbers has only blocks that these can stand beside.
        """
        if layout not in self._cells:
            self._cells[layout] = _cells(self.rows, layout)
        return self._cells[layout]

    def plain_cells(self, layouts: Iterable[Layout]) -> Mapping[Key, Entries]:
        """The cells of every block of the plain layouts; a block of several is the first one's."""
        found: dict[Key, Entries] = {}
        for layout in (layout for layout in layouts if layout.plain):
            found = found | {place: own for place, own in self.cells(layout).items() if place not in found}
        return found

    def differences(self, layout: Layout) -> Mapping[Key, Differences]:
        """What the lines of each block differ in from the layout's reference; blocks without any are left out.

        Raises:
            StoreError: If window errors that are to be compared cannot be read.
        """
        if layout not in self._differences:
            found = {place: differences(place, entries, layout) for place, entries in self.cells(layout).items()}
            self._differences[layout] = {place: each for place, each in found.items() if each is not None}
        return self._differences[layout]


def _cells(rows: list[Row], layout: Layout) -> Mapping[Key, Entries]:
    found = blocks(layout.placed(rows))
    if published := layout.published:
        found = {place: entries for place, entries in found.items() if shared_data(place, entries, published)}
    if not layout.references:
        return found
    variants = {line.name: line for line in layout.lines if line.variant}
    worth = {place: entries for place, entries in found.items() if _worth_a_block(place, entries, variants)}
    runs = {place: (_beside_base(place), _variant_runs(entries, variants)) for place, entries in worth.items()}
    kept: list[Key] = []
    for place in sorted(worth, key=lambda place: (-len(runs[place][1]), place)):
        rest, mine = runs[place]
        if not mine or not any(runs[other][0] == rest and mine <= runs[other][1] for other in kept):
            kept.append(place)
    return {place: entries for place, entries in worth.items() if place in kept}


def _beside_base(place: Key) -> Key:
    return tuple(value for name, value in zip(BLOCK, place, strict=True) if name != "base")


def _variant_runs(entries: Entries, variants: Container[str]) -> set[str]:
    chosen = (entry for (_, line), entry in entries.items() if line[LINE.index("line")] in variants)
    return {run["run_id"] for entry in chosen for run in entry.runs}


def _worth_a_block(place: Key, entries: Entries, variants: Mapping[str, Line]) -> bool:
    names = {str(key[LINE.index("line")]) for _, key in entries} & variants.keys()
    changed = any(variants[name].settings for name in names) and not place[BLOCK.index("base")]
    return changed or len(names) >= FEWEST
