"""Files declared equal: one line keeps the runs of all that stands on a file, and a line without sense is refused."""

from __future__ import annotations

import re

import pytest
from projects import ROOT, Codes, Project

from bench.catalog import registry
from bench.catalog.code import OURS, file_digest
from bench.catalog.equal_code import first_of_equals
from bench.errors import ConfigError

TABLE = "bench/catalog/equal_code.toml"
A, B, C = "a" * 16, "b" * 16, "c" * 16


def entry(old: str, new: str, why: str = "the same sum in another order") -> str:
    return f'[[equal]]\nold = "{old}"\nnew = "{new}"\nwhy = "{why}"\n'


def declare(project: Project, entries: str) -> None:
    """Add entries to the table that the project has."""
    project.write(TABLE, (ROOT / TABLE).read_text(encoding="utf-8") + entries)


@pytest.fixture
def before(project: Project) -> Codes:
    return project.codes()


def rewritten(project: Project, file: str, old: str, new: str) -> str:
    """The entry for an edit."""
    digest = file_digest(project.root / file)
    project.edit(file, old, new)
    return entry(digest, file_digest(project.root / file))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("bench/settings.py", "slots * 70 // 100", "70 * slots // 100"),
        ("baselines/_language.py", "sys.maxsize", "(sys.maxsize)*1"),
        ("baselines/stid.py", "(3 + config.identity) * config.width", "config.width * (3 + config.identity)"),
        ("datasets/_io.py", "[:200]", "[0:200]"),
    ],
)
def test_a_declared_equality_of_one_file_keeps_all_codes(
    project: Project, before: Codes, file: str, old: str, new: str
) -> None:
    line = rewritten(project, file, old, new)
    assert project.codes() != before
    declare(project, line)
    assert project.codes() == before


def test_a_chain_of_equalities_leads_to_the_first(project: Project, before: Codes) -> None:
    first = rewritten(project, "bench/metrics.py", "100 * s.ratio", "s.ratio * 100")
    second = rewritten(project, "bench/metrics.py", "100 * s.absolute", "s.absolute * 100")
    declare(project, second + first)
    assert project.codes() == before
    declare(project, second)
    assert project.codes() != before


def test_a_declared_equality_forgives_nothing_but_its_own_edit(project: Project, before: Codes) -> None:
    declare(project, rewritten(project, "bench/metrics.py", "100 * s.ratio", "s.ratio * 100"))
    project.edit("bench/metrics.py", "100 * s.absolute", "s.absolute * 100")
    assert all(before[pair] != code for pair, code in project.codes().items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[equal]\n", "cannot be read"),
        ('[[equals]]\nold = "x"\n', "holds equals"),
        ("equal = 3\n", "may hold [[equal]] entries alone"),
        (entry(A, B) + 'who = "me"\n', "is not made of the texts old, new and why"),
        (f'[[equal]]\nold = "{A}"\nnew = "{B}"\n', "is not made of the texts old, new and why"),
        (f'[[equal]]\nold = "{A}"\nnew = 3\nwhy = "x"\n', "is not made of the texts old, new and why"),
        (entry(A[1:], B), "wanted 16 hexadecimal digits"),
        (entry(A, "g" * 16), "wanted 16 hexadecimal digits"),
        (entry(A, B, " "), "does not say why"),
        (entry(A, A), "equal to itself"),
        (entry(A, B) + entry(B, C) + entry(C, A), "equal to itself"),
        (entry(A, C) + entry(B, C), f"declares {C} equal to two others"),
    ],
)
def test_a_table_without_sense_is_one_sentence_that_names_the_file(project: Project, text: str, message: str) -> None:
    project.write(TABLE, text)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        project.codes()
    assert TABLE in str(caught.value)
    assert "\n" not in str(caught.value)


def test_our_own_table_makes_sense_and_names_files_that_there_are() -> None:
    equal = first_of_equals(registry.ROOT / TABLE)
    last = set(equal) - set(equal.values())
    files = [path for package in OURS for path in (ROOT / package).rglob("*.py")] if last else []
    assert last <= {file_digest(path) for path in files}
