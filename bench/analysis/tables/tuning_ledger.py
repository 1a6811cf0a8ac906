"""What tuning gave every model and what came of it: a table of the files of tuned settings, and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.results import Runs
from bench.analysis.table import Block, Cell, Flag, Header, Score, Table
from bench.analysis.tables.scores import Overview, check_tables, write_tables
from bench.runs.tuned import Found, Tuned, TunedFolder

NAME = "tuning_ledger"
COLUMNS = ("asked", "finished", "pruned", "failed", "seconds", "default", "best", "fixed", "by hand")
TEXTS = ("task", "protocol", "profile", "fixed", "asked", "finished", "pruned", "failed", "seconds")
LONG = ("dataset", "model", *TEXTS, "default_mae", "best_mae", "edited", "weights", "stand_in", "study")

Row = tuple[str, str, Tuned]


def make_ledger(rows: Sequence[Row]) -> Table:
    """The ledger of files of tuned settings, a block for each task, protocol and profile."""
    import pandas as pd

    places = dict.fromkeys(_place(tuned.found) for _, _, tuned in rows)
    blocks = [_block(place, [row for row in rows if _place(row[2].found) == place]) for place in sorted(places)]
    return Table(
        name=NAME,
        title="What tuning gave every model, and what it found",
        blocks=tuple(blocks),
        long=pd.DataFrame([_long(row) for row in rows], columns=list(LONG)),
    )


def write_ledger(results: Path, origin: Path | None = None) -> list[Path]:
    """Write the ledger, or remove it where there is nothing to tell; returns the files.

    Args:
        results: Where its files go.
        origin: The results folder with the tuned settings, if that is another one.

    Raises:
        ConfigError, StoreError: If a file of tuned settings does not validate, or the ledger cannot be written.
    """
    import pandas as pd

    return write_tables(Runs(pd.DataFrame()), results / "tables", (), [_overview(origin or results)])


def differing(results: Path, origin: Path | None = None) -> list[Path]:
    """The files that ``write_ledger`` would change, make or remove."""
    import pandas as pd

    return check_tables(Runs(pd.DataFrame()), results / "tables", (), [_overview(origin or results)])


def _overview(results: Path) -> Overview:
    """The ledger as the tables' writer wants it; it sees no records."""
    rows = list(TunedFolder(results).files())
    return lambda _: make_ledger(rows)


def _place(found: Found | None) -> tuple[str, str, str]:
    return (found.task, found.protocol, found.profile) if found else ("", "", "")


def _block(place: tuple[str, str, str], rows: Sequence[Row]) -> Block:
    task, protocol, profile = place
    title = f"Task {task}, protocol {protocol}, profile {profile}" if task else "Written by hand"
    return Block(
        title=title,
        notes=(
            "Finished trials are complete or pruned ones; failed ones ended with an error. Seconds are those of all of "
            "them. Default and best are validation MAE: of the default settings, and of those found.",
        ),
        datasets=tuple(_header(row) for row in rows),
        models=tuple(Header(name=name) for name in COLUMNS),
        cells=tuple(_cells(tuned) for _, _, tuned in rows),
        metrics={"ledger": "data set / model"},
    )


def _header(row: Row) -> Header:
    dataset, model, tuned = row
    found = tuned.found
    flags: tuple[Flag, ...] = ("stand_in",) if found and found.stand_in else ()
    flags += ("random_weights",) if found and found.weights == "random" else ()
    return Header(name=f"{dataset} / {model}", flags=flags)


def _cells(tuned: Tuned) -> tuple[Cell, ...]:
    found, by_hand = tuned.found, "yes" if tuned.edited else ""
    if found is None:
        return tuple(_cell(by_hand if name == "by hand" else "") for name in COLUMNS)
    default = "" if found.default_mae is None else f"{found.default_mae:.4g}"
    counts = (found.asked, str(found.finished), str(found.pruned), str(found.failed), f"{found.seconds:.0f}")
    return tuple(_cell(text) for text in (*counts, default, f"{found.best_mae:.4g}", ", ".join(found.fixed), by_hand))


def _cell(text: str) -> Cell:
    return Cell(scores={"ledger": Score(text=text)})


def _long(row: Row) -> dict[str, object]:
    dataset, model, tuned = row
    facts = tuned.found.model_dump() if tuned.found else {}
    facts |= {"fixed": "; ".join(facts.get("fixed", ())), "edited": tuned.edited}
    return {"dataset": dataset, "model": model, **{name: facts.get(name) for name in LONG[2:]}}
