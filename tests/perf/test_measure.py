"""Ratios of paired times, the order in which things are timed, and the table of a measurement."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import bench.perf
from bench.perf._measure import Measurement, Ratio, in_turn, markdown, ratio_of, report

MADE = Measurement(
    name="toy",
    title="Toys.",
    rows=[{"model": "a|b", "threads": 1, "s": 1.234, "over": ratio_of([3.0], [2.0]), "holds": True, "peak": None}],
    facts={"rounds": 3},
)


def test_a_ratio_is_the_median_of_the_ratios_of_pairs_and_not_that_of_medians():
    ratio = ratio_of([1.0, 2.0, 30.0, 8.0, 5.0], [1.0, 1.0, 10.0, 2.0, 1.0])
    assert (ratio.low, ratio.median, ratio.high, ratio.pairs) == (2.0, 3.0, 4.0, 5)


def test_times_that_are_no_pairs_have_no_ratio():
    with pytest.raises(ValueError, match="argument"):
        ratio_of([1.0, 2.0], [1.0])


def test_one_pair_is_its_own_ratio():
    assert ratio_of([3.0], [2.0]) == Ratio(median=1.5, low=1.5, high=1.5, pairs=1)


def test_things_are_timed_in_turn_and_none_is_always_the_first():
    order = []

    def timed(name):
        def once():
            order.append(name)
            return float(len(order))

        return once

    assert in_turn(3, timed("a"), timed("b")) == [[1.0, 4.0, 5.0], [2.0, 3.0, 6.0]]
    assert "".join(order) == "abbaab"


def test_a_table_is_markdown_with_numbers_to_the_right():
    title, _, head, sides, row, _, measured, _ = markdown(MADE).split("\n")
    assert title == "Toys."
    assert head == "| model | threads | s | over | holds | peak |"
    assert sides == "|---|---:|---:|---|---|---|"
    assert row == "| a\\|b | 1 | 1.23 | 1.50 (1.50 to 1.50) | yes | — |"
    assert measured.startswith("Measured on ")


def test_a_report_is_printed_and_written_where_it_is_wanted(tmp_path, capsys):
    report(MADE, tmp_path / "new")
    assert (tmp_path / "new" / "toy.md").read_text() == markdown(MADE)
    assert markdown(MADE) in capsys.readouterr().out
    written = json.loads((tmp_path / "new" / "toy.json").read_text())
    assert written["rows"][0]["over"] == {"median": 1.5, "low": 1.5, "high": 1.5, "pairs": 1}
    assert (written["rounds"], written["title"]) == (3, "Toys.")
    assert {"cores", "torch"} <= written.keys()


def test_a_page_has_the_table_of_every_script_that_writes_one():
    perf = Path(bench.perf.__file__).parent
    scripts = {path.stem for path in perf.glob("[a-z]*.py") if "Measurement(name=" in path.read_text()}
    page = (perf.parents[1] / "docs" / "performance.md").read_text()
    assert scripts >= {"bare_loop", "basicts", "openstl", "first_command", "jobs"}
    included = set(re.findall(r"\{include\} performance/(\w+)\.md", page))
    assert included == scripts | {"memory_4_gb"}  # by the same script as the table of memory
    assert {name for name in scripts if f"python -m bench.perf.{name} " in page} == scripts
