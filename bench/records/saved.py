"""Where a results folder keeps what a run was asked to save beside its record: its forecasts and its weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["forecasts", "weights"]
ENDINGS: Final[dict[Kind, str]] = {"forecasts": ".npz", "weights": ".safetensors"}


class Named(Protocol):
    """A planned run, or a record."""

    @property
    def dataset(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def run_id(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What is to be saved of each run, beside its record."""

    forecasts: bool = False
    weights: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in ENDINGS if getattr(self, kind))

    def lacking(self, results: Path, runs: Iterable[Named]) -> dict[Kind, list[Named]]:
        """Of these runs those of which it is not there, by kind; kinds that lack nothing are left out."""
        named = list(runs)
        absent = {kind: [run for run in named if not saved_path(results, run, kind).exists()] for kind in self.kinds}
        return {kind: some for kind, some in absent.items() if some}


NOTHING: Final = Saving()


def saved_path(results: Path, run: Named, kind: Kind) -> Path:
    """Beside ``runs``, and laid out as it: ``forecasts/<data set>/<model>/<run id>.npz``."""
    return results / kind / run.dataset / run.model / f"{run.run_id}{ENDINGS[kind]}"
