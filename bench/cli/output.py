"""Tables and figures of the results as they are now, written one process after the other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from bench.cli.options import open_results
from bench.errors import UnknownNameError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.analysis.choice import Choice
    from bench.analysis.figures._files import Look
    from bench.analysis.freshness import Written
    from bench.analysis.results import Results


def table_texts(
    results: Path, source: str | None, names: Sequence[str], choice: Choice, paper: str
) -> dict[str, bytes | None]:
    """The files of tables by name, None for those that must not be there.

    Args:
        results: The results folder.
        source: Where else the records are, as ``open_results`` wants it.
        names: As typed, all if there are none; of all, those that can show what was chosen.
        choice: What of the tables is shown.
        paper: What their LaTeX is for.
    """
    opened, chosen = _opened(results, source, names, "tables")
    return _texts(opened, chosen, names, choice, paper)


def _texts(
    opened: Results, chosen: Sequence[str], names: Sequence[str], choice: Choice, paper: str
) -> dict[str, bytes | None]:
    from bench.analysis.formats.files import table_files

    if choice.of_metrics and not names:
        chosen = [suite.name for suite in opened.suites]
    return table_files(opened, chosen, choice, paper)


def check_tables(
    results: Path, source: str | None, names: Sequence[str], choice: Choice, paper: str, folder: Path
) -> tuple[list[str], str]:
    """Hold the tables of a folder against the records, without what none there has an ending of.

    Returns:
        A sentence for each record and file that is not as it should be, and one that says what was held against what.
    """
    from bench.analysis.contradictions import contradictions
    from bench.analysis.formats.files import differences, not_kept
    from bench.analysis.sums import SUMS, altered_files

    opened, chosen = _opened(results, source, names, "tables")
    texts = _texts(opened, chosen, names, choice, paper)
    unkept = not_kept(folder, texts)
    texts = {name: text for name, text in texts.items() if not name.endswith(tuple(unkept))}
    differing = [f"{folder / name} {told}" for name, told in differences(folder, texts).items()]
    if doubted := [*opened.altered, *contradictions(opened.records)]:
        doubted.append("restore these records first: what is made of them now is not what was made of those")
    altered = "records" if doubted else ""
    if source is None and (files := altered_files(results)):
        doubted.append(f"not as {SUMS} says: {', '.join(files)}; unpack the supplement again")
        altered = altered or "files"
    remedy = "" if doubted else "; 'stbench tables' makes it of the records, with --out DIR in another folder"
    told = _checked(results, source, texts, len(differing), folder, unkept, altered)
    return [*doubted, *(f"{line}{remedy}" for line in differing)], told


def _checked(
    results: Path,
    source: str | None,
    texts: Mapping[str, bytes | None],
    wrong: int,
    folder: Path,
    unkept: Sequence[str],
    altered: str,
) -> str:
    """What a check of tables has looked at, in a sentence: which tables, how many files, and what they were held to."""
    from bench.records.mlflow_address import shown

    there = [name for name, text in texts.items() if text is not None]
    tables = ", ".join(dict.fromkeys(re.sub(r"(_differences|_in_use)?\.\w+$", "", name) for name in there)) or "none"
    origin = f"mlflow:{shown(source.removeprefix('mlflow:'))}" if source else f"the records in {results / 'runs'}"
    foreign = sorted(path.name for path in folder.glob("*") if path.name not in texts)
    rest = f"; not checked: {', '.join(foreign)}" if foreign else ""
    rest += "".join(f"; no {ending} is kept there" for ending in unkept)
    outcome = f"{wrong} {'differs' if wrong == 1 else 'differ'}" if wrong else "all are as they say"
    outcome += f", {'and' if wrong else 'but'} {altered} were altered" if altered else ""
    return f"checked {counted(len(there), 'file')} in {folder} against {origin}: {outcome} (tables: {tables}{rest})"


def write_tables(
    results: Path, source: str | None, names: Sequence[str], choice: Choice, paper: str, folder: Path
) -> list[Path]:
    """Write tables as in ``table_texts`` to a folder; returns the files."""
    from bench.analysis.formats.files import write_files

    with _alone(results):
        return write_files(folder, table_texts(results, source, names, choice, paper))


def write_figures(results: Path, source: str | None, names: Sequence[str], look: Look, folder: Path) -> list[Path]:
    """Draw figures and drop those that are no longer drawn; returns the files."""
    from bench.analysis.formats.files import write_files

    with _alone(results):
        opened, chosen = _opened(results, source, names, "figures")
        return write_files(folder, _drawn(folder, opened, chosen, look))


def write_both(results: Path, suites: Sequence[str]) -> list[Path]:
    """All tables, and the figures of suites that compare, after runs; those over suites take seconds each.

    Nothing is made where all of them are as they would be.
    """
    from bench.analysis.freshness import Written, made_of

    with _alone(results):
        written = Written(results, made_of(results, suites))
        return written.files() or _write_both(results, suites, written)


def _write_both(results: Path, suites: Sequence[str], written: Written) -> list[Path]:
    from bench.analysis.formats.files import table_files, write_files
    from bench.analysis.results import artefacts

    opened = open_results(results, None, suites)
    names = [suite.name for suite in opened.suites]
    files = {
        "tables": table_files(opened, [*names, *artefacts("tables")]),
        "figures": _drawn(results / "figures", opened, names),
    }
    paths = [path for folder, contents in files.items() for path in write_files(results / folder, contents)]
    written.note({f"{folder}/{name}": text for folder, contents in files.items() for name, text in contents.items()})
    return paths


def write_study(results: Path, dataset: str, model: str, task: str, variant_slug: str = "") -> list[Path]:
    """The ledger of tuning, and the figure of one study."""
    from bench.analysis.figures._files import figure_files
    from bench.analysis.formats.files import table_files, write_files
    from bench.analysis.results import Results
    from bench.runs.tuned import TunedFolder
    from bench.tuning.trials import path_of, read_trials

    with _alone(results):
        study = read_trials(path_of(results, dataset, model, task, variant_slug))
        tuned = list(TunedFolder(results).files())
        written = write_files(results / "tables", table_files(Results((), tuned=tuned), ["tuning_ledger"]))
        return written + write_files(results / "figures", figure_files(Results((), [study]), ["tuning"]))


@contextmanager
def _alone(results: Path) -> Iterator[None]:
    """Two processes that end together read and write one after the other: what the later one leaves is whole."""
    results.mkdir(parents=True, exist_ok=True)
    with FileLock(results / ".tables.lock"):
        yield


def _drawn(folder: Path, opened: Results, names: Sequence[str], look: Look | None = None) -> dict[str, bytes | None]:
    from bench.analysis.figures._files import LOOK_OF_PAGE, figure_files

    present = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    with letters_told():
        return figure_files(opened, names, look or LOOK_OF_PAGE, present=present)


@contextmanager
def letters_told() -> Iterator[None]:
    """Which letters figures lack, as a line on the error stream."""
    from bench.analysis.figures._fonts import MissingLettersWarning
    from bench.cli.terminal import Console

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MissingLettersWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, MissingLettersWarning):
            text = str(warning.message)
            Console(stderr=True).print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _opened(
    results: Path, source: str | None, names: Sequence[str], folder: Literal["tables", "figures"]
) -> tuple[Results, list[str]]:
    """The results, and the names of suites and artefacts that are meant, of a suite's file its name.

    Figures of a suite's file are those over suites, too, that are drawn of suites like it: of the shares that it has.

    Raises:
        UnknownNameError: If a name is none of them; the nearest of all that are written or drawn is suggested.
    """
    from bench.analysis.results import artefacts
    from bench.runs.suite import BY_ITS_PATH, load_suite, suite_names

    known = [*suite_names(), *artefacts(folder)]
    for name in names:
        if name not in known and not name.endswith(".toml"):
            file = Path(f"{name}.toml")
            hint = f"{BY_ITS_PATH}: {file}" if file.is_file() else BY_ITS_PATH
            raise UnknownNameError(folder.removesuffix("s"), name, known, hint)
    opened = open_results(results, source, names)
    if not names:
        return opened, [*(suite.name for suite in opened.suites), *artefacts(folder)]
    chosen = [load_suite(name).name if name.endswith(".toml") else name for name in names]
    if folder == "figures":
        from bench.analysis.figures.fractions import has_shares

        own = {suite.name: suite for suite in opened.suites if suite.name not in suite_names()}
        chosen += ["fractions"] * any(has_shares(own[name]) for name in chosen if name in own)
    return opened, list(dict.fromkeys(chosen))
