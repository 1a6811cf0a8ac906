"""Files that come back piece by piece from machines that do not see the results folder."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from bench.errors import StoreError
from bench.files import atomic_write
from bench.records.saved import Kind, saved_path

if TYPE_CHECKING:
    from bench.runs.executors.ray_task import Piece
    from bench.runs.worker import Work


class Arriving:
    """Puts pieces together; a file takes its place in the results folder with its last piece, or goes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, Kind], tuple[IO[bytes], ExitStack]] = {}  # by run id

    def take(self, work: Work, piece: Piece) -> None:
        """Write a piece behind those that have come of its file.

        Raises:
            StoreError: If it cannot be written.
        """
        key = (work.run.run_id, piece.kind)
        path = saved_path(work.results, work.run, piece.kind)
        try:
            if key not in self._open:
                files = ExitStack()
                part = files.enter_context(atomic_write(path))
                self._open[key] = files.enter_context(part.open("wb")), files
            stream, files = self._open[key]
            stream.write(piece.content)
            if piece.last:
                del self._open[key]
                files.close()
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written ({error.strerror or error}); check the folder's space and rights"
            ) from error

    def forget(self, run_id: str) -> None:
        """Drop what has come of files of a run that are not whole."""
        for key in [key for key in self._open if key[0] == run_id]:
            _, files = self._open.pop(key)
            with suppress(EOFError), files:
                raise EOFError("the rest of the file never came")

    def forget_all(self) -> None:
        """Drop all that is not whole."""
        for run_id in {run_id for run_id, _ in self._open}:
            self.forget(run_id)
