"""Text broken into lines."""

from __future__ import annotations

from records import results_of
from reference_runs import reference_runs

from bench.analysis.first_screen import first_screen
from bench.analysis.lines import wrapped


def test_words_are_broken_at_hyphens_only_where_one_is_longer_than_a_line():
    assert [line for line in first_screen(results_of(reference_runs()), "here").splitlines() if line[-1:] == "-"] == []
    assert wrapped("a pre-trained  model", 6) == "a\npre-trained\nmodel"
    assert wrapped("some pre-trained model", 12, first="- ", later="  ") == "- some\n  pre-trained\n  model"
    assert wrapped("some pre-trained model", 12, cut=True) == "some\npre-trained\nmodel"
    assert wrapped("Beijing-Taxi-2015", 10, cut=True) == "Beijing-\nTaxi-2015"
    assert wrapped("abcdefgh", 5, cut=True) == "abcde\nfgh"
    assert wrapped("", 5, cut=True) == ""
