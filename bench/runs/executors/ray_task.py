"""What happens on a machine of a Ray cluster, which may see nothing of the driver's files."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.catalog import own_files, registry
from bench.catalog.data import Catalog
from bench.errors import BenchError, ConfigError
from bench.records.saved import Kind, saved_path
from bench.runs.ends import End
from bench.runs.execution import failure_of
from bench.runs.executors.elsewhere import carry_out
from bench.runs.isolation import Row
from bench.runs.worker import Work, check_code

if TYPE_CHECKING:
    from bench.types import SpatioTemporalData

BEGUN: Final = "begun"
WANTS_DATA: Final = "wants data"
PIECE: Final = 2**23  # bytes of a file at a time


@dataclass(frozen=True)
class Piece:
    """A part of a file that a run has saved where the driver sees no file."""

    kind: Kind
    content: bytes
    last: bool


class SentCatalog(Catalog):
    """The data sets of a run that were sent to where neither their files nor the results folder are."""

    def __init__(self, sent: Iterable[SpatioTemporalData]) -> None:
        super().__init__(data_dir=None, cache=Path(os.devnull))
        self._sent = {data.identity.name: data for data in sent}

    def load(self, name: str) -> SpatioTemporalData:
        return self._sent[name]


def in_memory(data: SpatioTemporalData) -> SpatioTemporalData:
    """A data set that can be sent: its arrays in memory, if they were mapped from a file."""
    import numpy as np

    mask = None if data.mask is None else np.asarray(data.mask)
    return replace(data, values=np.asarray(data.values), mask=mask)


def made(work: Work, data: list[Any], threads: int, variables: Mapping[str, str]) -> Iterator[str | Row | Piece | End]:
    """What a task does, on whichever machine: tells that it has begun, then the rows, then how the run ended.

    Before the end come the files that it has saved, from a machine that does not see the results folder.
    """
    os.environ.update(variables)
    try:
        check_code(work.run)
        if not data and not _shares(work):
            yield WANTS_DATA
            return
    except BenchError:
        yield End("answer", failure_of(_other_code(work)))
        return
    yield BEGUN
    if not data:
        for said in carry_out(work, threads):
            yield said
        return
    import ray

    with tempfile.TemporaryDirectory() as scratch:
        work = replace(work, catalog=SentCatalog(ray.get(list(data))), results=Path(scratch), checkpoint=None)
        for said in carry_out(work, threads):
            if isinstance(said, End):
                yield from _files(work)
            yield said


def _files(work: Work) -> Iterator[Piece]:
    """What the run has saved, piece by piece; nothing if it failed."""
    for kind in work.saving.kinds:
        path = saved_path(work.results, work.run, kind)
        if path.is_file():
            with path.open("rb") as file:
                left = path.stat().st_size
                while content := file.read(PIECE):
                    left -= len(content)
                    yield Piece(kind, content, last=left == 0)


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
        return locked and all(work.catalog.identity(data.name) == data for data in work.run.spec.datasets)
    except BenchError:
        return False


def _other_code(work: Work) -> ConfigError:
    """What is wrong with the code here: a file of the user's own is not, or all of it is another version."""
    dataset, model, *sources = work.run.spec.behind
    for group, name in (("model", model), *(("dataset", name) for name in (dataset, *sources))):
        problem = registry.problem_of("model" if group == "model" else "dataset", name)
        if problem and own_files.variables() and (group == "model" or name in registry.dataset_names()):
            return ConfigError(
                f"the file of '{name}' cannot be used on {socket.gethostname()} ({problem}); put it, and what it "
                "imports beside it, into a folder that all machines of the cluster see"
            )
    return ConfigError(
        f"the code behind '{work.run.model}' on {socket.gethostname()} is not that of the driver; install the same "
        "version of the project on all machines of the cluster"
    )
