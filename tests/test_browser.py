"""The browser that the tests of pages use."""

import pytest

from browser import serve

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(
        "<!doctype html><title>One</title><h1>1</h1><script>console.error('seen')</script>"
    )
    with serve(folder) as address:
        yield address


def test_a_page_is_opened_run_and_looked_at(browser, address, tmp_path):
    browser.open(address)
    assert browser.wait("document.title") == "One"
    assert browser.find("h1").text == "1"
    assert browser.run_async("return await Promise.resolve(arguments[0] + 1)", 2) == 3
    assert any("seen" in message for message in browser.console())
    browser.resize(390, 800)
    assert browser.run("return innerWidth") == 390
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[:4] == b"\x89PNG"


def test_what_fails_in_the_page_fails_here(browser, address):
    browser.open(address)
    with pytest.raises(AssertionError, match="broken"):
        browser.run_async("throw new Error('broken')")
    with pytest.raises(AssertionError, match="did not become true"):
        browser.wait("false", seconds=0.2)


def test_a_page_can_be_cut_off(browser, address):
    browser.open(address)
    browser.offline()
    with pytest.raises(AssertionError, match="Failed to fetch"):
        browser.run_async("await fetch('index.html?again')")
    browser.offline(False)
    assert browser.run_async("return (await fetch('index.html')).status") == 200
