"""The tuning ledger: what every model was given, from the files of tuned settings alone."""

from __future__ import annotations

import pandas as pd
import pytest
from studies import tuned

from bench.analysis.tables.tuning_ledger import differing, write_ledger
from bench.runs.tuned import TunedFolder


@pytest.fixture
def written(tmp_path):
    folder = TunedFolder(tmp_path)
    folder.write("tiny", "stid", "short", tuned())
    folder.write("tiny2", "stid", "short", tuned(failed=3, default_mae=None, stand_in=True))
    folder.write("tiny", "stid", "long", tuned(task="long"))
    return write_ledger(tmp_path)


def test_the_ledger_says_what_was_asked_used_and_found(written):
    markdown, _, csv = (path.read_text(encoding="utf-8") for path in written)
    assert "| tiny / stid | 4 trials | 4 | 1 | 0 | 12 | 4.5 | 4.25 | train.epochs=2 |  |" in markdown
    assert "| tiny2 / stid † | 4 trials | 4 | 1 | 3 | 12 |  | 4.25 |" in markdown
    assert markdown.count("## Task") == 2
    assert pd.read_csv(written[2])["failed"].tolist() == [0, 0, 3]
    assert csv.startswith("dataset,model,task,")


def test_an_edit_by_hand_is_told_and_a_lost_ledger_is_noticed(written, tmp_path):
    path = TunedFolder(tmp_path).path("tiny", "stid", "short")
    path.write_text(path.read_text(encoding="utf-8").replace("width = 64", "width = 16"), encoding="utf-8")
    assert differing(tmp_path) == [written[0], written[1], written[2]]
    write_ledger(tmp_path)
    assert "train.epochs=2 | yes |" in written[0].read_text(encoding="utf-8")
    assert differing(tmp_path) == []
    written[1].unlink()
    assert differing(tmp_path) == [written[1]]


def test_without_tuned_settings_there_is_no_ledger(written, tmp_path):
    for file in (tmp_path / "tuned").glob("*/*.toml"):
        file.unlink()
    assert write_ledger(tmp_path) == []
    assert not any(path.exists() for path in written)
