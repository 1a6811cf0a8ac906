"""The command ``status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.markup import escape

from bench.cli.console import grid
from bench.cli.options import PlanOptions, say_unread, with_options
from bench.cli.terminal import Console
from bench.plain_text import counted

COLOURS = {"done": "green", "stale": "yellow", "failed": "red", "missing": "dim"}


@with_options(PlanOptions, without=("weights_dir", "tracking_uri", "track"))
def status(*, options: PlanOptions) -> None:
    """Count done, stale, failed and missing runs of a suite, by data set and method."""
    from bench.records.store import ResultStore
    from bench.runs.status import plan_status

    suite = options.chosen_suite
    plan = options.plan(suite, options.catalog)
    unread: list[str] = []
    glances = ResultStore(options.results).glances(lambda error: unread.append(str(error)))
    counts, reasons = plan_status(plan, glances)
    say_unread(unread)
    console = Console()
    texts = {key: _states(by_state) for key, by_state in counts.items()}
    console.print(grid(texts, f"{suite.title}, profile {options.profile}"))
    total = sum(counts.values(), Counter[str]())
    console.print(f"{counted(len(plan), 'run')}: {_states(total)}", highlight=False)
    for (dataset, method), messages in reasons.items():
        for reason in messages:
            console.print(f"[red]✗ {dataset} / {method}:[/red] {escape(reason)}", highlight=False, soft_wrap=True)


def _states(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"[{colour}]{counts[state]} {state}[/{colour}]" for state, colour in COLOURS.items() if counts.get(state)
    )
