"""The tuning ledger: what every model was given, from the files of tuned settings alone."""

from __future__ import annotations

import pytest
from records import results_of
from studies import tuned

from bench.analysis.formats.files import differences, table_files, write_files
from bench.analysis.formats.latex import latex
from bench.runs.tuned import TunedFolder


def results(folder):
    return results_of([], tuned=list(TunedFolder(folder).files()))


def files(folder):
    return table_files(results(folder), ["tuning_ledger"])


@pytest.fixture
def written(tmp_path):
    folder = TunedFolder(tmp_path)
    folder.write("tiny", "stid", "short", tuned())
    folder.write("tiny2", "stid", "short", tuned(failed=3, default_mae=None, synthetic=True))
    folder.write("tiny", "stid", "long", tuned(task="long"))
    return write_files(tmp_path / "tables", files(tmp_path))


def test_the_ledger_says_what_was_asked_used_and_found(written, tmp_path):
    markdown, _, csv = (path.read_text(encoding="utf-8") for path in written)
    assert "| tiny / stid | 4 trials | 4 | 1 | 0 | 12 | 4.5 | 4.25 |  | train.epochs=2 |  |" in markdown
    assert "| tiny2 † / stid | 4 trials | 4 | 1 | 3 | 12 |  | 4.25 |" in markdown
    assert "† synthetic data, not the real data set" in markdown
    assert markdown.count("## Task") == 2
    assert results(tmp_path).table("tuning_ledger").csv[""]["failed"].tolist() == [0, 0, 3]
    assert csv.startswith("dataset,model,task,")


def test_a_variant_has_a_row_of_its_own_and_the_edge_of_a_range_is_told(tmp_path):
    folder = TunedFolder(tmp_path)
    edges = {"variant": ("model.control=shuffled",), "edges": ("model.depth", "train.lr")}
    folder.write("tiny", "stvfm", "short", tuned(**edges), "control-shuffled")
    markdown = files(tmp_path)["tuning_ledger.md"].decode()
    assert "| best | at the edge of its range | fixed |" in markdown
    assert (
        "| tiny / stvfm@control-shuffled | 4 trials | 4 | 1 | 0 | 12 | 4.5 | 4.25 | depth, lr | train.epochs=2 |"
        in markdown
    )
    facts = results(tmp_path).table("tuning_ledger").csv[""]
    assert (facts["variant"].tolist(), facts["edges"].tolist()) == (
        ["model.control=shuffled"],
        ["model.depth; train.lr"],
    )


def test_data_set_and_model_are_marked_at_their_names(tmp_path):
    TunedFolder(tmp_path).write("tiny", "stvfm", "short", tuned(weights="random", synthetic=True))
    markdown = files(tmp_path)["tuning_ledger.md"].decode()
    assert "| tiny † / stvfm ‡ | 4 trials |" in markdown
    legend = "† synthetic data, not the real data set; ‡ random instead of pre-trained weights"
    assert markdown.splitlines()[-1] == legend


def test_an_edit_by_hand_is_told_and_a_lost_ledger_is_noticed(written, tmp_path):
    path = TunedFolder(tmp_path).path("tiny", "stid", "short")
    path.write_text(path.read_text(encoding="utf-8").replace("width = 64", "width = 16"), encoding="utf-8")
    folder = tmp_path / "tables"
    assert list(differences(folder, files(tmp_path))) == [path.name for path in written]
    write_files(folder, files(tmp_path))
    assert "train.epochs=2 | yes |" in written[0].read_text(encoding="utf-8")
    assert differences(folder, files(tmp_path)) == {}
    written[1].unlink()
    assert list(differences(folder, files(tmp_path))) == [written[1].name]


def test_settings_written_by_hand_for_two_tasks_stand_in_rows_of_one_name(tmp_path):
    (tmp_path / "tuned" / "tiny").mkdir(parents=True)
    for name in ("stid", "stid.long"):
        (tmp_path / "tuned" / "tiny" / f"{name}.toml").write_text("[model]\nwidth = 16\n", encoding="utf-8")
    table = results(tmp_path).table("tuning_ledger")
    assert [each.heading for each in table.tables] == ["Written by hand"]
    assert latex("tuning_ledger", table).count("tiny / stid &") == 2


def test_without_tuned_settings_there_is_no_ledger(written, tmp_path):
    for file in (tmp_path / "tuned").glob("*/*.toml"):
        file.unlink()
    assert write_files(tmp_path / "tables", files(tmp_path)) == []
    assert not any(path.exists() for path in written)
