"""Every error a user can cause, in one tree.

A message is one sentence that says what, found, wanted and what to do. The command line prints it without a
traceback and exits with code 2.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from traceback import extract_tb, format_list
from typing import Final

from bench.plain_text import listed, printable

OURS: Final = f"{Path(__file__).resolve().parent}{os.sep}"
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_SPACE: Final = (
    "space on the disk may be out, or a quota or a limit of file sizes; make room, then the same command goes on"
)


class BenchError(Exception):
    """Base of all errors that are the user's to mend; nothing in a message gives orders to a terminal."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(text) if isinstance(text, str) else text for text in arguments))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows, by IPython's protocol: the lines of its own that led here, and none of ours."""
        frames = takewhile(lambda frame: not frame.filename.startswith(OURS), extract_tb(self.__traceback__))
        own = [frame for frame in frames if "IPython" not in Path(frame.filename).parts]
        return [*"".join(format_list(own)).splitlines(), f"{type(self).__name__}: {self}"]


class UnknownNameError(BenchError):
    """A name that no registry knows; the message suggests the nearest known one and names all."""

    def __init__(self, what: str, name: str, known: Iterable[str], *notes: str) -> None:
        choices = sorted(known)
        near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
        hint = [f"did you mean '{near[0]}'?"] if near else []
        names = f"known: {listed(choices) or 'none'}"
        super().__init__("; ".join([" ".join([f"there is no {what} named '{name}';", *hint, names]), *notes]))


class ConfigError(BenchError):
    """A setting, suite or card that does not validate."""


class MissingPackageError(BenchError):
    """A package that is not installed, of an extra that the message names."""


class DataError(BenchError):
    """A raw file that is absent, broken or not what its card says."""


class TaskError(BenchError):
    """A data set that cannot carry the requested task, such as a split too short for one window."""


class TransferError(BenchError):
    """A model whose trained weights are those of one grid, so that no other city can use them."""


class LeakError(BenchError):
    """An attempt to read test targets where the protocol forbids it."""


class DeviceError(BenchError):
    """A device that was asked for and is not there."""


class WeightsError(BenchError):
    """Pre-trained weights that are neither cached, nor local, nor reachable."""


class HubUnreachableError(WeightsError):
    """A hub that does not answer, or must not be asked, so that it has no other file for us either."""


class TrainingError(BenchError):
    """A training run that cannot give a result, such as a loss that is not finite."""


class ForecastError(BenchError):
    """A forecast that is not what was asked for: of another kind, shape or type, or not finite."""


class AuditError(BenchError):
    """A model whose forecast of a window depends on more than the window."""


class WorkerError(BenchError):
    """A worker process that ended before its run did."""


class TimeLimitError(BenchError):
    """A run or a trial that took longer than it may."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(
            f"it took longer than the time limit of {seconds:g} s and was ended; look where the model waits, or give a "
            "larger --time-limit, or time_limit=, with which a run goes on from its last epoch"
        )


class StoreError(BenchError):
    """A result record or results folder that cannot be read or written."""


class NoSpaceError(StoreError):
    """A file that cannot be written, most likely for want of space."""


class RecordError(StoreError):
    """A file where records are that is none which can be read here.

    Attributes:
        what: The sentence without its remedy.
    """

    def __init__(self, what: str, remedy: str = "'stbench run' makes it again") -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = printable(what)


class TrackingError(BenchError):
    """An MLflow store that cannot be read; writing to one never fails a run."""


def unwritten(what: str, error: Exception) -> StoreError:
    """The error that says that a file, with its path in ``what``, cannot be written, and what may help."""
    if isinstance(error, OSError) and error.errno not in (None, *FULL):
        return StoreError(
            f"{what} cannot be written ({error.strerror or error}); check the folder's rights, or name another, "
            "such as by --results or results="
        )
    return NoSpaceError(f"{what} cannot be written: {NO_SPACE}")


def is_installed(package: str) -> bool:
    """Whether a top-level package can be imported; it is not imported."""
    return find_spec(package) is not None


def require(package: str, extra: str, user: str) -> None:
    """Refuse what needs a package that is not installed.

    Args:
        package: Its import name.
        extra: The extra of this project that brings it, as in pyproject.toml.
        user: What needs it, as the first words of the message, such as "stbench tune".

    Raises:
        MissingPackageError: If it is not installed.
    """
    if not is_installed(package):
        raise MissingPackageError(
            f"{user} needs {package}, which is not installed; pip install 'st-vfm-bench[{extra}]'"
        )
