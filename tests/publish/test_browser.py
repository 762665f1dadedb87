"""What only a browser can tell: nothing runs over the edge of a phone or asks anything of the network."""

import shutil

import pytest

from evalkit.publish import publish_network

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield opened
        opened.close()


def test_no_page_runs_over_the_edge_of_the_screen(browser, workspace):
    report = publish_network(workspace, network="demo", formats=("html",), renderer="pandoc")
    tab = browser.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    for path in report.pages:
        tab.goto(path.as_uri())
        for width in (320, 390, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.scrollingElement.scrollWidth") <= width, f"{path.name} at {width}"
        assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)"), path.name
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    tab.close()


def test_a_keyboard_reaches_the_content_first(browser, workspace):
    report = publish_network(workspace, network="demo", formats=("html",), renderer="pandoc")
    tab = browser.new_page()
    tab.goto(report.index.as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "content"
    tab.close()
