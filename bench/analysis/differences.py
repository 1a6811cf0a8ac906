"""How the lines of a table differ from its reference: who is compared with whom, as values and as a block of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.grouping import BLOCK, DATA, LINE, Entries, Entry, Key
from bench.analysis.stats.comparison import DRAWS, FEWEST_SEEDS, BySeed, Difference, compare, corrected
from bench.analysis.table import MARKS, MINUS, Block, Cell, Header, Score
from bench.records.window_errors import unpack
from bench.runs.layout import Layout

SPLIT_LINE = (*LINE, "split")
PREFERRED = ("pretrained", "none", "random")  # weights of a reference for a line of other weights


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One comparison.

    Attributes:
        weights: Of the reference.
        claimed: Whether it is significant and may be said so: on real data, and not in the quick profile.
    """

    difference: Difference
    weights: str
    claimed: bool


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
    found: Mapping[tuple[Key, Key], Compared]

    @property
    def name(self) -> str:
        """The reference, marked if its weights are random."""
        weights = {each.weights for each in self.found.values()}
        return f"“{self.reference}”" + (f" {MARKS['random_weights'][0]}" if "random" in weights else "")

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know first, if the reference is not the one wanted."""
        if self.reference == self.wanted:
            return ()
        return (f"No current run of “{self.wanted}” is there, so this does not answer the question.",)


def differences(place: Key, entries: Entries, layout: Layout) -> Differences | None:
    """Compare every variant of a block with the reference; None if there is nothing to compare.

    Raises:
        StoreError: If the window errors of a run cannot be read.
    """
    block = dict(zip(BLOCK, place, strict=True))
    variants = {line.name for line in layout.lines if line.variant}
    usable = {key: entry for key, entry in entries.items() if entry.ranked and _fact(key, "line") in variants}
    reference = next((name for name in layout.references if any(_fact(key, "line") == name for key in usable)), None)
    found: dict[tuple[Key, Key], Compared] = {}
    for data in dict.fromkeys(key[0] for key in usable):
        mine = [key for key in usable if key[0] == data]
        quiet = block["profile"] == "quick" or dict(zip(DATA, data, strict=True))["stand_in"]
        found |= _on_one(mine, usable, reference, horizon=block["horizon"], quiet=bool(quiet))
    if reference is None or not found:
        return None
    return Differences(reference=reference, wanted=layout.references[0], found=found)


def _on_one(
    mine: Sequence[tuple[Key, Key]], usable: Entries, reference: str | None, *, horizon: int, quiet: bool
) -> dict[tuple[Key, Key], Compared]:
    """The comparisons on one data set, corrected together."""
    bases = [key for key in mine if _fact(key, "line") == reference]
    others = [key for key in mine if _fact(key, "line") != reference]
    pairs = {key: base for key in others if (base := _base(key, bases)) is not None}
    raw: dict[tuple[Key, Key], Difference] = {}
    for base in dict.fromkeys(pairs.values()):
        keys = [key for key, other in pairs.items() if other == base]
        values = compare(_runs(usable[base]), [_runs(usable[key]) for key in keys], horizon=horizon)
        raw |= {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return {
        key: Compared(difference=each, weights=_fact(pairs[key], "weights"), claimed=each.significant and not quiet)
        for key, each in zip(raw, corrected(list(raw.values())), strict=True)
    }


def difference_block(
    scores: Block, data: Sequence[Key], lines: Sequence[Key], compared: Differences, entries: Entries, layout: Layout
) -> Block:
    """The differences as text, under the headers of the block of their scores, for what is compared at all."""
    shown = [number for number, line in enumerate(lines) if any((key, line) in compared.found for key in data)]
    places = [number for number, key in enumerate(data) if any((key, line) in compared.found for line in lines)]
    keys = [[(data[place], lines[number]) for number in shown] for place in places]
    real = [data[place] for place in places if not dict(zip(DATA, data[place], strict=True))["stand_in"]]
    counts = tuple(_counts([compared.found.get((key, lines[number])) for key in real]) for number in shown)
    return Block(
        title=" ".join(f"{layout.question} Difference from {compared.name}. {scores.title}".split()),
        notes=notes(compared),
        datasets=(*(scores.datasets[place] for place in places), Header(name="reference better / worse / open")),
        models=tuple(scores.models[number] for number in shown),
        cells=(*(tuple(_cell(key, compared, entries) for key in row) for row in keys), counts),
        metrics={"difference": "MAE, % more than the reference"},
        models_down=True,
    )


def difference_rows(place: Key, compared: Differences) -> list[dict[str, Any]]:
    """One row per comparison at full precision."""
    return [
        {
            **dict(zip((*BLOCK, *DATA, *SPLIT_LINE), (*place, *data, *line), strict=True)),
            "reference": compared.reference,
            "reference_weights": each.weights,
            **{name: getattr(each.difference, name) for name in ("percent", "low", "high", "days", "p", "holm")},
            "claimed": each.claimed,
            "seeds": ";".join(f"{seed}:{value:.6g}" for seed, value in each.difference.seeds.items()),
        }
        for (data, line), each in compared.found.items()
    ]


def notes(compared: Differences) -> tuple[str, ...]:
    """What a reader must know of the differences."""
    found = [
        "Mean absolute error less that of the reference, in % of it: above 0 the reference is better.",
        "In brackets the 95 % interval of a moving-block bootstrap over test windows (blocks of a day or more, "
        f"{DRAWS} draws) of errors averaged over the seeds that both have; it does not cover the spread of seeds.",
        f"Bold, and counted: real data, no quick profile, {FEWEST_SEEDS} seeds or more, and the interval, every seed "
        "and Wilcoxon's signed-rank test over days agree (p < 0.05 after Holm's correction on each data set); all "
        "else is open.",
    ]
    found = [*compared.caveats, *found]
    short = {key[0][0]: each for key, each in compared.found.items() if not each.difference.testable}
    if few := sorted(name for name, each in short.items() if len(each.difference.seeds) >= FEWEST_SEEDS):
        found.append(f"Too few days for the test to reach p < 0.05, whatever the truth: {', '.join(few)}.")
    if len({each.weights for each in compared.found.values()}) > 1:
        found.append("A line is compared with the reference of its own weights where there are several.")
    return tuple(found)


def _cell(key: tuple[Key, Key], compared: Differences, entries: Entries) -> Cell:
    entry, found = entries.get(key), compared.found.get(key)
    if entry is None:
        return Cell(flags=("missing",))
    if found is None:
        return Cell(flags=entry.flags) if entry.flags else Cell(scores={"difference": Score(text="no reference")})
    each = found.difference
    text = " ".join((_signed(each.percent), f"[{_signed(each.low)}, {_signed(each.high)}]"))
    count = f" (n={len(each.seeds)})" if len(each.seeds) < FEWEST_SEEDS else ""
    score = Score(text=text + count, rank="best" if found.claimed else "", flags=entry.flags)
    return Cell(scores={"difference": score})


def _signed(value: float) -> str:
    """One decimal, and a sign unless it is 0."""
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def _counts(found: Sequence[Compared | None]) -> Cell:
    known = [each for each in found if each is not None]
    better = sum(each.claimed and each.difference.percent > 0 for each in known)
    worse = sum(each.claimed and each.difference.percent < 0 for each in known)
    return Cell(scores={"difference": Score(text=f"{better} / {worse} / {len(known) - better - worse}")})


def _base(key: tuple[Key, Key], bases: Sequence[tuple[Key, Key]]) -> tuple[Key, Key] | None:
    """The reference of the same settings, if these are told apart, and of the same weights if there is a choice."""
    alike = [base for base in bases if len(bases) == 1 or _fact(base, "split") in ("", _fact(key, "split"))]
    order = {weights: rank for rank, weights in enumerate((_fact(key, "weights"), *PREFERRED)[::-1])}
    return max(alike, key=lambda base: order.get(_fact(base, "weights"), -1), default=None)


def _runs(entry: Entry) -> BySeed:
    return {run["seed"]: unpack(dict(run["windows"]), f"the record {run['run_id']}") for run in entry.runs}


def _fact(key: tuple[Key, Key], name: str) -> str:
    return str(key[1][SPLIT_LINE.index(name)])
