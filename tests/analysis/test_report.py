"""The report as a text."""

from __future__ import annotations

import re
import struct

import msgspec
import pytest
from records import in_cities, record, results_of, suite
from reports import failing, hostile, report, words
from studies import tuned
from variants import controls, variant

from bench.analysis.figures._files import Picture
from bench.analysis.formats.files import write_files
from bench.analysis.formats.html import grid
from bench.analysis.report import facts, page
from bench.analysis.report.facts import without_paths
from bench.analysis.report.headline import headline
from bench.analysis.report.page import encoded
from bench.analysis.table import Header
from bench.errors import StoreError
from bench.records.record import SplitRanges
from bench.runs.suite import Suite, load_suite
from bench.runs.tuned import TunedFolder


def answers(records, suite):
    """What the headline says of the comparison of one suite."""
    said = headline(results_of(records, suites=[suite]), [suite])["answers"]
    return [answer for answer in said if answer.startswith(suite.question)]


@pytest.fixture(scope="module")
def full():
    """Real and synthetic data, ranks, a quick profile, random weights, a failure."""
    return [*suite(), *suite("quick", seeds=1)]


@pytest.mark.slow
def test_equal_records_give_equal_bytes_in_any_order(full):
    assert report(full, figures=True) == report(full[::-1], figures=True)


def test_the_headline_counts_what_is_there(full):
    text = words(report(full))
    assert "50 finished runs, 2 failed, 0 stale; 3 data sets (2 real, 1 synthetic)" in text
    assert "are on synthetic data: taxibj." in text
    assert "model_00 has the best average rank, 1.00" in text
    assert "this is no claim" in text
    assert "No number of this report may be quoted" not in text


def test_how_files_of_one_s_own_are_found_is_said_beside_the_commands(full):
    assert "STBENCH_PLUGINS" in words(report([record(model="mine")]))
    assert "STBENCH_PLUGINS" not in words(report([record(model="stid")]))


def test_what_is_all_quick_or_all_synthetic_is_said_aloud():
    assert "No number of this report may be quoted. Every model was trained in the quick" in words(
        report(suite("quick"))
    )
    assert "All data sets are synthetic" in words(report([record(synthetic=True)]))
    assert 'class="banner"' not in report([record()])
    assert "from random weights" in words(report([record(model="stvfm", weights="random")]))


def asked(records, **facts):
    """What the headline says was asked by a suite of these facts."""
    known = {"name": "mine", "tasks": ("short",), "protocol": "strict", "datasets": ("bikenyc",), **facts}
    suite = Suite(**known)
    (text,) = headline(results_of(records, suites=[suite]), [suite])["asked"]
    return text


def test_a_title_and_a_question_are_two_sentences_whatever_they_end_with():
    question = "Does width help?"
    assert asked([record()], title="Does it matter?", question=question) == f"Does it matter? {question}"
    assert asked([record()], title="Width", question="Does width help") == "Width. Does width help."
    assert asked([record()], title="Width") == "Width."


def test_the_tasks_of_a_suite_that_were_run_stand_behind_its_title():
    facts = {"title": "The last 1 % and 5 %", "tasks": ("few1", "few5", "short")}
    few = [record(task=task, windows="last") for task in ("few5", "few1")]
    assert asked(few[1:], **facts) == "The last 1 % and 5 % (task few1)."
    assert asked(few, **facts) == "The last 1 % and 5 % (tasks few1, few5)."
    assert asked([*few, record()], **facts) == "The last 1 % and 5 %."
    assert str(results_of(few[1:]).table("few_shot")).startswith(
        "# Few-shot forecasting, the last 1 %, 5 % and 10 % of training windows (task few1)\n"
    )


def test_recipes_stand_side_by_side_with_their_settings_down_the_page_and_nothing_that_was_not_trained_has_one():
    made = [record(), record(seed=1), record(epochs=5), record(model="last_value"), record(model="m", external=True)]
    table = facts.recipes(results_of(made).runs)
    assert [header.name for header in table.columns] == ["paper, 2 runs", "paper, 1 run"]
    rows = {header.name: [cell.value for cell in cells] for header, cells in zip(table.rows, table.cells, strict=True)}
    assert rows["epochs"] == ["2", "5"]
    assert len(rows) > 8


def test_random_weights_are_told_of_the_rows_that_have_them():
    controls = [record(model="stvfm", weights=weights) for weights in ("pretrained", "random", "none")]
    found = headline(results_of([*controls, record(model="visionts", weights="random")]), [])["cautions"]
    assert "Random instead of pre-trained weights in the rows marked ‡, and in no others, of stvfm." in found
    assert "Random instead of pre-trained weights in all runs of visionts, which are marked ‡." in found


def test_a_comparison_is_counted_on_real_data_and_its_missing_reference_is_named():
    shared = {"model": "stvfm", "weights": "random", "base": {}}
    made = [record(seed=seed, mae=1 + seed / 100, **shared) for seed in range(3)]
    made += [
        record(dataset, seed=seed, mae=1.2 + seed / 100, overrides={"model.control": "identity"}, **shared)
        for dataset in ("bikenyc", "taxinyc")
        for seed in range(3)
    ]
    made += [record("taxinyc", seed=seed, synthetic=True, **shared) for seed in range(3)]
    text = words(report(made))
    verdicts = "better in 1, worse in 0, equivalent in 0, open in 0 of 1 comparison on 1 data set (Task"
    assert f"On real data “random, frozen” is {verdicts}" in text
    assert "No current run of “pre-trained, frozen” is there, so this does not answer the question." in text


def test_planted_data_are_judged_one_by_one_and_not_called_real():
    made = [*controls("pretrained", dataset="shapes", synthetic=True)]
    made += [variant(1.0, weights="pretrained", dataset="noise", synthetic=True, seed=seed) for seed in range(3)]
    made += [variant(1.0, "identity", dataset="noise", synthetic=True, seed=seed) for seed in range(3)]
    controls_suite = load_suite("controls")
    planted, plain = (controls_suite.model_copy(update={"planted": answer}) for answer in (True, False))
    (answer,) = answers(made, planted)
    assert (
        "On synthetic data made for it “pre-trained, frozen” is better in 0, worse in 0, equivalent in 1, open in 0 of "
        "1 comparison on noise; better in 2, worse in 1, equivalent in 0, open in 0 of 3 comparisons on shapes (Task"
    ) in answer
    assert "real" not in answer
    assert "Nothing may be claimed of “pre-trained, frozen”, since all data are synthetic (" in answers(made, plain)[0]


@pytest.mark.parametrize("profile", ["quick", "laptop"])
def test_a_comparison_in_a_profile_of_short_training_says_that_nothing_may_be_claimed_of_it(profile):
    (answer,) = answers(controls("pretrained", profile=profile), load_suite("controls"))
    assert f"Nothing may be claimed of “pre-trained, frozen”, since the profile is {profile} (" in answer
    assert "better in" not in answer


def test_who_leads_in_the_laptop_profile_is_no_claim():
    made = in_cities(15, profile="laptop")
    (lead,) = headline(results_of(made), [load_suite("short_term")])["answers"]
    assert lead.startswith("Among 4 models, naive baselines apart, good has the best average rank, 1.00 (")
    assert lead.endswith("this is no claim, since the profile is laptop.")
    cautions = headline(results_of(made), [load_suite("short_term")])["cautions"]
    assert "75 of 75 finished runs are of the laptop profile, whose training is short." in cautions


@pytest.mark.parametrize(("cities", "none"), [(5, True), (6, False)])
def test_whether_the_data_sets_are_too_few_to_tell_any_two_models_apart_is_said(cities, none):
    """The least p of a signed-rank test over five is 0.0625, over six 0.03125, of which a correction is left."""
    (lead,) = headline(results_of(in_cities(cities, profile="paper")), [load_suite("short_term")])["answers"][:1]
    assert "this is no claim: Wilcoxon's test over data sets tells it apart from 0 of 3 others" in lead
    assert (f"others, and can tell none apart on {cities} data sets." in lead) is none


def test_models_of_one_average_rank_lead_together_and_a_naive_baseline_that_is_better_is_not_kept_back():
    cities = {"bikenyc": {"stid": 1.0, "unet": 1.2, "last_value": 0.9}, "city": {"stid": 1.2, "unet": 1.0}}
    cities["city"]["last_value"] = 1.1
    made = [record(city, model, mae=mae) for city, models in cities.items() for model, mae in models.items()]
    (lead,) = headline(results_of(made), [load_suite("short_term")])["answers"]
    assert lead.startswith("Among 2 models, naive baselines apart, stid and unet share the best average rank, 1.50 (")
    assert "; none leads alone. A naive baseline is better than stid on 2 and than unet on 1 of 2 data sets." in lead
    assert "A naive baseline" not in headline(results_of(in_cities()), [load_suite("short_term")])["answers"][0]


def test_a_question_whose_reference_has_no_current_run_is_said_to_have_no_answer():
    suite = load_suite("short_term")
    (asked,) = headline(results_of([record()], suites=[suite]), [suite])["asked"]
    absent = "No current run of “stvfm” is there, so nothing here answers it."
    assert asked.endswith(f"Does ST-VFM forecast better than the others? {absent}")
    (asked,) = headline(results_of([record(), variant(1.0)], suites=[suite]), [suite])["asked"]
    assert asked.endswith("Does ST-VFM forecast better than the others?")
    alone = load_suite("controls")
    lacking = [variant(1.0, "identity"), variant(1.0, "attention")]
    (asked,) = headline(results_of(lacking, suites=[alone]), [alone])["asked"]
    assert asked.endswith("No current run of “pre-trained, frozen” is there, so nothing here answers it.")


def test_every_text_of_a_record_is_escaped():
    text = report(hostile())
    assert "<script>window" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;window.hurt = 1&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text


def test_a_failure_is_shown_without_the_folders_of_the_machine():
    assert "cannot read …/x.npz" in report([failing("cannot read /home/anna/data/x.npz")])


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("in '/root/.cache/hub/a.bin': gone", "in '…/a.bin': gone"),
        (r"C:\Users\anna\a.bin", "…/a.bin"),
        ("~/data/a.bin", "…/a.bin"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("12 / 3 and 70/15/15 and timm/vit/model", "12 / 3 and 70/15/15 and timm/vit/model"),
    ],
)
def test_paths_lose_their_folders_and_addresses_keep_theirs(message, shown):
    assert without_paths(message) == shown


def test_the_scaler_of_few_windows_lies_in_the_training_part_though_it_is_not_fitted_on_all_of_it():
    run = record(task="few5")
    audit = msgspec.structs.replace(run.audit, scaler_fitted_on=(1990, 2100))
    assert "training part alone in all 1." in words(report([msgspec.structs.replace(run, audit=audit)]))


def test_audits_that_show_less_are_counted():
    good, bad = record(), record(seed=1)
    split = SplitRanges(train=(0, 70), val=(70, 85), test=(85, 100))
    audit = msgspec.structs.replace(good.audit, scaler_fitted_on=(0, 70), split=split, checkpoint_sha256="ab" * 32)
    worse = msgspec.structs.replace(audit, scaler_fitted_on=(0, 100), test_reads=2)
    text = words(report([msgspec.structs.replace(good, audit=audit), msgspec.structs.replace(bad, audit=worse)]))
    assert (
        "In all 2 finished runs some of the forecasts that were scored were made again: of 8 test windows each" in text
    )
    assert "training part alone in 1 of 2." in text
    assert "exactly once in 1 of 2." in text
    assert "0 to 70" in text
    assert "abababababab" in text


def test_the_report_says_which_models_were_audited_how() -> None:
    made = [record(seed=seed) for seed in range(3)]
    audits = [run.audit for run in made]
    older = msgspec.structs.replace(audits[0], forecasts=None)
    forecasts = msgspec.structs.replace(audits[1].forecasts, draws=5, fresh_in="copy", alone=0.00075)
    drawn = msgspec.structs.replace(audits[1], forecasts=forecasts)
    given = (older, drawn, audits[2])
    text = words(report([msgspec.structs.replace(run, audit=audit) for run, audit in zip(made, given, strict=True)]))
    assert (
        "In 2 of 3 finished runs some of the forecasts that were scored were made again: of 8 test windows each" in text
    )
    assert "in a process of its own in 1 of them. The largest difference of a scaled forecast was 0.00075." in text
    assert "In 1 of them the fresh copy shared the process of the scored model" in text
    assert "the scored model's process" in text.replace("&#39;", "'")
    assert "1 were of models that are random on purpose" in text
    assert "Earlier versions made 1 of the records; their models were not audited in this way." in text
    assert "It cannot show that a model reads no file" in text


def test_windows_of_several_protocols_say_whose_they_are():
    made = [record(), record(protocol="unist")]
    counts = msgspec.structs.replace(made[1].counts, test=230, test_there=240)
    assert "(short, strict)" not in report(made)
    text = report([made[0], msgspec.structs.replace(made[1], counts=counts)])
    assert "2000 / 430 / 230 of 240 (short, unist)" in text
    assert "2000 / 430 / 240 (short, strict)" in text


def test_the_ledger_is_there_when_something_was_tuned(tmp_path):
    assert "No run here was tuned: all used the default settings" in report([record()], tmp_path)
    tuned_elsewhere = report([record(tuned=True)], tmp_path)
    assert "No run here was tuned" not in tuned_elsewhere
    assert "Some runs had tuned settings" in tuned_elsewhere
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned())
    assert 'id="table-tuning_ledger"' in report([record()], tmp_path)


def test_the_same_numbers_as_in_markdown_with_their_ranks_and_marks():
    text = report(suite())
    assert "<strong>1.51 ± 0.01</strong>" in text
    assert '<abbr title="synthetic data, not the real data set">†</abbr>' in text
    assert "<em>last_value</em>" in text
    assert re.search(r'data-number="9.0">9.00 \(n=1\)&nbsp;<abbr title="worse than the best naive baseline', text)


def test_no_records_make_a_report_that_says_so():
    text = report([], figures=True)
    assert "No run is finished." in text
    assert "There is nothing to repeat." in text


def test_the_contents_name_each_question_of_the_figures_once_and_lead_to_the_first():
    png = {".png": bytes(16) + struct.pack(">II", 100, 50)}
    pictures = [
        Picture(name=f"maps-{number}", title=f"Where does it err? {city}. Task short", caption="", files=png)
        for number, city in enumerate(("BikeNYC", "TaxiBJ"), start=1)
    ]
    text = page.report(results_of([record()]), pictures)
    contents, rest = text.split("</nav>")
    assert re.findall(r'"#figure-([^"]+)">([^<]+)<', contents) == [("maps-1", "Where does it err?")]
    assert re.findall(r'figure id="figure-([^"]+)"', rest) == ["maps-1", "maps-2"]


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    write_files(tmp_path / "new", {"report.html": encoded("whole \ud800")})
    assert (tmp_path / "new" / "report.html").read_bytes() == b"whole \\ud800"
    (tmp_path / "folder" / "report.html").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be written"):
        write_files(tmp_path / "folder", {"report.html": b"x"})
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["report.html"]


def test_a_digest_is_shown_by_its_first_letters_and_kept_whole():
    named = f"a.npz: {'cd' * 32}"
    row = facts.row(Header(name="a"), facts.code("ab" * 32), facts.code("width=64"), facts.code(named))
    table = facts.table("t", "T", "data", ("sha256", "changed", "files"), [row])
    text = str(grid(table, "t"))
    assert f'<code title="{"ab" * 32}">abababababab</code>' in text
    assert "<code>width=64</code>" in text
    assert f'<code title="{named}">a.npz: cdcdcdcdcdcd</code>' in text


def test_a_cell_of_many_windows_breaks_though_it_begins_with_a_number():
    made = [record(task=task, protocol=protocol) for task in ("short", "few10") for protocol in ("strict", "unist")]
    made = [
        msgspec.structs.replace(run, counts=msgspec.structs.replace(run.counts, train=number))
        for number, run in enumerate(made)
    ]
    wide, narrow = (str(grid(facts.datasets(results_of(runs).runs), "data")) for runs in (made, made[:1]))
    assert re.search(r'<td class="text"[^>]*>0 / 430 / 240 \(short, strict\); 1 /', wide)
    assert re.search(r"<td data-number=[^>]*>0 / 430 / 240</td>", narrow)
