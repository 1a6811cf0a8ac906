"""Which groups of a suite are shown: those that say something of what the suite asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace

from bench.analysis.groups import DataKey, Group, GroupKey
from bench.catalog import registry
from bench.catalog.titles import model_title
from bench.errors import ConfigError, UnknownNameError
from bench.runs.plan import task_settings
from bench.runs.profiles import PROFILES
from bench.runs.published import Published
from bench.runs.suite import Method, Suite
from bench.settings import TASKS

FEWEST_VARIANTS = 2  # that make a group of a suite that compares


def kept(groups: Mapping[GroupKey, Group], suite: Suite) -> Mapping[GroupKey, Group]:
    """Those that ``Results.groups`` describes."""
    if (published := suite.published_table) is not None:
        groups = {key: group for key, group in groups.items() if comparable_data(group, published)}
    worth = _worthwhile(groups, suite) if suite.compares_variants else groups
    return _beside_shares(groups, worth, suite)


def title_of(suite: Suite, tasks: Iterable[str]) -> str:
    """The title of a suite, with the tasks that are meant where these are not all of its own."""
    meant = dict.fromkeys(tasks)
    if not meant or meant.keys() == {*suite.tasks}:
        return suite.title
    return f"{suite.title} ({'task' if len(meant) == 1 else 'tasks'} {', '.join(meant)})"


def title_of_groups(suite: Suite, groups: Iterable[GroupKey]) -> str:
    """Likewise, of the tasks that these groups are of."""
    there = {key.task for key in groups}
    return title_of(suite, (task for task in suite.tasks if task in there))


def not_run_note(group: Group, suite: Suite) -> str:
    """A sentence on the rows of a suite that a group lacks; empty if it has all.

    A suite of all models lacks those of ours that its plan would have, and only where its reference was run as the
    suite has it, in a profile that lets something be claimed. All else is a choice of whoever ran it.
    """
    rows = suite.methods or (_all_models(group.key) if _is_the_suites(group, suite) else ())
    absent = not_run(group, rows)
    return f"Not run: {absent}." if absent else ""


def not_run(group: Group, rows: Iterable[Method]) -> str:
    """Those of the rows of a suite that a group lacks, in a text."""
    there = {method.name for method in group.methods if not method.external}
    absent = (row for row in rows if row.name not in there)
    return "; ".join(model_title(row.model) if row.name == row.model else row.name for row in absent)


def _is_the_suites(group: Group, suite: Suite) -> bool:
    """Whether its reference was run there with nothing changed."""
    key = group.key
    unchanged = _is_the_suites_task(key, suite) and not key.base and "train." not in key.recipe
    methods = {method.name for method in group.methods if not method.changes}
    return key.claims and unchanged and bool(methods.intersection(suite.references))


def _is_the_suites_task(key: GroupKey, suite: Suite) -> bool:
    """Whether each setting of its task is the one that the suite's plan has; of an unknown task nobody knows it."""
    profile = PROFILES[key.profile].task if key.profile in PROFILES else {}
    with suppress(ConfigError, UnknownNameError):
        planned = asdict(task_settings(key.task, suite.protocol, {**profile, **suite.task}))
        return all(getattr(key, name) == value for name, value in planned.items() if name != "name")
    return False


def _all_models(key: GroupKey) -> list[Method]:
    """Of ours, without those that the profile leaves out."""
    without = PROFILES[key.profile].without if key.profile in PROFILES else ()
    ours = (name for name in registry.model_names() if registry.comes_with_the_project("model", name))
    return [Method(name=name, model=name) for name in ours if name not in without]


def comparable_data(group: Group, published: Published) -> list[DataKey]:
    """The real data sets of a group whose numbers can be laid beside published ones; none if it is another task."""
    names = ("task", "protocol", "history", "horizon")
    other = any(getattr(group.key, name) != getattr(published, name) for name in names)
    if other or group.key.fraction < 1 or group.key.scored:
        return []
    return [data for data in group.datasets if data.dataset in published.datasets and not data.synthetic]


def _worthwhile(groups: Mapping[GroupKey, Group], suite: Suite) -> Mapping[GroupKey, Group]:
    """Those with enough variants, whose runs do not all stand in another group."""
    variants = {variant.name: bool({*variant.settings} - {"weights"}) for variant in suite.variants}
    worth = {key: group for key, group in groups.items() if _worth_a_group(group, suite, variants)}
    runs = {key: _variant_runs(group, variants) for key, group in worth.items()}
    largest: list[GroupKey] = []
    for key in sorted(worth, key=lambda key: (-len(runs[key]), key)):
        beside = [other for other in largest if replace(other, base="") == replace(key, base="")]
        if not runs[key] or not any(runs[key] <= runs[other] for other in beside):
            largest.append(key)
    return {key: group for key, group in worth.items() if key in largest}


def _beside_shares(
    groups: Mapping[GroupKey, Group], worth: Mapping[GroupKey, Group], suite: Suite
) -> Mapping[GroupKey, Group]:
    """Of a suite that asks about shares of the training windows, those of a share, and all windows beside them alone.

    Else what holds where all data are there would be told as an answer to what holds where they are few; and an error
    against the data would lack its last point where another suite has made those runs.
    """
    if not about_shares(suite):
        return worth
    shares = {_without_share(key) for key in worth if key.fraction < 1}
    return {
        key: group
        for key, group in groups.items()
        if (key in worth if key.fraction < 1 else _without_share(key) in shares)
    }


def about_shares(suite: Suite) -> bool:
    """Whether a suite asks about shares of the training windows, and not of all of them."""
    return any(task in TASKS and TASKS[task].fraction != 1 for task in suite.tasks)


def _without_share(key: GroupKey) -> GroupKey:
    """The same for groups that differ in nothing but the share of the training windows."""
    return replace(key, task="", fraction=1.0, windows="all", equal_steps=True)


def _variant_runs(group: Group, variants: Mapping[str, bool]) -> set[str]:
    chosen = (summary for (_, method), summary in group.cells.items() if method.name in variants)
    return {run.run_id for summary in chosen for run in summary.runs}


def _worth_a_group(group: Group, suite: Suite, variants: Mapping[str, bool]) -> bool:
    """Whether it has two variants, one of them the reference or with settings, or a run that was made for the suite."""
    names = {method.name for method in group.methods} & variants.keys()
    own = {method for method in group.methods if variants.get(method.name) and not group.key.base}
    runs = [run for cell in group.cells.values() for run in cell.runs if not (run.naive or run.external)]
    shown = any(suite.shows(run.spec.task.name, run.label.suite) for run in runs)
    made = any(method.changes for method in own) or shown
    known = any(variants[name] or name in suite.references for name in names)
    return made or (len(names) >= FEWEST_VARIANTS and known)
