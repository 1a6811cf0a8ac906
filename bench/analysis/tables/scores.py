"""Tables as pure functions of the runs of a frame, and the files they are written to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

from bench.analysis.differences import Differences, difference_block, difference_rows
from bench.analysis.grouping import BLOCK, DATA, LINE, METRICS, Entries, Entry, Key, Row
from bench.analysis.results import Runs
from bench.analysis.table import MARKS, SHOWN, Block, Cell, Flag, Header, Rank, Score, Table
from bench.analysis.tables.published import published_block
from bench.errors import StoreError
from bench.files import whole
from bench.runs.layout import Layout

LONG = ("dataset", *LINE[1:], "settings", *BLOCK, "metric", "mean", "std", "n", *DATA[1:], "flags")
WIDEST = 8  # more models than this run down the page
Overview = Callable[[Runs], Table]


def make_table(runs: Runs, layout: Layout) -> Table:
    """Build the table of a layout.

    Raises:
        StoreError: If window errors that are to be compared cannot be read.
    """
    import pandas as pd

    found, compared = runs.cells(layout), runs.differences(layout)
    long = [row for place, entries in found.items() for row in _long_rows(place, entries)]
    rows = [row for place, each in compared.items() for row in difference_rows(place, each)]
    return Table(
        name=layout.name,
        title=layout.title,
        blocks=tuple(
            block for place, entries in found.items() for block in _blocks(place, entries, compared.get(place), layout)
        ),
        long=pd.DataFrame(long, columns=list(LONG)),
        differences=pd.DataFrame(rows).drop(columns=["order", "split"]) if rows else None,
    )


def write_tables(runs: Runs, folder: Path, layouts: Sequence[Layout], overviews: Sequence[Overview] = ()) -> list[Path]:
    """Write ``<name>.md``, ``.tex`` and ``.csv`` of every table that has rows, and remove those of a table without.

    A table that compares has ``<name>_differences.csv``, too. ``overviews`` are tables that no suite has alone.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    files = _files(runs, layouts, overviews)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if text is None:
                (folder / name).unlink(missing_ok=True)
            else:
                _write(folder / name, text)
    except OSError as error:
        raise StoreError(
            f"the tables cannot be written to {folder} ({error}); check the folder's space and rights"
        ) from error
    return [folder / name for name, text in files.items() if text is not None]


def check_tables(runs: Runs, folder: Path, layouts: Sequence[Layout], overviews: Sequence[Overview] = ()) -> list[Path]:
    """The files in ``folder`` that ``write_tables`` would change, create or remove."""
    files = _files(runs, layouts, overviews)
    return [
        folder / name
        for name, text in files.items()
        if _bytes(folder / name) != (None if text is None else text.encode())
    ]


def _files(runs: Runs, layouts: Sequence[Layout], overviews: Sequence[Overview]) -> dict[str, str | None]:
    files: dict[str, str | None] = {}
    for table in (*(make_table(runs, layout) for layout in layouts), *(make(runs) for make in overviews)):
        texts = {".md": table.to_markdown(), ".tex": table.to_latex(), ".csv": table.to_csv()}
        files |= {table.name + ending: text if table.blocks else None for ending, text in texts.items()}
        files[f"{table.name}_differences.csv"] = table.differences_csv()
    return files


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(path: Path, text: str) -> None:
    with whole(path) as part:
        part.write_bytes(text.encode())


def _blocks(place: Key, entries: Entries, compared: Differences | None, layout: Layout) -> list[Block]:
    """The scores, and behind them the differences and the published numbers if there are any."""
    facts = dict(zip(BLOCK, place, strict=True))
    data = sorted({data for data, _ in entries})
    floors = {line for (_, line), entry in entries.items() if entry.floor}
    ordered = sorted({line for _, line in entries}, key=lambda line: (line not in floors, line))
    seeds = max(entry.seeds for entry in entries.values())
    quick = facts["profile"] == "quick"
    names = {line[LINE.index("line")] for line in ordered}
    absent = [line.name for line in layout.lines if line.variant and line.name not in names]
    scores = Block(
        title=block_title(place),
        notes=(*_notes(seeds, quick=quick), *([f"Not run: {'; '.join(absent)}."] if absent else [])),
        datasets=dataset_headers(data),
        models=line_headers(ordered, floors),
        cells=tuple(_cells({line: entries.get((key, line)) for line in ordered}, seeds, quick=quick) for key in data),
        models_down=bool(layout.lines) or len(ordered) > WIDEST,
    )
    beside = published_block(place, entries, layout.published, scores.title) if layout.published else None
    against = difference_block(scores, data, ordered, compared, entries, layout) if compared else None
    return [block for block in (scores, against, beside) if block is not None]


def block_title(key: Key) -> str:
    """What all runs of a block share."""
    place = dict(zip(BLOCK, key, strict=True))
    parts = [
        f"Task {place['task']}: {place['history']} → {place['horizon']} steps",
        f"protocol {place['protocol']}",
        f"profile {place['profile']}",
    ]
    parts += [f"first {place['fraction'] * 100:g} % of the training windows"] if place["fraction"] < 1 else []
    parts += ["scaler fitted on all data (leaky)"] if place["leaky_scaler"] else []
    parts += ["forecasts clamped to the data's range"] if place["clamp"] else []
    parts += [f"all with {changes}" for changes in (place["base"], place["recipe"]) if changes]
    return ", ".join(parts)


def _notes(seeds: int, *, quick: bool) -> tuple[str, ...]:
    spread = f"Mean ± sample standard deviation over {seeds} seeds, (n=k) where there are fewer."
    counted = spread if seeds >= 2 else "One seed." if seeds else "No run is done."
    ranks = "Best in bold, second underlined, ties at the printed precision neither."
    if quick:
        ranks = (
            "Quick profile: the budgets are small, so the ranks mean nothing and none is marked; use `--profile paper`."
        )
    return counted, "Floors in italics; they are not trained.", ranks


def dataset_headers(keys: Sequence[Key]) -> tuple[Header, ...]:
    """The names of data sets by their keys in ``Entries``."""
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


def line_headers(keys: Sequence[Key], floors: Container[Key] = ()) -> tuple[Header, ...]:
    """The names of lines by their keys in ``Entries``, told apart by weights and settings where they must be."""
    headers = []
    for key in keys:
        _, line, model, variant, weights, split = key
        several = len({other[4] for other in keys if other[:4] == key[:4]}) > 1
        details = [variant] if variant and line == model else []
        details += [weights] if several else []
        details += [f"settings {split}"] if split else []
        name = line + (f" ({', '.join(details)})" if details else "")
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
    places = digits(min((entry.mean(metric) for entry in shown.values()), default=1.0))
    printed = {key: f"{entry.mean(metric):.{places}f}" for key, entry in shown.items()}
    ranks = {} if quick else best_two({key: float(text) for key, text in printed.items() if shown[key].ranked})
    return {
        key: Score(
            text=printed[key] + _spread(entry, metric, places, seeds),
            rank=ranks.get(key, ""),
            flags=entry.flags_of(metric),
        )
        for key, entry in shown.items()
    }


def _spread(entry: Entry, metric: str, digits: int, seeds: int) -> str:
    if entry.floor:  # it is not trained, so there is nothing to spread
        return ""
    deviation = f" ± {entry.std(metric):.{digits}f}" if entry.seeds >= 2 else ""
    return deviation + (f" (n={entry.seeds})" if entry.seeds < seeds else "")


def digits(best: float) -> int:
    """Decimals that show three digits of the best value, two at least."""
    return 2 if best >= 1 or best <= 0 else min(6, 2 - math.floor(math.log10(best)))


def best_two(values: Mapping[Key, float]) -> dict[Key, Rank]:
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
