"""Tables over several suites, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bench.analysis.results import Runs
from bench.analysis.table import Table
from bench.analysis.tables import efficiency as cost_table
from bench.analysis.tables import per_horizon as step_table
from bench.analysis.tables import ranks as rank_table
from bench.analysis.tables.scores import Overview
from bench.runs.layout import Layout

MAKERS: Mapping[str, Callable[[Runs, Sequence[Layout]], Table]] = {
    rank_table.NAME: rank_table.make_ranks,
    cost_table.NAME: cost_table.make_efficiency,
    step_table.NAME: step_table.make_per_horizon,
}


def overviews(names: Sequence[str], layouts: Sequence[Layout]) -> list[Overview]:
    """The named tables, of the runs of these layouts; names that are none of them are passed over."""
    return [partial(_made, name, tuple(layouts)) for name in names if name in MAKERS]


def _made(name: str, layouts: Sequence[Layout], runs: Runs) -> Table:
    return MAKERS[name](runs, layouts)
