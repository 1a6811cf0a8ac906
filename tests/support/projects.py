"""A copy of the project's packages that a test may edit; each file it touched is put back afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.catalog import registry
from bench.catalog.code import OURS, codes_of

ROOT = Path(__file__).resolve().parents[2]
HEAD = "from __future__ import annotations\n"  # of nearly every file
DATASETS = ("bikedc", "taxibj", "citybus")  # an array, UniST's files too, and a user's own without a reader

Codes = dict[tuple[str, str], str]


class Project:
    """The copy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._touched: set[str] = set()
        for package in OURS:
            shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, file: str, text: str) -> None:
        self._touched.add(file)
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace what occurs in the file, wherever it occurs."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        self.write(file, text.replace(old, new))

    def move(self, old: str, new: str) -> None:
        self.write(new, (self.root / old).read_text(encoding="utf-8"))
        self._touched.add(old)
        (self.root / old).unlink()

    def importers(self, module: str) -> list[str]:
        """The files that import names of a module."""
        paths = (path for package in OURS for path in sorted((self.root / package).rglob("*.py")))
        wanted = f"from {module} import"
        return [str(path.relative_to(self.root)) for path in paths if wanted in path.read_text(encoding="utf-8")]

    def codes(self, datasets: Iterable[str] = DATASETS) -> Codes:
        """Of each data set and model."""
        return codes_of((dataset, model) for dataset in datasets for model in registry.model_names())

    def put_back(self) -> None:
        for file in self._touched:
            (self.root / file).unlink(missing_ok=True)
            if (ROOT / file).is_file():
                shutil.copy2(ROOT / file, self.root / file)
        self._touched.clear()
