"""The import contracts in pyproject.toml name every module, so that none escapes them."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_module_is_either_contract_or_application():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    first = settings["tool"]["importlinter"]["contracts"][0]
    named = [*first["source_modules"], *(name for name in first["forbidden_modules"] if name.startswith("bench."))]
    rooms = [path.parent for path in (ROOT / "bench").glob("*/__init__.py") if path.parent.name != "perf"]
    files = [path for path in (ROOT / "bench").glob("*.py") if path.stem != "__init__"]
    found = [f"bench.{path.stem}" for path in (*files, *rooms)]
    assert sorted(named) == sorted(found)
