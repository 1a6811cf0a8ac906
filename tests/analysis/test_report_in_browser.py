"""The report in a real browser, as a reader meets it."""

from __future__ import annotations

import re

import pytest
from browser import FLAGS, executable, page_of
from records import record, suite
from reports import HOSTILE, hostile, report
from studies import tuned

from bench.analysis.report.page import encoded
from bench.runs.tuned import TunedFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    TunedFolder(folder).write("tiny", "stid", "short", tuned())
    path = folder / "report.html"
    records = [*suite(), *suite("quick", seeds=1), *suite(models=16)]
    path.write_bytes(encoded(report(records, folder, figures=True)))
    return path


def column(page, table, number):
    return page.eval_on_selector_all(
        f"{table} tbody tr", f"rows => rows.map(row => row.cells[{number}].textContent.trim())"
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_as_wide_as_the_screen_and_whole(browser, written, width):
    with page_of(browser, written, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictures = page.eval_on_selector_all("img", "all => all.map(image => [image.naturalWidth, image.alt.length])")
        assert len(pictures) >= 3
        assert all(pixels > 0 and letters > 40 for pixels, letters in pictures)
        least = "all => all.every(image => image.clientWidth >= Math.min(600, image.getAttribute('width')))"
        assert page.eval_on_selector_all("img", least), "type in a figure is to be read on a small screen, too"
        anchors = page.eval_on_selector_all("a[href^='#']", "all => all.map(link => link.hash.slice(1))")
        ids = page.eval_on_selector_all("[id]", "all => all.map(element => element.id)")
        assert len(ids) == len(set(ids))
        assert set(anchors) <= set(ids)
        named = page.eval_on_selector_all(
            "[aria-labelledby]", "all => all.map(element => element.getAttribute('aria-labelledby'))"
        )
        assert set(named) <= set(ids)


def test_a_table_is_sorted_by_click_and_by_keyboard(browser, written):
    with page_of(browser, written) as page:
        table = "table:has(#facts-models)"
        heads = page.locator(f"{table} thead th")
        first, number = column(page, table, 0), [text.strip() for text in heads.all_text_contents()].index("done")
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


def test_numbers_are_sorted_as_numbers_and_gaps_stay_last(browser, tmp_path):
    made = [record(model=f"m{number}", mae=mae) for number, mae in enumerate((9.5, 10.25, 100.0, 1.5))]
    made += [record("taxinyc", model=f"m{number}", mae=5.0) for number in range(9)]
    (tmp_path / "report.html").write_bytes(encoded(report(made)))
    with page_of(browser, tmp_path / "report.html") as page:
        table = "table:has(#table-short_term-1-0)"
        for wanted in (["1.50", "9.50", "10.25", "100.00"], ["100.00", "10.25", "9.50", "1.50"]):
            page.locator(f"{table} thead th button").nth(1).click()
            cells = column(page, table, 1)
            assert cells[:4] == wanted
            assert set(cells[4:]) == {"—"}


def test_hostile_texts_are_shown_and_run_nothing(browser, tmp_path):
    (tmp_path / "report.html").write_bytes(encoded(report(hostile())))
    with page_of(browser, tmp_path / "report.html") as page:
        assert page.evaluate("window.hurt") is None
        assert HOSTILE in page.locator("table:has(#facts-failed)").text_content()
        assert HOSTILE in page.locator("table:has(#facts-models)").text_content()
        assert page.locator("script").count() == 1


def test_a_script_that_is_not_ours_does_not_run(browser, written, tmp_path):
    changed = tmp_path / "report.html"
    text = written.read_text(encoding="utf-8")
    changed.write_text(text.replace("</main>", "<script>window.hurt = 1</script></main>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(changed.as_uri())
    assert page.evaluate("window.hurt") is None
    page.close()


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
        arrows = "all => all.map(button => getComputedStyle(button, '::after').display)"
        assert set(page.eval_on_selector_all("th button", arrows)) == {"none"}


def test_a_link_into_a_folded_part_opens_it(browser, written):
    with page_of(browser, written) as page:
        page.evaluate("location.hash = 'facts-audits'")
        page.wait_for_selector("details[open] #facts-audits")
