"""The command ``status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from bench.cli.console import grid, print_json, say_altered, say_unread
from bench.cli.looking import cache_in
from bench.cli.option_groups import with_options
from bench.cli.options import AsJson, PlanOptions, use_weights_dir
from bench.cli.plan import heading, show_left_out
from bench.cli.terminal import Console
from bench.errors import BenchError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.runs.suite import Suite

COLOURS = {
    "done": "green",
    "stale": "yellow",
    "failed": "red",
    "running": "cyan",
    "queued": "cyan",
    "to do": "dim",
}


@with_options(PlanOptions, without=("tracking_uri", "track"))
def status(*, options: PlanOptions, as_json: AsJson = False) -> None:
    """Count the runs of a suite that are done, stale, failed, under way or to do, by data set and method.

    Exit code 0: all are counted. 1: some data cannot be read. 2: the command is wrong, or no data can be read.
    """
    from bench.analysis.sums import alterations
    from bench.records.store import ResultStore
    from bench.runs.status import other_settings, plan_status
    from bench.runs.under_way import under_way

    if not options.results.is_dir():
        note = f"there is no results folder {options.results} yet; --results names another"
        Console(stderr=True).print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    use_weights_dir(options.weights_dir)
    suite = options.chosen_suite
    left_out: dict[str, BenchError] = {}
    with cache_in(options.results) as cache:
        plan = options.plan(suite, replace(options.catalog, cache=cache), left_out)
    unread: list[str] = []
    glances = list(ResultStore(options.results).glances(lambda error: unread.append(str(error))))
    counts, reasons = plan_status(plan, glances, under_way(options.results))
    others, names = other_settings(plan, glances)
    say_unread(unread)
    say_altered(alterations(options.results))
    show_left_out(Console(stderr=True), left_out)
    if as_json:
        _print_json(suite, options.profile, counts, reasons, others, left_out)
    else:
        _print(f"{heading(suite, plan)}, profile {options.profile}", counts, reasons, others, names)
    if left_out:
        raise typer.Exit(1)


def _print(
    title: str,
    counts: Mapping[tuple[str, str], Counter[str]],
    reasons: Mapping[tuple[str, str], list[str]],
    others: int,
    names: Sequence[str],
) -> None:
    console = Console()
    texts = {key: _states(by_state) for key, by_state in counts.items()}
    console.print(grid(texts, title))
    total = sum(counts.values(), Counter[str]())
    console.print(f"{counted(total.total(), 'run')}: {_states(total)}", highlight=False)
    for (dataset, method), messages in reasons.items():
        for reason in messages:
            console.print(f"[red]✗ {dataset} / {method}:[/red] {escape(reason)}", highlight=False, soft_wrap=True)
    if others:
        console.print(
            f"[dim]{counted(others, 'finished run')} of these data sets and models {'has' if others == 1 else 'have'} "
            f"other settings ({', '.join(names)}); another {_ways(names)} counts them[/dim]",
            highlight=False,
            soft_wrap=True,
        )


def _ways(names: Sequence[str]) -> str:
    """The options by which runs that differ in these settings can be counted."""
    weights, rest = "--weights-dir (or $STBENCH_WEIGHTS)", "--profile, --task, --seed or --set"
    if "weights_sha256" not in names:
        return rest
    return weights if len(names) == 1 else f"{weights}, {rest}"


def _print_json(
    suite: Suite,
    profile: str,
    counts: Mapping[tuple[str, str], Mapping[str, int]],
    reasons: Mapping[tuple[str, str], list[str]],
    others: int,
    left_out: Mapping[str, BenchError],
) -> None:
    methods = [
        {
            "dataset": dataset,
            "method": method,
            **_named(by_state),
            "errors": reasons.get((dataset, method), []),
        }
        for (dataset, method), by_state in counts.items()
    ]
    total = sum((Counter(by_state) for by_state in counts.values()), Counter[str]())
    runs = {"runs": total.total(), **_named(total), "other_settings": others}
    unread = {what: str(why) for what, why in left_out.items()}
    print_json({"suite": suite.name, "profile": profile, **runs, "left_out": unread, "methods": methods})


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    """By the names that a program reads, such as "to_do"."""
    return {state.replace(" ", "_"): counts.get(state, 0) for state in COLOURS}


def _states(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"[{colour}]{counts[state]} {state}[/{colour}]" for state, colour in COLOURS.items() if counts.get(state)
    )
