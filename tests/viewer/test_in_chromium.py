"""Both pages in a real browser: no overflow, no request, enough contrast, all by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gradtruce.viewer import report, study
from tests.viewer.browser import CHROMIUM, Browser
from tests.viewer.study.conftest import write_study

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.slow,
]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module", params=["run", "study"])
def page(
    request: pytest.FixtureRequest, comparison: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    if request.param == "run":
        return report.build(comparison / "came_grad", folder / "run.html", gallery=2)
    return study.build(write_study(folder / "three", comparison), folder / "study.html", gallery=2)


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_is_wider_than_the_screen(browser: Browser, page: Path, width: int):
    browser.open(page, width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_has_enough_contrast(browser: Browser, page: Path, dark: bool):
    browser.open(page, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.run(CONTRAST) == []


def test_the_first_key_leads_to_the_content(browser: Browser, page: Path):
    browser.open(page)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().width") > 50
    browser.press("Enter")
    assert browser.run("document.activeElement.id") == "main"


def test_every_stop_of_the_keyboard_is_seen_and_named(browser: Browser, page: Path):
    browser.open(page)
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    stops = []
    for _ in range(400):
        browser.press("Tab")
        if browser.run("document.activeElement === document.body"):
            break
        stops.append(
            browser.run(
                """(() => {
                const e = document.activeElement, s = getComputedStyle(e);
                const label = e.getAttribute("aria-label") || e.labels?.[0]?.textContent
                  || e.textContent;
                return [e.tagName, label.trim().slice(0, 40), s.outlineStyle, s.outlineWidth];
                })()"""
            )
        )
    kinds = {kind for kind, *_ in stops}
    assert kinds >= {"A", "SUMMARY", "BUTTON"}
    for kind, label, style, width in stops:
        assert label, kind
        assert (style, width) == ("solid", "3px"), (kind, label)


def test_details_and_sentences_open_by_keyboard(browser: Browser, page: Path):
    browser.open(page)
    browser.run("document.querySelector('details:not([open]) summary').focus()")
    browser.press("Enter")
    assert browser.run("document.activeElement.parentElement.open")
    browser.run("document.querySelector('.sentences button').focus()")
    browser.press(" ")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_the_page_prints(browser: Browser, page: Path, tmp_path: Path):
    browser.open(page)
    browser.paper(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
