"""Related data sets: who is related to whom, and where a reader is told."""

from __future__ import annotations

import subprocess
import sys

import pytest
from msgspec.structs import replace
from records import in_cities, record, results_of, trained_on
from reports import report, words
from variants import variant

from bench.analysis.report.headline import headline
from bench.analysis.table import Table
from bench.analysis.witnesses import TRAINING, Origin, origin, witnesses
from bench.catalog import registry
from bench.runs.suite import load_suites

CARD = """
from dataclasses import replace

from datasets.bikenyc import CARD as BIKES, read

CARD = replace(BIKES, name="{name}", title="{name}", source="")
"""
SHORT = load_suites(["short_term"])


def from_somewhere(dataset, city="", source=""):
    made = record(dataset)
    return replace(made, label=replace(made.label, city=city, source=source))


def families(*records):
    return [*witnesses(records).families]


def test_the_data_sets_of_the_suite_are_of_four_cities_or_sources():
    made = witnesses(record(name) for name in SHORT[0].datasets)
    assert made.text == "10 data sets in 4 unrelated groups"
    assert [*made.families] == [
        ("bikenyc", "bikenyc2", "taxinyc", "taxinyc2"),
        ("cellular", "crowd"),
        ("taxibj", "tdrive"),
        ("trafficjn", "trafficsh"),
    ]
    assert "taxibj and tdrive (Beijing)" in made.related
    assert "trafficjn and trafficsh (road speeds of UniST's collection)" in made.related


def test_data_of_a_users_own_are_related_by_the_city_and_the_source_on_their_card():
    bus, tram, other = from_somewhere("bus", "Oslo"), from_somewhere("tram", "Oslo"), from_somewhere("other")
    assert families(bus, tram, other) == [("bus", "tram"), ("other",)]
    assert families(from_somewhere("bus", source="Ruter"), from_somewhere("tram", "Oslo", "Ruter")) == [("bus", "tram")]
    assert families(record("bikenyc"), from_somewhere("bus", "New York City")) == [("bikenyc", "bus")]


def test_what_a_card_leaves_open_relates_nobody():
    assert families(from_somewhere("bus"), from_somewhere("tram")) == [("bus",), ("tram",)]
    assert witnesses([from_somewhere("bus"), from_somewhere("tram")]).text == "2 data sets"
    assert witnesses([from_somewhere("bus"), from_somewhere("tram")]).related == ""


def test_relations_reach_further_than_one_step():
    made = [from_somewhere("a", "Oslo"), from_somewhere("c", source="Ruter"), from_somewhere("b", "Oslo", "Ruter")]
    assert families(*made) == [("a", "b", "c")]
    assert witnesses(made).text == "3 related data sets"
    assert (
        witnesses(made).related == "Related, and so no independent witnesses: a, b and c (in part Oslo, in part Ruter)."
    )


def test_the_card_of_a_known_data_set_counts_whatever_an_old_record_lacks():
    assert origin(record("bikenyc")) == Origin("New York City", "Citi Bike")


def transferred(**sources):
    """Runs of the task of transfer, by their data set with the names of their sources."""
    return [trained_on(record(name, "unet", task="transfer"), *names.split()) for name, names in sources.items()]


@pytest.mark.parametrize(
    ("sources", "shared"),
    [
        ({"taxibj": "bikedc crowd", "bikenyc": "bikedc flowsh"}, (TRAINING,)),  # one data set
        ({"taxibj": "crowd", "bikenyc": "cellular"}, (TRAINING,)),  # two of one city
        ({"taxibj": "bikedc", "bikenyc": "taxibj"}, (TRAINING,)),  # one is the other's source
        ({"taxibj": "bikenyc2", "bikenyc": "bikedc"}, (TRAINING,)),  # one is of a city of the other's source
        ({"taxinyc": "bikedc", "bikenyc": "trafficsh"}, ("New York City",)),
        ({"taxinyc": "bikedc", "bikenyc": "bikedc"}, ("New York City", TRAINING)),
    ],
)
def test_results_with_data_in_common_are_related(sources, shared):
    made = witnesses(transferred(**sources))
    assert made.families == {tuple(sorted(sources)): shared}
    assert made.text == "2 related data sets"
    assert made.related.endswith(f" ({', '.join(shared)}).")


def test_results_without_data_in_common_are_not_related():
    made = transferred(taxibj="bikedc", bikenyc="trafficsh")
    assert families(*made) == [("bikenyc",), ("taxibj",)]
    assert witnesses(made).text == "2 data sets"


def test_what_any_run_on_a_data_set_was_trained_on_counts():
    made = transferred(taxibj="bikedc", bikenyc="bikedc")
    assert families(record("taxibj", "last_value"), *made, record("bikenyc", "last_value")) == [("bikenyc", "taxibj")]


def test_a_source_of_the_users_own_relates_by_its_name_and_by_its_city_if_a_record_says_it():
    bus, tram = from_somewhere("bus", "Bergen"), from_somewhere("tram", "New York City")
    assert families(*transferred(taxibj="bus", bikenyc="bus"), bus) == [("bikenyc", "bus", "taxibj")]
    assert families(*transferred(taxibj="bus", bikenyc="trafficsh"), bus) == [("bikenyc",), ("bus", "taxibj")]
    assert families(*transferred(taxibj="tram", bikenyc="bikedc"), tram) == [("bikenyc", "taxibj", "tram")]


def test_a_source_of_which_no_record_says_where_it_is_from_relates_all():
    made = witnesses([*transferred(taxibj="bus", bikenyc="trafficsh"), record("cellular")])
    assert (made.text, {*made.families}) == ("3 related data sets", {("bikenyc", "cellular", "taxibj")})
    assert made.related.endswith("bikenyc, cellular and taxibj (training data of unknown origin).")
    both = witnesses(transferred(taxibj="bus", bikenyc="bus"))
    assert [*both.families.values()] == [(TRAINING, "training data of unknown origin")]


def test_equal_records_give_equal_relations_whatever_is_registered_here(tmp_path, monkeypatch):
    made = [*transferred(taxibj="bus", bikenyc="bikedc"), from_somewhere("tram", "Oslo"), from_somewhere("ferry")]
    for known in (made, made[2:]):
        before = witnesses(known)
        monkeypatch.setenv("STBENCH_PLUGINS", str(tmp_path))
        for name in ("bus", "tram", "ferry"):
            (tmp_path / f"{name}.py").write_text(CARD.format(name=name))
        assert registry.load("dataset", "bus").CARD.city == "New York City"
        assert witnesses(known) == before
        monkeypatch.delenv("STBENCH_PLUGINS")


def test_a_claim_about_transfer_counts_related_targets_as_one_and_what_is_said_of_the_data_alone_does_not():
    changes = {"model.identity": False, "model.places": False, "model.patch": 2}
    made = [
        trained_on(variant(mae, control, weights=weights, task="transfer", overrides=changes, **run), "bikedc")
        for run in ({"dataset": name, "seed": seed} for name in ("taxibj", "bikenyc") for seed in range(3))
        for mae, control, weights in ((1.0, "none", "pretrained"), (2.0, "identity", "none"))
    ]
    suites = load_suites(["transfer"])
    results = results_of(made, suites=suites)
    head = headline(results, suites)
    assert any("better in 2, " in text and "2 related data sets" in text for text in head["answers"])
    assert "elated" not in head["state"]
    table = results.table("transfer")._repr_markdown_()
    assert f"no independent witnesses: bikenyc and taxibj ({TRAINING})." in table


def test_a_data_set_whose_file_is_broken_is_related_as_its_record_says(tmp_path, monkeypatch):
    (tmp_path / "harbour.py").write_text("CARD = 1\ndef read(folder): ...\nraise ValueError")
    monkeypatch.setenv("STBENCH_PLUGINS", str(tmp_path))
    assert families(from_somewhere("harbour", "Oslo"), from_somewhere("bus", "Oslo")) == [("bus", "harbour")]


def in_real_cities():
    names = ("bikenyc", "taxinyc", "crowd", "taxibj")
    return [
        record(name, model, mae=mae, seed=seed)
        for name in names
        for mae, model in enumerate(("stid", "simvp", "convlstm"), 1)
        for seed in range(2)
    ]


def test_the_table_and_the_figure_of_ranks_and_the_report_say_who_is_related():
    results = results_of(in_real_cities(), suites=SHORT)
    table: Table = results.table("ranks").tables[0]
    assert table.notes[0].startswith("MAE, means over seeds, on 4 data sets in 3 unrelated groups: ")
    assert "bikenyc and taxinyc (New York City)" in table.notes[1]
    assert table.notes[1].endswith("so they are rather too sure.")
    (figure,) = results.plot("ranks")
    text = " ".join(" ".join(piece.get_text().split()) for piece in figure.texts)
    assert "4 data sets in 3 unrelated groups" in text
    page = words(report(in_real_cities()))
    assert "real data, 4 data sets in 3 unrelated groups); " in page
    assert "Related, and so no independent witnesses: bikenyc and taxinyc (New York City)." in page


def test_nothing_is_said_of_relations_where_there_are_none():
    notes = results_of(in_cities(), suites=SHORT).table("ranks").tables[0].notes
    assert not any("elated" in note for note in notes)


def test_relations_are_told_without_torch():
    looked_up = "import sys; from bench.analysis import witnesses; witnesses._of_card('bikenyc')"
    subprocess.run([sys.executable, "-c", f"{looked_up}; assert 'torch' not in sys.modules"], check=True)
