"""What tables, figures and the command line make of studies: the ledger and the figures, from files or from MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from bench.tuning.study import Study

NAMES: Final = ("tuning_ledger", "tuning")
"""How the ledger and the figures are asked for; in either command both names will do."""


def others(names: Sequence[str]) -> list[str]:
    """The names that are not about tuning."""
    return [name for name in names if name not in NAMES]


def is_named(names: Sequence[str]) -> bool:
    """Whether tuning is among what was asked for; it is if nothing was named."""
    return not names or any(name in NAMES for name in names)


def write_studies(results: Path, what: Literal["tables", "figures", "both"], source: str | None) -> list[Path]:
    """Write the ledger ("tables", "both") or draw every study ("figures"); returns the files.

    Raises:
        ConfigError, StoreError, TrackingError: If a study cannot be read, or nothing can be written.
    """
    from bench.analysis.tables.tuning_ledger import write_ledger

    with origin(results, source) as folder:
        return draw(results, folder) if what == "figures" else write_ledger(results, folder)


def draw(results: Path, folder: Path) -> list[Path]:
    """The figures of every study of a results folder, into another or the same; those of studies that are gone go."""
    from bench.analysis.figures.tuning import write_study_figures

    return write_study_figures(by_figure(folder), results / "figures", alone=True)


def by_figure(folder: Path) -> dict[str, Study]:
    """Every study of a results folder, by the name of its figure."""
    from bench.tuning.study import stem
    from bench.tuning.trials import studies

    return {stem(each.dataset, each.model, each.task): each for each in studies(folder)}


def differing_ledger(results: Path, source: str | None) -> list[Path]:
    """The files of the ledger that would change."""
    from bench.analysis.tables.tuning_ledger import differing

    with origin(results, source) as folder:
        return differing(results, folder)


@contextmanager
def origin(results: Path, source: str | None) -> Iterator[Path]:
    """A results folder with the tuned settings and trials: the user's, or one filled from MLflow."""
    if source is None:
        yield results
        return
    import tempfile

    from bench.tuning.tracking import fetch_studies

    with tempfile.TemporaryDirectory() as folder:
        fetch_studies(source.removeprefix("mlflow:"), Path(folder))
        yield Path(folder)
