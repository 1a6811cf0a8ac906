"""What happens on a machine of a Ray cluster, which may see nothing of the driver's files."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.catalog.data import Catalog
from bench.errors import BenchError, ConfigError
from bench.runs.execution import failure_of
from bench.runs.executors.elsewhere import carry_out
from bench.runs.isolation import End, Row
from bench.runs.worker import Work, check_code

if TYPE_CHECKING:
    from bench.types import SpatioTemporalData

BEGUN: Final = "begun"
WANTS_DATA: Final = "wants data"


class SentCatalog(Catalog):
    """One data set that was sent to where neither its files nor the results folder are."""

    def __init__(self, data: SpatioTemporalData) -> None:
        import numpy as np

        super().__init__(data_dir=None, cache=Path(os.devnull))
        arrays = {"values": np.asarray(data.values), "mask": None if data.mask is None else np.asarray(data.mask)}
        self._data = replace(data, **arrays)  # type: ignore[arg-type] # in memory, if they were mapped from a file

    def load(self, name: str) -> SpatioTemporalData:  # noqa: ARG002 - there is one
        return self._data


def made(work: Work, data: list[Any], threads: int, variables: Mapping[str, str]) -> Iterator[str | Row | End]:
    """What a task does, on whichever machine: tells that it has begun, then the rows, then how the run ended."""
    os.environ.update(variables)
    try:
        check_code(work.run)
        if data:
            import ray

            work = replace(work, catalog=ray.get(data[0]), checkpoint=None)
        elif not _shares(work):
            yield WANTS_DATA
            return
    except ConfigError:
        yield End("answer", failure_of(_other_code(work)))
        return
    yield BEGUN
    for said in carry_out(work, threads):  # noqa: UP028 - Ray sends into this generator
        yield said


def helped(
    function: Callable[..., None], arguments: tuple[Any, ...], folder: Path, witness: Path, variables: Mapping[str, str]
) -> None:
    """Call a function that works in the results folder, in the driver's current folder."""
    if not witness.exists():
        raise ConfigError(
            f"{socket.gethostname()} does not see {witness.parent}; all machines must share a results folder for tuning"
        )
    os.environ.update(variables)
    os.chdir(folder)
    function(*arguments)


def _shares(work: Work) -> bool:
    """Whether this machine sees the driver's results folder, by its lock of the run, and the same data."""
    locked = (work.results / "locks" / f"{work.run.run_id}.lock").exists()
    try:
        return locked and work.catalog.identity(work.run.dataset) == work.run.spec.data
    except BenchError:
        return False


def _other_code(work: Work) -> ConfigError:
    return ConfigError(
        f"the code behind '{work.run.model}' on {socket.gethostname()} is not that of the driver; install the same "
        "version of the project on all machines of the cluster"
    )
