"""The report as a text and, in a real browser, as a reader meets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import FLAGS, executable, page_of
from records import record, runs_of, suite
from studies import tuned

from bench.analysis.report.facts import without_paths
from bench.analysis.report.page import all_pictures, make_report, write_report
from bench.cli.report import contents_of
from bench.errors import StoreError
from bench.runs.tuned import TunedFolder

HOSTILE = """<script>window.hurt = 1</script><img src=x onerror="window.hurt = 2">"'&{{ 7 * 7 }}"""


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take seconds, and most tests are not about them."""
    monkeypatch.setattr("bench.analysis.figures.overviews.overview_figures", lambda *_: [])


def report(records, results=Path("nowhere")):
    runs = runs_of(records)
    contents = contents_of(runs.rows, results, ())
    return make_report(runs, contents, all_pictures(runs, contents, formats=[".png"]))


def hostile():
    made = [record(model=HOSTILE), record(overrides={"model.act": HOSTILE}), record(seed=1, failed=True)]
    made[2]["error"]["message"] = HOSTILE
    made[0]["environment"] = {"device": HOSTILE, "libraries": {HOSTILE: HOSTILE}, "commit": HOSTILE}
    made[0]["data"]["version"] = HOSTILE
    return made


@pytest.fixture(scope="module")
def full():
    """Real and stand-in data, ranks, a quick profile, random weights, a failure."""
    return [*suite(), *suite("quick", seeds=1)]


def words(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


# The text ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_equal_records_give_equal_bytes_in_any_order(full):
    assert report(full) == report(full[::-1])


def test_the_headline_counts_what_is_there(full, no_figures):
    text = words(report(full))
    assert "50 finished runs, 2 failed, 0 stale; 3 data sets (2 real, 1 stand-in)" in text
    assert "Stand-ins, which are synthetic data: taxibj." in text
    assert "model_00 has the best average rank, 1.00" in text
    assert "this is no claim" in text
    assert "No number of this report may be quoted" not in text


def test_what_is_all_quick_or_all_stand_in_is_said_aloud(no_figures):
    assert "No number of this report may be quoted. Every model was trained in the quick" in words(
        report(suite("quick"))
    )
    assert "All data are stand-ins" in words(report([record(stand_in=True)]))
    assert 'class="banner"' not in report([record()])
    assert "from random weights" in words(report([record(model="stvfm", weights="random")]))


def test_every_text_of_a_record_is_escaped(no_figures):
    text = report(hostile())
    assert "<script>window" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;window.hurt = 1&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text


def test_the_failure_is_told_without_the_folders_of_the_machine(no_figures):
    made = record(failed=True)
    made["error"]["message"] = "cannot read /home/anna/data/x.npz"
    assert "cannot read …/x.npz" in report([made])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("in '/root/.cache/hub/a.bin': gone", "in '…/a.bin': gone"),
        (r"C:\Users\anna\a.bin", "…/a.bin"),
        ("~/data/a.bin", "…/a.bin"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("12 / 3 and 70/15/15 and timm/vit/model", "12 / 3 and 70/15/15 and timm/vit/model"),
    ],
)
def test_paths_lose_their_folders_and_addresses_keep_theirs(message, told):
    assert without_paths(message) == told


def test_certificates_that_prove_less_are_counted(no_figures):
    good, bad = record(), record(seed=1)
    good["certificate"] = {
        "future_perturbation": {"windows": 8, "largest_change": 0.0},
        "scaler": "standard",
        "scaler_fitted_on": [0, 70],
        "split": {"train": [0, 70], "val": [70, 85], "test": [85, 100]},
        "test_reads": 1,
        "checkpoint_sha256": "ab" * 32,
    }
    bad["certificate"] = good["certificate"] | {"scaler_fitted_on": [0, 100], "test_reads": 2}
    text = words(report([good, bad]))
    assert "no forecast changed at all in all 2 finished runs." in text
    assert "training part alone in 1 of 2." in text
    assert "exactly once in 1 of 2." in text
    assert "0 to 70" in text
    assert "abababababab" in text


def test_the_ledger_is_there_when_something_was_tuned(tmp_path, no_figures):
    assert "No tuned settings are known here." in report([record()], tmp_path)
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned())
    assert 'id="table-tuning_ledger"' in report([record()], tmp_path)


def test_the_same_numbers_as_in_markdown_with_their_ranks_and_marks(no_figures):
    text = report(suite())
    assert "<strong>1.51 ± 0.01</strong>" in text
    assert '<abbr title="stand-in: synthetic data, not the real data set">†</abbr>' in text
    assert "<em>last_value</em>" in text
    assert re.search(r'data-number="9.0">9.00 \(n=1\)&nbsp;<abbr title="below the best floor', text)


def test_no_records_make_a_report_that_says_so():
    text = report([])
    assert "No run is finished." in text
    assert "There is nothing to repeat." in text


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    write_report("whole \ud800", tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_bytes() == b"whole \\ud800"
    (tmp_path / "folder" / "report.html").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot be written .* --out"):
        write_report("x", tmp_path / "folder" / "report.html")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["report.html"]


# In a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="module")
def written(full, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    TunedFolder(folder).write("tiny", "stid", "short", tuned())
    path = folder / "report.html"
    write_report(report([*full, *suite(models=16)], folder), path)
    return path


def column(page, table, number):
    return page.eval_on_selector_all(
        f"{table} tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent.trim())"
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_as_wide_as_the_screen_and_whole(browser, written, width):
    with page_of(browser, written, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictures = page.eval_on_selector_all("img", "all => all.map(each => [each.naturalWidth, each.alt.length])")
        assert len(pictures) >= 3
        assert all(pixels > 0 and letters > 40 for pixels, letters in pictures)
        anchors = page.eval_on_selector_all("a[href^='#']", "all => all.map(each => each.hash.slice(1))")
        ids = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
        assert len(ids) == len(set(ids))
        assert set(anchors) <= set(ids)
        named = page.eval_on_selector_all(
            "[aria-labelledby]", "all => all.map(each => each.getAttribute('aria-labelledby'))"
        )
        assert set(named) <= set(ids)


@pytest.mark.slow
def test_a_table_is_sorted_by_click_and_by_keyboard(browser, written):
    with page_of(browser, written) as page:
        table = "table:has(#facts-models)"
        heads = page.locator(f"{table} thead th")
        first, number = column(page, table, 0), 6  # the column "done"
        heads.nth(number).locator("button").click()
        up = [int(text) for text in column(page, table, number)]
        assert up == sorted(up)
        assert len(set(up)) > 1
        assert heads.nth(number).get_attribute("aria-sort") == "ascending"
        heads.nth(number).locator("button").focus()
        page.keyboard.press("Enter")
        assert [int(text) for text in column(page, table, number)] == sorted(up, reverse=True)
        assert heads.nth(number).get_attribute("aria-sort") == "descending"
        assert page.locator("[aria-sort]").count() == 1
        assert page.locator("[role=status]").text_content() == "sorted by done, descending"
        page.keyboard.press("Space")
        assert column(page, table, 0) == first
        assert page.locator("[aria-sort]").count() == 0


@pytest.mark.slow
def test_numbers_are_sorted_as_numbers_and_gaps_stay_last(browser, tmp_path, no_figures):
    made = [record(model=f"m{place}", mae=mae) for place, mae in enumerate((9.5, 10.25, 100.0, 1.5))]
    made += [record("taxinyc", model=f"m{place}", mae=5.0) for place in range(9)]
    write_report(report(made), tmp_path / "report.html")
    with page_of(browser, tmp_path / "report.html") as page:
        table = "table:has(#table-short_term-1-0)"
        for wanted in (["1.50", "9.50", "10.25", "100.00"], ["100.00", "10.25", "9.50", "1.50"]):
            page.locator(f"{table} thead th button").nth(1).click()
            cells = column(page, table, 1)
            assert cells[:4] == wanted
            assert set(cells[4:]) == {"—"}


@pytest.mark.slow
def test_hostile_texts_are_shown_and_run_nothing(browser, tmp_path, no_figures):
    write_report(report(hostile()), tmp_path / "report.html")
    with page_of(browser, tmp_path / "report.html") as page:
        assert page.evaluate("window.hurt") is None
        assert HOSTILE in page.locator("table:has(#facts-failed)").text_content()
        assert HOSTILE in page.locator("table:has(#facts-models)").text_content()
        assert page.locator("script").count() == 1


@pytest.mark.slow
def test_a_script_that_is_not_ours_does_not_run(browser, written, tmp_path):
    changed = tmp_path / "report.html"
    text = written.read_text(encoding="utf-8")
    changed.write_text(text.replace("</main>", "<script>window.hurt = 1</script></main>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(changed.as_uri())
    assert page.evaluate("window.hurt") is None
    page.close()


@pytest.mark.slow
def test_it_prints_with_all_parts_open_and_no_buttons(browser, written):
    with page_of(browser, written) as page:
        assert page.locator("details:not([open])").count() > 0
        pdf = page.pdf(prefer_css_page_size=True)
        assert pdf.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details:not([open])").count() > 0
        page.emulate_media(media="print")
        arrows = "all => all.map(each => getComputedStyle(each, '::after').display)"
        assert set(page.eval_on_selector_all("th button", arrows)) == {"none"}


@pytest.mark.slow
def test_a_link_into_a_folded_part_opens_it(browser, written):
    with page_of(browser, written) as page:
        page.evaluate("location.hash = 'facts-certificates'")
        page.wait_for_selector("details[open] #facts-certificates")
