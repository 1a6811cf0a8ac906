"""What a reader must know first: what was asked, what is there, who leads, and whether that may be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from bench.analysis.differences import Differences
from bench.analysis.failures import failures
from bench.analysis.groups import GroupKey, caveat_of
from bench.analysis.report.facts import done
from bench.analysis.results import Results
from bench.analysis.standings import Standing, standing
from bench.analysis.stats.ranking import LEVEL, average_ranks, pairwise
from bench.analysis.suite_groups import title_of_groups
from bench.analysis.table import MARKS, ended
from bench.analysis.witnesses import witnesses
from bench.catalog.pretrained import is_from_unknown
from bench.catalog.titles import dataset_title, model_title
from bench.plain_text import counted
from bench.records.record import DoneRun, Record
from bench.runs.suite import Suite
from bench.settings import RANDOM

MARK: Final = MARKS["random_weights"][0]
LEAST_P: Final = 0.5  # to the power of the data sets but one: the least that a signed-rank test over them may give


def headline(results: Results, suites: Iterable[Suite]) -> dict[str, str | Sequence[str]]:
    """The first page of these results, of which these suites are shown, as sentences.

    Returns:
        ``asked``: titles and questions of the suites that have runs, and which of these no run answers; ``state``:
        how many runs, data sets, models and seeds there are; ``answers``: who leads, and the outcome of each
        comparison; ``warnings``: why no number may be quoted, empty if some may be; ``cautions``: what holds for a
        part of the runs.
    """
    shown = [suite for suite in suites if results.groups(suite)]
    finished = done(results.runs)
    return {
        "asked": [_asked(results, suite) for suite in shown],
        "state": _state(results, finished),
        "answers": [*_leads(results), *(answer for suite in shown for answer in _answers(results, suite))],
        "warnings": _warnings(finished),
        "cautions": _cautions(results, finished),
    }


def _asked(results: Results, suite: Suite) -> str:
    return f"{ended(title_of_groups(suite, results.groups(suite)))} {_question(results, suite)}".strip()


def _question(results: Results, suite: Suite) -> str:
    """With what lacks where nothing that the suite compares with has a current run."""
    cells = [item for group in results.groups(suite).values() for item in group.cells.items()]
    if not (suite.question and suite.references) or any(
        method.name in suite.references and cell.ranked for (_, method), cell in cells
    ):
        return ended(suite.question)
    first = suite.references[0]
    title = first if suite.variants else model_title(first)
    return f"{ended(suite.question)} No current run of “{title}” is there, so nothing here answers it."


def _state(results: Results, finished: Sequence[DoneRun]) -> str:
    names = {record.dataset for record in finished}
    on_real = [record for record in finished if not record.spec.data.synthetic]
    real, related = {record.dataset for record in on_real}, witnesses(on_real, trained=False).related
    models = {record.model for record in finished if not record.naive}
    naive = {record.model for record in finished if record.naive}
    seeds = {record.seed for record in finished if not record.naive}
    failed, stale = len(failures(results.runs)), sum(run.stale for run in results.runs)
    return (
        f"{counted(len(finished), 'finished run')}, {failed} failed, {stale} stale; {counted(len(names), 'data set')} "
        f"({len(real)} real, {len(names - real)} synthetic); {counted(len(models), 'model')} and "
        f"{counted(len(naive), 'naive baseline')}; {counted(len(seeds), 'seed')}. {related}"
    ).strip()


def _leads(results: Results) -> list[str]:
    standings = {key: standing(group) for key, group in results.plain_groups().items()}
    return [lead(key, ranked) for key, ranked in standings.items() if ranked.enough] or [
        "No model leads: there are too few real data sets and models with current runs outside the quick profile to "
        "rank any, as the table of ranks says."
    ]


def lead(key: GroupKey, ranked: Standing) -> str:
    """Who has the best average rank of a standing with enough for one, and whether that may be claimed."""
    average, corrected = average_ranks(ranked.scores), pairwise(ranked.exact)["holm"]
    first, *level = sorted(str(name) for name, rank in average.items() if rank == average.min())
    rivals = len(average) - 1
    beaten = sum(p < LEVEL for pair, p in zip(corrected.index, corrected, strict=True) if first in pair)
    claim = "Wilcoxon's test over data sets supports this against every other model"
    if not key.claims:
        claim = f"this is no claim, since the profile is {key.profile}"
    elif beaten < rivals:
        claim = f"this is no claim: Wilcoxon's test over data sets tells it apart from {beaten} of {rivals} others"
        few = LEAST_P ** (len(ranked.exact) - 1) >= LEVEL
        claim += f", and can tell none apart on {counted(len(ranked.exact), 'data set')}" if few else ""
    named = [ranked.headers[name].name for name in (first, *level)]
    have, claim = ("share", "none leads alone") if level else ("has", claim)
    among = f"Among {counted(len(average), 'model')}, naive baselines apart,"
    best = f"{among} {_and(named)} {have} the best average rank, {average.min():.2f}"
    where = f"{key.title}, real data, {ranked.witnesses.text}"
    return " ".join([f"{best} ({where}); {claim}.", *_worse_than_naive(ranked, [first, *level])])


def _worse_than_naive(ranked: Standing, leaders: Sequence[str]) -> list[str]:
    """On how many data sets a naive baseline, which no ranking counts, is better than those of the best rank."""
    naive = ranked.naive.map(_three_digits)
    better = {name: int((ranked.exact[name].map(_three_digits) > naive).sum()) for name in leaders}
    on = [f"than {ranked.headers[name].name} on {number}" for name, number in better.items() if number]
    return [f"A naive baseline is better {_and(on)} of {counted(len(ranked.exact), 'data set')}."] if on else []


def _three_digits(error: float) -> float:
    return float(f"{error:.3g}")


def _answers(results: Results, suite: Suite) -> list[str]:
    """What came of a comparison, group by group; counted is what may be claimed at all."""
    return [
        " ".join([ended(suite.question or suite.title), _outcome(key, compared, suite), *compared.caveats])
        for key, compared in results.differences(suite).items()
    ]


def _outcome(key: GroupKey, compared: Differences, suite: Suite) -> str:
    """Of all real data together; of planted data one by one, since what is true of them differs."""
    if not any(cell.quotable for cell in compared.cells.values()):
        why = "all data are synthetic" if key.claims else f"the profile is {key.profile}"
        return f"Nothing may be claimed of “{compared.title}”, since {why} ({key.title})."
    if suite.planted:
        source = "synthetic data made for it"
        verdicts = "; ".join(
            f"{_verdicts(compared.on(data))} on {data.title or data.dataset}" for data in compared.datasets
        )
    else:
        source, verdicts = "real data", f"{_verdicts(compared)} on {compared.witnesses.text}"
    part = f" ({compared.part})" if compared.part else ""
    return f"On {source} “{compared.title}”{part} is {verdicts} ({key.title}); equivalent: within ± {suite.margin:g} %."


def _verdicts(compared: Differences) -> str:
    counts = compared.counts(compared.methods)
    verdicts = ", ".join(f"{verdict} in {number}" for verdict, number in counts.items())
    return f"{verdicts} of {counted(sum(counts.values()), 'comparison')}"


def _warnings(finished: Sequence[DoneRun]) -> tuple[str, ...]:
    """Why nothing at all may be quoted."""
    models = [record for record in finished if not record.naive] or finished
    if not models:
        return ("No run is finished.",)
    weights = {record.spec.weights for record in models} - {"none"}
    random = (
        ["Every model with a pre-trained part started from random weights."] if weights and weights <= RANDOM else []
    )
    if any(record.label.profile != "quick" and not record.spec.data.synthetic for record in models):
        return tuple(random)
    warnings = ["No number of this report may be quoted."]
    if all(record.label.profile == "quick" for record in models):
        warnings.append("Every model was trained in the quick profile, whose budgets are tiny: ranks mean nothing.")
    if all(record.spec.data.synthetic for record in models):
        warnings.append("All data sets are synthetic.")
    return (*warnings, *random)


def _cautions(results: Results, finished: Sequence[DoneRun]) -> tuple[str, ...]:
    synthetic = _names({_dataset(record) for record in finished if record.spec.data.synthetic})
    made_up = sum(record.spec.data.synthetic for record in finished)
    quick, laptop = (sum(record.label.profile == name for record in finished) for name in ("quick", "laptop"))
    reference = [record for record in finished if record.label.profile == "reference"]
    few = sum(record.spec.task.scored > 0 for record in finished)
    random, wholly = _random(finished)
    unknown = _models(record for record in finished if is_from_unknown(record.spec))
    leaky = _models(record for record in finished if record.spec.task.leaky_scaler)
    failed, all_of = len(failures(results.runs)), f"of {counted(len(finished), 'finished run')}"
    cautions = {
        f"{made_up} {all_of} are on synthetic data: {synthetic}.": synthetic,
        f"{quick} {all_of} are of the quick profile.": quick,
        f"{laptop} {all_of} are of the laptop profile, whose training is short.": laptop,
        caveat_of("reference", reference): reference,
        f"Few windows of a split were scored, evenly spread, in {few} {all_of}.": few,
        f"Random instead of pre-trained weights in all runs of {wholly}, which are marked {MARK}.": wholly,
        f"Random instead of pre-trained weights in the rows marked {MARK}, and in no others, of {random}.": random,
        f"Pre-trained weights whose file is unknown to us, so that only their digest is recorded: {unknown}.": unknown,
        f"Runs with a scaler that saw the test part, for comparison with published numbers: {leaky}.": leaky,
        f"{counted(failed, 'run')} failed; the reasons are below.": failed,
        "Stale runs were made by earlier code; they are marked and never ranked.": any(r.stale for r in results.runs),
    }
    return tuple(text for text, holds in cautions.items() if holds)


def _random(finished: Sequence[DoneRun]) -> tuple[str, str]:
    """The models of which some runs started from random weights though others did not, and those of which all did."""
    started = [record for record in finished if record.spec.weights != "none"]
    random = {record.model for record in started if record.spec.weights in RANDOM}
    others = {record.model for record in started if record.spec.weights not in RANDOM}
    some, wholly = (
        _models(record for record in started if record.model in models) for models in (random & others, random - others)
    )
    return some, wholly


def _models(records: Iterable[Record]) -> str:
    return _names({model_title(record.model, record.label.model_title) for record in records})


def _dataset(record: Record) -> str:
    return dataset_title(record.dataset, record.label.dataset_title)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
