"""What executors of several machines have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.runs.ends import End
from bench.runs.isolation import Row, Workers
from bench.runs.worker import Work, record_text


def carry_out(work: Work, threads: int) -> Iterator[Row | End]:
    """Carry out a run in a fresh process of this machine: its rows as they come, and then how the process ended."""
    said: list[Row | End] = []
    with Workers() as workers:
        workers.start(
            record_text,
            work,
            on_end=said.append,
            on_row=said.append,
            threads=threads,
            limit=work.time_limit,
            name=work.run.title,
        )
        while workers:
            workers.listen()
            yield from said
            said.clear()


def results_of(arguments: Iterable[object]) -> Path:
    """The results folder that one of the arguments of a function for ``Executor.beside`` names."""
    return next(Path(argument.results) for argument in arguments if hasattr(argument, "results"))
