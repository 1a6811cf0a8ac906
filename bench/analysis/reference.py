"""Reference results: a results folder to commit, whose tables, figures, report and README are made of its records.

Its records are those of ordinary results folders, as they are, so every command reads it as any other. Not taken are
records of forecasts made elsewhere, of synthetic data that no suite plants, of the quick profile, of files of the
user's own and of earlier code. Equal records give equal files.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.contradictions import contradiction
from bench.analysis.first_screen import first_screen
from bench.analysis.formats.files import LEFT_OUT, table_files, write_files
from bench.analysis.formats.markdown import grid
from bench.analysis.lines import wrapped
from bench.analysis.report.facts import commits_text, datasets, environments, models, recipes
from bench.analysis.report.headline import headline
from bench.analysis.report.page import encoded, report, shown
from bench.analysis.reproduction import ReproducedSuite, folders_text, reproduction
from bench.analysis.results import Results
from bench.analysis.sums import SUMS, read_sums, sha256, sums_text
from bench.catalog import registry
from bench.errors import ConfigError, StoreError
from bench.files import atomic_write
from bench.plain_files import read_plain
from bench.records.record import DoneRun, dump
from bench.runs.suite import load_suites

REPORT, README, SUITES = "report.html", "README.md", "suites"
MADE_FOLDERS: Final = ("tables", "figures", SUITES)
WIDTH: Final = 120  # letters of a line of prose
FIRST, LAST = "<!-- written by 'stbench reference', do not edit -->", "<!-- end of what 'stbench reference' wrote -->"
TEXT = """\
# Reference results

Written by `stbench reference` of st-vfm-bench {version}; do not edit. {state}

{claims}
{not_run}

Runs ended {days}.

{commits}

- [report.html](report.html): all of it on one page, with audits, settings and environments
- `tables/`: {tables}
- `figures/`: those of the report
- `runs/`: a record for each run, with scores, errors of every test window, settings, environment and audit
- [SHA256SUMS](SHA256SUMS): the digests of the records as they were taken

From Python `bench.load_results("results/reference")` has the records. Whether the records are as they were
taken, tables, figures and this page are those of the records, and today's code would make them again:

    stbench reference --check

## Data

{data}

## Models

{models}

## Training

{recipes}

## Machines

{machines}

Seconds and milliseconds are as these measured them. What else they did meanwhile is not known, so the table and the
figure of costs, with its Pareto front, say little of speed. Parameters and GFLOPs do not depend on it.

## To make them again

From the folder of this page, such as after `cd results/reference`:

{commands}

{folders}

A like machine with the same versions of libraries and as many threads gives the same scores to the last bit; any other
may give other [last digits](../../docs/parallel.md).
"""


def takable(results: Results) -> list[DoneRun]:
    """The finished runs that may stand among reference results."""
    planted = {suite.name for suite in load_suites() if suite.planted}
    return [
        run.record
        for run in results.runs
        if isinstance(run.record, DoneRun)
        and not (run.stale or run.record.external)
        and (not run.record.spec.data.synthetic or run.record.label.suite in planted)
        and run.record.label.profile != "quick"
        and registry.comes_with_the_project("model", run.record.model)
        and all(registry.comes_with_the_project("dataset", data.name) for data in run.record.spec.datasets)
    ]


def take(records: Iterable[DoneRun], folder: Path) -> int:
    """Put records into a folder of reference results, in place of those that other code made of the same.

    Their digests, by which they are known again, stand in a file beside them, as ``sha256sum`` has it. A record that is
    there as it was taken stays; one that is not comes back only as it was taken.

    Returns:
        How many were not there as they were taken.

    Raises:
        StoreError: If a record contradicts itself, or the digest of its run that is noted already, and then none is
            taken; or the folder cannot be read or written.
    """
    sums, given = read_sums(folder / SUMS), {_place(record): record for record in records}
    new = {name: dump(given[name]) for name in given if not _as_taken(folder / name, sums.get(name))}
    doubts = [
        f"{name} contradicts itself: {told}; make its run again"
        for name, record in given.items()
        if (told := contradiction(record))
    ]
    doubts += [
        f"{name} is another record of a run that {SUMS} notes already; --take the one that is noted, or delete its line"
        for name, content in new.items()
        if name in sums and sha256(content) != sums[name]
    ]
    if doubts:
        raise StoreError(f"no record is taken into {folder}: {'; '.join(doubts)}")
    for name, content in new.items():
        path, spec_id = folder / name, given[name].spec.spec_id
        earlier = [other.name for other in path.parent.glob(f"{spec_id}.*.json")]
        write_files(path.parent, {**dict.fromkeys(earlier), path.name: content})
        for other in earlier:
            sums.pop((path.parent / other).relative_to(folder).as_posix(), None)
        sums[name] = sha256(content)
    write_files(folder, {SUMS: sums_text(sums)})
    return len(new)


def _place(record: DoneRun) -> str:
    return f"runs/{record.dataset}/{record.model}/{record.run_id}.json"


def _as_taken(path: Path, digest: str | None) -> bool:
    return path.is_file() and sha256(path) == digest


def stale(results: Results) -> list[str]:
    """The records that today's code would not have made, by what they are of, sorted."""
    return sorted({f"{run.record.model} on {run.record.dataset}" for run in results.runs if run.stale})


def reference_files(
    results: Results, folder: Path, step: Callable[[str], None] = lambda _: None, *, figures: bool = True
) -> dict[str, bytes | None]:
    """Everything beside the records, by its path below the folder; None is a file that is there and must not be.

    Args:
        results: All that the folder holds.
        folder: Where it is, for what is left over in it.
        step: Is called with what is being made.
        figures: Whether figures and the report, which has them, are made, too; they take most of the time.
    """
    from bench.analysis.figures._files import Look, pictures

    step("tables")
    files = {f"tables/{name}": text for name, text in table_files(results, shown(results, "tables")).items() if text}
    reproduced = reproduction(results.records, f"{SUITES}/")
    files |= {suite.path: suite.text.encode() for suite in reproduced}
    if figures:
        drawn = list(pictures(results, shown(results, "figures"), Look(formats=(".png",)), step=step))
        files |= {f"figures/{each.name}{end}": content for each in drawn for end, content in each.files.items()}
        step("report")
        files[REPORT] = encoded(report(results, drawn, folder=f"{SUITES}/"))
    kept: dict[str, bytes | None] = {name: text for name, text in files.items() if not name.endswith(LEFT_OUT)}
    made = MADE_FOLDERS if figures else tuple(name for name in MADE_FOLDERS if name != "figures")
    there = (path for name in made for path in (folder / name).glob("*"))
    kept |= {name: None for path in there if (name := path.relative_to(folder).as_posix()) not in kept}
    tables = [name for name, text in kept.items() if text and name.startswith("tables/") and name.endswith(".md")]
    return kept | {README: _readme(results, tables, reproduced).encode() if results.runs else None}


def with_first_screen(text: str, results: Results, folder: str) -> str:
    """A document whose part between two marks says what came of the reference results, and nothing without any.

    Args:
        text: Of the document.
        results: The reference results. Runs that ``take`` would not have been given, and someone has put into the
            folder, are in no sentence and no row.
        folder: Theirs, as links of the document name it.

    Raises:
        ConfigError: If the document does not have the two marks.
    """
    pattern = re.compile(f"({re.escape(FIRST)}\n).*?({re.escape(LAST)}\n)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ConfigError(f"the document has no place for reference results; give it the lines {FIRST} and {LAST}")
    current = Results(takable(results), results.studies, results.suites, results.tuned, code={})  # none is stale
    screen = first_screen(current, folder)
    return pattern.sub(lambda marks: marks[1] + (f"\n{screen}\n" if screen else "") + marks[2], text)


def written_document(path: Path, results: Results, folder: str) -> bool:
    """Bring such a document up to date; returns whether it changed.

    Raises:
        ConfigError: If there is none, or it does not have the two marks.
    """
    text = document_text(path)
    new = with_first_screen(text, results, folder)
    if new != text:
        with atomic_write(path) as part:
            part.write_text(new, encoding="utf-8")
    return new != text


def document_text(path: Path) -> str:
    """The text of a document.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        return read_plain(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the document {path} cannot be read ({error}); give a Markdown file") from error


def _readme(results: Results, tables: Sequence[str], reproduced: Sequence[ReproducedSuite]) -> str:
    finished = [run.record for run in results.runs if isinstance(run.record, DoneRun)]
    head = headline(results, results.suites)
    claims = [text for part in ("answers", "warnings", "cautions") for text in head[part]]
    days = [datetime.fromtimestamp(run.ended, UTC).date().isoformat() for run in finished if run.ended is not None]
    commands = [command for suite in reproduced for command in suite.commands]
    return TEXT.format(
        version=__version__,
        state=head["state"],
        claims="\n".join(_item(text) for text in claims),
        not_run=_item(f"Nothing here is of the suites {_not_run(results) or '—'}."),
        days=_span_of(days),
        commits=wrapped(f"Commits: {commits_text(finished) or 'not known'}.", WIDTH),
        folders=wrapped(folders_text(reproduced), WIDTH),
        tables=", ".join(f"[{Path(name).stem}]({name})" for name in sorted(tables)) or "none",
        data=grid(datasets(results.runs)),
        models=grid(models(results.runs)),
        recipes=grid(recipes(results.runs)),
        machines=grid(environments(results.runs)),
        commands="\n\n".join(textwrap.indent(command, "    ") for command in commands),
    )


def _not_run(results: Results) -> str:
    """The suites that no record answers."""
    return ", ".join(suite.name for suite in results.suites if not results.groups(suite))


def _span_of(days: Sequence[str]) -> str:
    """When runs ended, by the days of each."""
    first, last = min(days, default=""), max(days, default="")
    if not days:
        return "on a day that is not known"
    return f"on {first}" if first == last else f"between {first} and {last}"


def _item(text: str) -> str:
    return wrapped(text, WIDTH, first="- ", later="  ")
