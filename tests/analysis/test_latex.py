"""A paper that includes every table compiles, and no table is wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from records import record, results_of, suite
from studies import tuned

from bench.analysis.formats.files import table_files, write_files
from bench.analysis.results import artefacts
from bench.runs.suite import suite_names
from bench.runs.tuned import TunedFile

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


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Every table as LaTeX."""
    results = results_of(records(), tuned=[TunedFile(dataset="tiny", model="stid", tuned=tuned(synthetic=True))])
    files = table_files(results, [*suite_names(), *artefacts("tables")])
    return [path for path in write_files(tmp_path / "tables", files) if path.suffix == ".tex"]


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="no LaTeX; install texlive-latex-extra")
def test_a_paper_with_every_table_compiles_and_all_of_them_fit(tables: list[Path], tmp_path: Path) -> None:
    wanted = {"short_term", "long_term", "few_shot", "ablation", "controls", "published", *artefacts("tables")}
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
