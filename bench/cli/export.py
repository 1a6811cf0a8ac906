"""A paper's supplement in one zip: records, tables, figures, report, tuned settings, and what makes them again.

Order and dates in it are fixed, so equal results give equal bytes. What is inside ``results/`` is a results folder.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.cli.report import contents_of
from bench.cli.reproduce import Again, again
from bench.errors import ConfigError, StoreError
from bench.files import whole

if TYPE_CHECKING:
    from bench.analysis.figures.style import Step
    from bench.analysis.grouping import Row
    from bench.analysis.results import Runs

Record = dict[str, Any]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
RIGHTS = 0o100644 << 16
SUMS, README = "SHA256SUMS", "README.txt"
SUITES = "suites/"
TEXT = """\
Supplement: results of st-vfm-bench
===================================

results/runs/       one JSON record per run: settings, scores, cost, certificate, errors of every test window
results/tuned/      settings found by tuning, if any
results/tables/     tables (md, tex, csv), made of the records
results/figures/    figures (png, pdf), made of the records
results/report.html all of this to read in a browser, without a network
suites/             what was run, every setting written out
SHA256SUMS          digests of all files: sha256sum -c SHA256SUMS

Numbers without a GPU: install the code below, unpack, and in this folder

    stbench tables --check --results results {names}

says whether the tables are those of the records; load_frame("results") of the package bench has them as a data frame.

Code: {commits}; "+" behind a commit says that files differed from it.

To run everything again (DIR is the folder of the data; with --results results nothing is repeated, with another
folder everything is; --tuned wants results/tuned in it):

{commands}
Runs: {done} finished, {failed} failed. Folders of the machine are left out of the messages of failures.
"""


def supplement(records: Sequence[Record], results: Path, names: Sequence[str], step: Step) -> dict[str, bytes]:
    """Every file of the supplement by its name in it.

    Args:
        records: All of a results folder.
        results: That folder, for the settings that tuning found.
        names: Suites, or files of suites; all records if there are none.
        step: Is told what is being made.

    Raises:
        ConfigError: If no record belongs to the suites.
        BenchError: If something cannot be read.
    """
    kept = [_clean(record) for record in chosen_records(records, names)]
    if not kept:
        raise ConfigError(
            f"there is no run of {', '.join(names)} to export; 'stbench status' says what is there"
            if names
            else f"{results} holds no run to export; 'stbench run --all' makes some"
        )
    runs = _runs(kept)
    step("records")
    files = {_place(record): _dumped(record) for record in kept}
    files |= {f"results/{path.relative_to(results).as_posix()}": path.read_bytes() for path in _tuned(results, kept)}
    made = again(runs.rows, SUITES)
    files |= {f"{SUITES}{each.name}.toml": each.text.encode() for each in made}
    files |= {f"{SUITES}{Path(name).name}": Path(name).read_bytes() for name in names if name.endswith(".toml")}
    files |= _drawn(runs, files, names, step)
    files[README] = _readme(runs.rows, names, made).encode()
    files[SUMS] = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
    return files


def write_zip(files: Mapping[str, bytes], path: Path, *, force: bool = False) -> None:
    """Write a zip whole or not at all.

    Raises:
        ConfigError: If the file is there and may not be replaced.
        StoreError: If it cannot be written.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, --out names another file")
    try:
        with whole(path) as part, zipfile.ZipFile(part, "w") as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system, info.external_attr, info.compress_type = 3, RIGHTS, zipfile.ZIP_DEFLATED
                archive.writestr(info, files[name], compresslevel=6)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error}); check the folder's space and rights") from error


def chosen_records(records: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """Those that stand in a line of the suites; all without names."""
    from bench.runs.suite import layouts

    if not names:
        return list(records)
    rows = _runs(records).rows
    wanted = {row["run_id"] for layout in layouts(names) for row in layout.placed(rows)}
    return [record for record in records if record["run_id"] in wanted]


def _clean(record: Record) -> Record:
    """A failed run's record without the folders that its message names."""
    from bench.analysis.report.facts import without_paths

    error = record["error"]
    return {**record, "error": {**error, "message": without_paths(error["message"])}} if error else record


def _runs(records: Iterable[Record]) -> Runs:
    from bench.analysis.results import Runs
    from bench.cli.options import marked
    from bench.records.frame import frame_from_records

    return Runs(marked(frame_from_records(records)))


def _place(record: Record) -> str:
    ending = "failed.json" if record["status"] == "failed" else "json"
    spec = record["spec"]
    return f"results/runs/{spec['data']['name']}/{spec['model']}/{record['run_id']}.{ending}"


def _dumped(record: Record) -> bytes:
    from bench.records.store import dump_record

    return dump_record(record).encode()


def _tuned(results: Path, records: Sequence[Record]) -> list[Path]:
    """The files of tuned settings of the data sets and models of these records."""
    pairs = {(record["spec"]["data"]["name"], record["spec"]["model"]) for record in records}
    found = sorted((results / "tuned").glob("*/*"))
    return [path for path in found if path.is_file() and (path.parent.name, path.name.partition(".")[0]) in pairs]


def _drawn(runs: Runs, files: Mapping[str, bytes], names: Sequence[str], step: Step) -> dict[str, bytes]:
    """Tables, figures and the report; what is written to a folder first does not stay there."""
    from bench.analysis.report.page import all_pictures, encoded, make_report
    from bench.analysis.tables.scores import write_tables
    from bench.analysis.tables.tuning_ledger import write_ledger

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, content in files.items():
            if name.startswith("results/tuned/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        contents = contents_of(runs.rows, folder / "results", names, SUITES)
        step("tables")
        made = write_tables(runs, folder / "results/tables", contents.layouts, contents.overviews)
        made += write_ledger(folder / "results")
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in made}
    drawn = list(all_pictures(runs, contents, step=step))
    found |= {f"results/figures/{each.name}{end}": content for each in drawn for end, content in each.files.items()}
    step("report")
    return found | {"results/report.html": encoded(make_report(runs, contents, drawn))}


def _readme(rows: Sequence[Row], names: Sequence[str], made: Sequence[Again]) -> str:
    from bench.analysis.report.facts import commits
    from bench.analysis.tables.overviews import MAKERS

    shown = [f"{SUITES}{Path(name).name}" if name.endswith(".toml") else name for name in names]
    done = sum(row["status"] == "done" for row in rows)
    commands = [command.replace("\n", "\n    ") for each in made for command in each.commands]
    return TEXT.format(
        names=" ".join([*shown, *MAKERS] if names else []),
        commits=", ".join(commits(rows)) or "of a commit that is not known",
        commands="".join(f"    {command}\n" for command in commands),
        done=done,
        failed=len(rows) - done,
    ).replace(" \n", "\n")
