"""How the lines of a table differ from its reference: who is compared with whom, as values and as a block of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cells import BLOCK, DATA, LINE, Entries, Entry, Key
from bench.comparison import DRAWS, Difference, Runs, compare, corrected
from bench.layout import Layout
from bench.render import MINUS, Block, Cell, Header, Score
from bench.window_errors import unpack

SPLIT_LINE = (*LINE, "split")
PREFERRED = ("pretrained", "none", "random")  # weights of a reference that a line of other weights is compared with


@dataclass(frozen=True, kw_only=True)
class Differences:
    """All comparisons of one block.

    Attributes:
        reference: The name of the line compared with.
        wanted: The name that the layout puts first; its runs may be missing.
        found: By the keys of ``Entries``; the reference itself is not among them.
    """

    reference: str
    wanted: str
    found: Mapping[tuple[Key, Key], Difference]


def differences(place: Key, entries: Entries, layout: Layout) -> Differences | None:
    """Compare every variant of a block with the reference; None if there is nothing to compare.

    Raises:
        StoreError: If the window errors of a run cannot be read.
    """
    horizon = int(place[BLOCK.index("horizon")])
    variants = {line.name for line in layout.lines if line.name != line.model}
    usable = {key: entry for key, entry in entries.items() if entry.ranked and _name(key) in variants}
    reference = next((name for name in layout.references if any(_name(key) == name for key in usable)), None)
    if reference is None:
        return None
    pairs = {key: base for key in usable if _name(key) != reference and (base := _base(key, reference, usable))}
    found: dict[tuple[Key, Key], Difference] = {}
    for base in dict.fromkeys(pairs.values()):
        keys = [key for key, other in pairs.items() if other == base]
        others = [_runs(usable[key]) for key in keys]
        found |= dict(zip(keys, compare(_runs(usable[base]), others, horizon=horizon), strict=True))
    if not found:
        return None
    ordered = [key for key in entries if key in found]
    values = corrected([found[key] for key in ordered])
    return Differences(reference=reference, wanted=layout.references[0], found=dict(zip(ordered, values, strict=True)))


def difference_block(
    scores: Block, data: Sequence[Key], lines: Sequence[Key], compared: Differences, layout: Layout, *, quick: bool
) -> Block:
    """The differences as text, under the headers of the block of their scores; rows and columns as the keys given."""
    shown = [number for number, line in enumerate(lines) if any((key, line) in compared.found for key in data)]
    rows = [tuple(_cell(compared.found.get((key, lines[number])), quick=quick) for number in shown) for key in data]
    counts = tuple(_counts([compared.found.get((key, lines[number])) for key in data]) for number in shown)
    columns, cells = scores.datasets, rows
    if not quick:
        columns, cells = (*columns, Header(name="reference better / worse / open")), [*rows, counts]
    return Block(
        title=f"{layout.question} Difference from “{compared.reference}”. {scores.title}",
        notes=_notes(compared, quick=quick),
        datasets=tuple(columns),
        models=tuple(scores.models[number] for number in shown),
        cells=tuple(cells),
        metrics={"difference": "MAE, % more than the reference"},
        models_down=True,
    )


def difference_rows(place: Key, compared: Differences) -> list[dict[str, Any]]:
    """One row per comparison at full precision."""
    return [
        {
            **dict(zip((*BLOCK, *DATA, *SPLIT_LINE), (*place, *data, *line), strict=True)),
            "reference": compared.reference,
            **{name: getattr(each, name) for name in ("percent", "low", "high", "p", "holm", "significant")},
            "seeds": ";".join(f"{seed}:{value:.6g}" for seed, value in each.seeds.items()),
        }
        for (data, line), each in compared.found.items()
    ]


def _notes(compared: Differences, *, quick: bool) -> tuple[str, ...]:
    notes = [
        "Mean absolute error less that of the reference, in % of it: above 0 the reference is better.",
        f"In brackets the 95 % interval of a moving-block bootstrap over test windows (blocks of a day, or of a longer "
        f"horizon; {DRAWS} draws) of errors averaged over seeds; it does not cover the spread of seeds.",
    ]
    if compared.reference != compared.wanted:
        notes.insert(
            0,
            f"No run of “{compared.wanted}” is done, so this does not answer the question; the reference is "
            f"“{compared.reference}” instead.",
        )
    if not quick:
        notes.append(
            "Bold: the interval, every seed and Wilcoxon's signed-rank test over days agree (p < 0.05 after Holm's "
            f"correction for {len(compared.found)} comparisons); all else is open."
        )
    return tuple(notes)


def _cell(difference: Difference | None, *, quick: bool) -> Cell:
    if difference is None:
        return Cell(flags=("missing",))
    text = f"{difference.percent:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"
    bold = difference.significant and not quick
    return Cell(scores={"difference": Score(text=text.replace("-", MINUS), rank="best" if bold else "")})


def _counts(found: Sequence[Difference | None]) -> Cell:
    known = [each for each in found if each is not None]
    better = sum(each.significant and each.percent > 0 for each in known)
    worse = sum(each.significant and each.percent < 0 for each in known)
    return Cell(scores={"difference": Score(text=f"{better} / {worse} / {len(known) - better - worse}")})


def _base(key: tuple[Key, Key], reference: str, usable: Entries) -> tuple[Key, Key] | None:
    """The reference on the same data, with the same weights if there is a choice."""
    bases = [other for other in usable if other[0] == key[0] and _name(other) == reference]
    order = (_weights(key), *PREFERRED)
    return min(bases, key=lambda other: order.index(_weights(other)), default=None)


def _runs(entry: Entry) -> Runs:
    return {run["seed"]: unpack(dict(run["windows"]), f"the record {run['run_id']}") for run in entry.runs}


def _name(key: tuple[Key, Key]) -> str:
    return str(key[1][SPLIT_LINE.index("line")])


def _weights(key: tuple[Key, Key]) -> str:
    return str(key[1][SPLIT_LINE.index("weights")])
