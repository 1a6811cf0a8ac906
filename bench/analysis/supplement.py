"""A paper's supplement in one zip: records, tables, figures, report, tuned settings, and what makes them again.

Models and data sets of the user's own travel in it, as the copies of their code and cards in the results folder, and
their arrays if that is asked for. Order and dates in it are fixed, so equal results give equal bytes. What is inside
``results/`` is a results folder.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.analysis.failures import failures
from bench.analysis.grouping import run_ids
from bench.analysis.known_code import todays_code
from bench.analysis.own_parts import COPIES, DATA, OwnParts, own_parts
from bench.analysis.report.facts import commits_text, without_paths
from bench.analysis.report.page import encoded, report, shown
from bench.analysis.reproduction import ReproducedSuite, folders_text, reproduction
from bench.analysis.results import Results, artefacts
from bench.analysis.sums import SUMS, Content, sha256, sums_text
from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.catalog.own_files import VARIABLE
from bench.catalog.raw_files import USER_CARD, files_below
from bench.errors import ConfigError, unwritten
from bench.files import atomic_write
from bench.records.record import DoneRun, FailedRun, Record, dump
from bench.runs.own_code import ASKED, edited
from bench.runs.search import parts_of_stem
from bench.runs.suite import load_suite

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
RIGHTS = 0o100644 << 16
README = "README.txt"
SUITES = "suites/"
OWN_DATA = f"""
For data of the authors' own DIR is {DATA}. An array that is not there belongs beside its card as data.npy;
'stbench data import FILE --card {DATA}/NAME/card.toml --data-dir {DATA} --force' makes it of the raw file."""
TEXT = """\
Supplement: results of st-vfm-bench
===================================

results/runs/       one JSON record per run: settings, scores, cost, audit, errors of every test window
results/tuned/      settings found by tuning, if any
results/tables/     tables (md, tex, csv), made of the records
results/figures/    figures (png, pdf), made of the records
results/report.html all of this to read in a browser, without a network
suites/             what was run, every setting written out
{own}SHA256SUMS          digests of all files but notes (.asked): sha256sum -c SHA256SUMS

Numbers without a GPU: install the code below with "pip install '.[all]'", unpack, and in this folder

    stbench tables --check --results results {names}

says whether the tables are those of the records; bench.load_results("results") in Python has the records, and as a
data frame in its attribute "frame".

Code: {commits}; "+" behind a commit says that files differed from it, or that a model or data set is not in it.
{missing}
To run everything again:

{listed}{commands}
{folders}{data}{own_data}
DIR2 leaves what is here as it is. With --results results no run is repeated, but tables are written anew, and the check
above names them: check first, or work in a copy. --tuned wants a copy of results/tuned in DIR2.

Runs: {done} finished, {failed} failed.{elsewhere} Folders of the machine are left out of the messages of failures.
"""


def supplement(
    results: Results,
    folder: Path,
    names: Sequence[str],
    step: Callable[[str], None],
    data_dir: Path | None = None,
) -> dict[str, Content]:
    """Every file of the supplement by its name in it.

    Args:
        results: All of a results folder.
        folder: That folder, for the files of tuned settings.
        names: Suites, or files of suites, that are among those of the results; all records if there are none.
        step: Is called with what is being made.
        data_dir: The folder of raw data, if the arrays of the user's own data sets shall be in it, too.

    Raises:
        ConfigError: If no record belongs to the suites, or an array is not that of the runs.
        BenchError: If something cannot be read.
    """
    from bench.analysis.figures._files import pictures
    from bench.analysis.formats.files import table_files

    suites = [load_suite(name).name for name in names]
    kept = _kept(results, folder, suites)
    step("records")
    reproduced = reproduction(kept.records, SUITES)
    files: dict[str, Content] = {_path(record): dump(record) for record in kept.records}
    files |= _tuned_files(folder, kept)
    own = own_parts(folder, kept.records)
    files |= own.files
    files |= {} if data_dir is None else _raw_files(data_dir, folder, own, kept.records)
    files |= {suite.path: suite.text.encode() for suite in reproduced}
    own_suites = [Path(name) for name in names if name.endswith(".toml")]
    files |= {f"{SUITES}{path.name}": own.found_by(path.read_bytes()) for path in own_suites}
    step("tables")
    tables = table_files(kept, shown(kept, "tables", suites))
    files |= {f"results/tables/{name}": content for name, content in tables.items() if content is not None}
    drawn = list(pictures(kept, shown(kept, "figures", suites), step=step))
    files |= {
        f"results/figures/{figure.name}{end}": content for figure in drawn for end, content in figure.files.items()
    }
    step("report")
    files["results/report.html"] = encoded(report(kept, drawn, suites, SUITES))
    files[README] = _readme(kept, names, reproduced, own).encode()
    fixed = {name: content for name, content in files.items() if not _is_a_note(name)}  # runs write these anew
    files[SUMS] = sums_text({name: sha256(content) for name, content in fixed.items()})
    return files


def _raw_files(data_dir: Path, folder: Path, own: OwnParts, records: Sequence[Record]) -> dict[str, Path]:
    """The files of the data sets whose cards are in the supplement.

    Raises:
        ConfigError: If their data are others than those of the runs.
        BenchError: If they cannot be read.
    """
    catalog, files = Catalog(data_dir=data_dir, cache=folder / "cache"), dict[str, Path]()
    for name in own.cards:
        if catalog.identity(name) not in {data for record in records for data in record.spec.datasets}:
            raise ConfigError(f"the files of '{name}' in {data_dir} are not those of its runs; give their --data-dir")
        files |= {
            f"{DATA}/{name}/{path.relative_to(data_dir / name).as_posix()}": path
            for path in files_below(data_dir / name)
            if path.name != USER_CARD
        }
    return files


def edited_since(results: Results, folder: Path, files: Mapping[str, Content]) -> list[str]:
    """Models and data sets of the user's own in a supplement that were edited since runs were last asked for.

    Raises:
        BenchError: If a file of one cannot be read.
    """
    runs = {
        (run.record.spec.behind, run.record.code)
        for run in results.runs
        if run.stale and not run.record.external and _path(run.record) in files
    }
    return edited(folder, runs - results.outdated)


def write_zip(files: Mapping[str, Content], path: Path, *, force: bool = False) -> None:
    """Write a zip whole or not at all.

    Raises:
        ConfigError: If the file is there and may not be replaced.
        StoreError: If it cannot be written.
    """
    check_free(path, force=force)
    try:
        with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system, info.external_attr, info.compress_type = 3, RIGHTS, zipfile.ZIP_DEFLATED
                content = files[name]
                if isinstance(content, bytes):
                    archive.writestr(info, content, compresslevel=6)
                else:
                    with archive.open(info, "w", force_zip64=True) as packed, content.open("rb") as source:
                        shutil.copyfileobj(source, packed)
    except OSError as error:
        raise unwritten(str(path), error) from error


def check_free(path: Path, *, force: bool) -> None:
    """Refuse to replace a file, unless by force.

    Raises:
        ConfigError: If the file is there and may not be replaced.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, --out names another file")


def _kept(results: Results, folder: Path, suites: Sequence[str]) -> Results:
    """The results of these suites alone, all without any; no message of a failure names a folder."""
    wanted: set[str] = set()
    for suite in results.suites:
        wanted |= run_ids(results.runs, suite, results.groups(suite)) if suite.name in suites else set()
    records = [_clean(record) for record in results.records if not suites or record.run_id in wanted]
    if not records:
        raise ConfigError(
            f"there is no run of {', '.join(suites)} to export; 'stbench status' says what is there"
            if suites
            else f"{folder} holds no run to export; 'stbench run --all' makes some"
        )
    pairs = _pairs(records)
    others = [record for record in records if record.external or not registry.needs_own_file(record)]
    return Results(
        records,
        [study for study in results.studies if (study.dataset, study.model) in pairs],
        results.suites,
        [file for file in results.tuned if (file.dataset, file.model) in pairs],
        code=todays_code(others),  # of own code, that of the copies in it is today's
        outdated=results.outdated,
        asked=results.asked,
    )


def _pairs(records: Sequence[Record]) -> set[tuple[str, str]]:
    return {(record.dataset, record.model) for record in records}


def _clean(record: Record) -> Record:
    if isinstance(record, DoneRun):
        return record
    message = without_paths(record.error.message)
    return msgspec.structs.replace(record, error=msgspec.structs.replace(record.error, message=message))


def _is_a_note(name: str) -> bool:
    """Whether a file says when runs were asked for."""
    return name.startswith(f"{COPIES}/") and name.endswith(ASKED)


def _path(record: Record) -> str:
    ending = "failed.json" if isinstance(record, FailedRun) else "json"
    return f"results/runs/{record.dataset}/{record.model}/{record.run_id}.{ending}"


def _tuned_files(folder: Path, kept: Results) -> dict[str, bytes]:
    """The files that tuning left for the data sets and models of these results."""
    pairs, paths = _pairs(kept.records), sorted((folder / "tuned").glob("*/*"))
    return {
        f"results/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in paths
        if path.is_file() and (path.parent.name, parts_of_stem(path.name)[0]) in pairs
    }


def _data_text(records: Sequence[Record]) -> str:
    """How real data that others publish come into the folder of the data."""
    real = {data.name for record in records for data in record.spec.datasets if not data.synthetic}
    names = sorted(name for name in real if registry.comes_with_the_project("dataset", name))
    if not names:
        return ""
    return f"\n'stbench data fetch {' '.join(names)} --data-dir DIR' fetches the data, or says where to get them."


def _readme(kept: Results, names: Sequence[str], reproduced: Sequence[ReproducedSuite], own: OwnParts) -> str:
    asked = [f"{SUITES}{Path(name).name}" if name.endswith(".toml") else name for name in names]
    done = sum(isinstance(record, DoneRun) for record in kept.records)
    elsewhere = sum(record.external for record in kept.records)
    commands = [command.replace("\n", "\n    ") for suite in reproduced for command in suite.commands]
    return TEXT.format(
        names=" ".join([*asked, *artefacts("tables")] if names else []),
        commits=commits_text(kept.records) or "of a commit that is not known",
        folders=folders_text(reproduced),
        data=_data_text(kept.records),
        own_data=OWN_DATA if own.cards else "",
        commands="".join(f"    {command}\n" for command in commands),
        own=own.contents,
        missing=own.missing_text,
        listed=f"    export {VARIABLE}={own.variable}\n" if own.variable else "",
        done=done,
        failed=len(failures(kept.runs)),
        elsewhere=f" Of these {elsewhere} are of forecasts made elsewhere, which no command makes."
        if elsewhere
        else "",
    ).replace(" \n", "\n")
