"""A paper that includes every table compiles, and no table is wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from records import record, runs_of, suite
from studies import tuned

from bench.analysis.tables.overviews import MAKERS, overviews
from bench.analysis.tables.scores import write_tables
from bench.analysis.tables.tuning_ledger import write_ledger
from bench.runs.suite import layouts, suite_names
from bench.runs.tuned import TunedFolder

WIDEST = 1.0  # points beyond the text that no eye sees
PROGRAM = next((name for name in ("pdflatex", "lualatex") if shutil.which(name)), None)
ORDER = ["-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape"]
PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
%s
\begin{document}
%s
\end{document}
"""


def records() -> list[dict[str, object]]:
    """Every kind of table: many models and steps, ablation, controls, published numbers, stand-ins and failures."""
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


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Every table as LaTeX."""
    everything = layouts(suite_names())
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned())
    runs = runs_of(records())
    files = write_tables(runs, tmp_path / "tables", everything, overviews([*MAKERS], everything))
    return [path for path in (*files, *write_ledger(tmp_path)) if path.suffix == ".tex"]


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="no LaTeX; install texlive-latex-extra")
def test_a_paper_with_every_table_compiles_and_all_of_them_fit(tables: list[Path], tmp_path: Path) -> None:
    wanted = {"short_term", "long_term", "few_shot", "ablation", "controls", "published", "tuning_ledger", *MAKERS}
    assert wanted <= {path.stem for path in tables}
    needed = {
        re.findall(r"\\usepackage\{[\w,]+\}", path.read_text(encoding="utf-8").splitlines()[0])[0] for path in tables
    }
    body = "\n".join(rf"\input{{tables/{path.name}}}\clearpage" for path in tables)
    (tmp_path / "paper.tex").write_text(PAPER % ("\n".join(sorted(needed)), body), encoding="utf-8")
    done = subprocess.run(
        [str(PROGRAM), *ORDER, "paper.tex"], cwd=tmp_path, capture_output=True, timeout=120, check=False
    )
    log = (tmp_path / "paper.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(over, default=0.0) <= WIDEST
    assert "Float too large" not in log
