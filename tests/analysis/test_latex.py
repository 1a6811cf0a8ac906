"""Papers take every table and figure as it is: they compile, everything fits, and nothing is shrunk."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from records import record, results_of, suite
from studies import tuned
from test_map_plots import mapped

from bench.analysis.choice import Choice
from bench.analysis.figures._files import Look, figure_files
from bench.analysis.formats.files import table_files, write_files
from bench.analysis.formats.latex import latex
from bench.analysis.results import Results, artefacts
from bench.analysis.table import Cell, Header, Table, TableFile
from bench.errors import UnknownNameError
from bench.runs.suite import suite_names
from bench.runs.tuned import TunedFile

WIDEST = 1.0  # points beyond the text that no eye sees
PROGRAM = next((name for name in ("pdflatex", "lualatex") if shutil.which(name)), None)
ORDER = ["-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape"]
PAPER = r"""\documentclass%s{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx}
\graphicspath{{figures/}}
\renewcommand{\resizebox}[3]{\sbox0{#3}\leavevmode\box0\ifdim\wd0>\linewidth\typeout{Shrunk}\fi}
\begin{document}
%s
\end{document}
"""
BESIDE = Choice(metrics=("mae", "rmse", "scaled_mae"), beside=True)
TITLES = True
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "paper" / "paper.tex"
needs_latex = pytest.mark.skipif(PROGRAM is None, reason="no LaTeX; install texlive-latex-extra")


def records() -> list[Any]:
    """Every sort of table: many models and steps, ablation, controls, published numbers, synthetic data, failures."""
    changes = ({}, {"model.flow": False}, {"model.tata": False}, {"model.control": "identity"})
    data = ("bikenyc", "taxinyc", "taxibj")
    made = [*suite(models=14), record(overrides={"model.a_b": "50%&$#^~"})]
    made += [
        record(one, model="stvfm", seed=seed, mae=1.5 + number + seed / 9, overrides=each, weights="pretrained")
        for one in data
        for seed in range(3)
        for number, each in enumerate(changes)
    ]
    made += [record(one, model="stvfm", weights="random", mae=3.0) for one in data]
    made += [record(one, model="stid", task=task) for one in data for task in ("long", "few1", "few5")]
    made += [record(model=model, protocol="unist") for model in ("stid", "historical_average", "convlstm")]
    return made


def results() -> Results:
    return results_of(records(), tuned=[TunedFile(dataset="tiny", model="stid", tuned=tuned(synthetic=True))])


def compiled(folder: Path) -> str:
    """The log of ``paper.tex`` in a folder, which must compile."""
    done = subprocess.run(
        [str(PROGRAM), *ORDER, "paper.tex"], cwd=folder, capture_output=True, timeout=120, check=False
    )
    log = (folder / "paper.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    return log


def check_fits(log: str) -> None:
    """No line is too wide, no float too high, and nothing was shrunk to fit."""
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(over, default=0.0) <= WIDEST
    assert "Float too large" not in log
    assert "Shrunk" not in log


@pytest.mark.slow
@needs_latex
@pytest.mark.parametrize(
    ("paper", "options"), [("two-column", "[twocolumn]"), ("one-column", ""), ("two-column", "[a4paper,twocolumn]")]
)
def test_a_paper_with_every_table_compiles_and_all_of_them_fit(paper: str, options: str, tmp_path: Path) -> None:
    names = [*suite_names(), *artefacts("tables")]
    files = table_files(results(), names, paper=paper)
    files |= {f"beside-{name}": text for name, text in table_files(results(), suite_names(), BESIDE, paper).items()}
    written = [path for path in write_files(tmp_path / "tables", files) if path.suffix == ".tex"]
    wanted = {"short_term", "long_term", "few_shot", "ablation", "controls", "published", *artefacts("tables")}
    assert wanted <= {path.stem for path in written}
    assert all(r"\usepackage{booktabs,graphicx}" in path.read_text(encoding="utf-8") for path in written)
    body = "\n".join(rf"\input{{tables/{path.name}}}\clearpage" for path in written)
    (tmp_path / "paper.tex").write_text(PAPER % (options, body), encoding="utf-8")
    check_fits(compiled(tmp_path))


@pytest.mark.slow
@needs_latex
def test_the_example_of_a_paper_takes_tables_and_figures_as_they_are(tmp_path: Path) -> None:
    """Its own comment says how they are made."""
    made, folder = results_of(suite()), tmp_path / "results" / "paper"
    metrics = Choice(metrics=("mae", "rmse"), beside=True)
    write_files(folder, table_files(made, ["short_term"], metrics) | table_files(made, ["per_horizon"]))
    write_files(folder, figure_files(made, ["per_horizon", "seeds"], Look(width="column", formats=(".pdf",))))
    maps = results_of([mapped(model=model) for model in ("last_value", "stid")])
    write_files(folder, figure_files(maps, ["maps"], Look(formats=(".pdf",))))
    shutil.copy(EXAMPLE, tmp_path)
    for _ in range(2):  # the second time it knows its own numbers
        log = compiled(tmp_path)
    assert "There is no " not in log
    assert "Reference" not in log
    assert "Overfull" not in log


def test_columns_are_split_where_a_page_ends_and_those_below_one_name_stay_together() -> None:
    made = results_of(
        [record(f"city{city:02d}", "stid", mae=1000.5, seed=seed) for city in range(16) for seed in (0, 1)]
    )
    text = latex("short_term", made.table("short_term", beside=True))
    assert text.count(r"\begin{table") == text.count("(part ") > 2
    for head in re.findall(r"\\toprule\n(.*?) \\\\", text):
        assert set(re.findall(r"multicolumn\{(\d)\}", head)) == {"2"}
    assert text.count("Mean $") == 1  # the notes stand once


def test_a_long_table_comes_in_parts_of_a_page() -> None:
    rows = [Header(name=f"row {number}") for number in range(100)]
    table = Table(
        key="long",
        heading="Long",
        corner="MAE",
        rows=tuple(rows),
        columns=(Header(name="one"),),
        cells=((Cell(value="1"),),) * 100,
    )
    text = latex("long", TableFile(title="", tables=(table,)))
    assert [text.count(f"(part {number} of 3)") for number in (1, 2, 3)] == [1, 1, 1]
    assert all(text.count(f"row {number} &") == 1 for number in range(100))


def test_what_is_said_instead_of_rows_stands_in_the_paper_too() -> None:
    text = latex("ranks", results_of([record()]).table("ranks"))
    assert "No ranking: it takes 2 real data sets" in text
    assert "tabular" not in text


def test_long_notes_stand_once_and_later_tables_name_the_one_that_has_them() -> None:
    text = latex("short_term", results_of(suite(models=3)).table("short_term"))
    mae, rmse = re.findall(r"\\begin\{table.*?\\end\{table", text, re.DOTALL)[:2]
    assert "Mean $\\pm$ sample standard deviation" in mae.replace("~", " ")
    assert "Mean" not in rmse
    assert r"stands below Table~\ref{tab:short-term-1-mae}." in rmse
    assert "synthetic data, not the real data set" in mae, "marks are told below each table"
    assert "synthetic data, not the real data set" in rmse
    parts = [named("Few words.", "a"), named("Few words.", "b")]
    assert latex("own", TableFile(title="", tables=tuple(parts))).count("Few words.") == 2


def named(note: str, heading: str) -> Table:
    cells = ((Cell(value="1"),),)
    header = (Header(name="one"),)
    return Table(key="k", heading=heading, corner="MAE", rows=header, columns=header, cells=cells, notes=(note,))


def test_a_heading_of_a_column_has_three_lines_at_most_and_an_arrow_stays_with_its_numbers() -> None:
    column = Header(name="reference better / worse / equivalent / open")
    table = dataclasses.replace(named("", "Task short: 6 → 6 steps"), columns=(column,))
    text = latex("own", TableFile(title="", tables=(table,)))
    assert r"6~$\rightarrow$~6 steps" in text
    assert r"}reference\\better~/ worse~/\\equivalent~/ open\end{tabular}" in text


def test_a_narrow_table_stands_in_a_column_and_a_wide_one_across_the_page() -> None:
    one = results_of([record(), record(model="ridge")])
    assert r"\begin{table}" in latex("short_term", one.table("short_term"))
    many = results_of([record(f"city{number}") for number in range(6)])
    wide = many.table("short_term", beside=True)
    assert r"\begin{table*}" in latex("short_term", wide)
    assert r"\begin{table*}" not in latex("short_term", wide, "one-column")
    with pytest.raises(UnknownNameError, match="two-column"):
        latex("short_term", wide, "two")


def test_letters_that_pdf_latex_does_not_know_are_named_on_top() -> None:
    made = record("taxis")
    named = replace(made, label=replace(made.label, dataset_title="北京 & Łódź"))
    first, second, *_ = latex("short_term", results_of([named]).table("short_term")).splitlines()
    assert first == r"% needs \usepackage{booktabs,graphicx}"
    assert second == "% pdfLaTeX does not know 京北: use LuaLaTeX or XeLaTeX, and a font that has them"
    assert "pdfLaTeX" not in latex("short_term", results_of([made]).table("short_term"))


def test_a_mark_has_room_of_its_own_in_every_row_of_its_column_so_that_no_digit_moves() -> None:
    mark = r"$^{\bigtriangledown}$"
    rows = tuple(Header(name=name) for name in ("one", "two", "three"))
    cells = tuple(
        (Cell(value="1.0"), cell, Cell(value="3.0"))
        for cell in (
            Cell(value="2.0", flags=("below_naive",)),
            Cell(value="2.5", rank="best"),
            Cell(value="9.0", flags=("stale",)),
        )
    )
    columns = tuple(Header(name=name) for name in "abc")
    lines = latex(
        "t",
        TableFile(
            title="t", tables=(Table(key="mae", heading="h", corner="c", rows=rows, columns=columns, cells=cells),)
        ),
    ).splitlines()
    assert f"one & 1.0 & 2.0{mark} & 3.0 \\\\" in lines
    assert f"two & 1.0 & \\textbf{{2.5}}\\phantom{{{mark}}} & 3.0 \\\\" in lines
    assert any(line.startswith("three & 1.0 & 9.0 ") and "phantom" not in line for line in lines)


def test_a_mark_behind_a_number_stands_beside_it_and_commands_are_for_no_reader() -> None:
    cells = ((Cell(value="1.0"), Cell(value="2.0", flags=("below_naive",)), Cell(flags=("missing",))),)
    columns = tuple(Header(name=name) for name in "abc")
    notes = ("Nothing is claimed; use `--profile paper`.",)
    table = Table(
        key="mae", heading="h", corner="c", rows=(Header(name="m"),), columns=columns, cells=cells, notes=notes
    )
    text = latex("t", TableFile(title="t", tables=(table,)))
    assert r"m & 1.0 & 2.0$^{\bigtriangledown}$ & ---" in text
    assert "Nothing is claimed." in text
