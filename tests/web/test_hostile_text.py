"""Whatever events carry stays text: nothing of it runs, breaks the layout or turns the page around."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.canned import Canned
from tests.web.conftest import Watch
from tests.web.reading import main_text, overflow, shown
from web.routes import operations

MARKUP = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
TEXTS = {
    "markup": MARKUP,
    "turned around": "\u202eLIBAN\u2066\u0000\u0001".replace("\u0000", "\ufffd"),
    "attribute": '" onmouseover="window.hit=1" x="\'${window.hit=1}{{7*7}}',
    "endless": "W" * 4096,
    "template": "constructor __proto__ toString",
}


@pytest.fixture
def hostile(canned: Canned, request: pytest.FixtureRequest) -> str:
    """A symbol and a version that somebody sent us."""
    text: str = TEXTS[request.param]
    row = canned.predictions[-1] | {"symbol": text, "model_version": text}
    canned.predictions.append(row)
    canned.vectors[text] = canned.vectors["NABIL"] | {"symbol": text, "features": {text: 1.0}}
    return text


@pytest.mark.parametrize("hostile", TEXTS, indirect=True)
def test_a_hostile_symbol_is_shown_as_it_is(tab: Page, hostile: str) -> None:
    """In the market and in the list, within a page that is as wide as before."""
    for path in ("/", "/symbol"):
        shown(tab, path)
        tab.get_by_role("searchbox", name="Symbol").fill(hostile[:90])
        told = tab.locator("tbody th").first
        assert told.evaluate("cell => cell.textContent") == hostile
        harmless(tab)


@pytest.mark.parametrize("hostile", ["markup", "turned around", "attribute"], indirect=True)
def test_a_hostile_symbol_has_a_page(tab: Page, hostile: str) -> None:
    """Its link leads to it, and its features' names are text."""
    shown(tab, "/")
    tab.get_by_role("searchbox", name="Symbol").fill(hostile)
    tab.locator("tbody th a").first.click()
    tab.wait_for_url("**/symbol/**")
    tab.wait_for_selector("#content[aria-busy=false]")
    harmless(tab)


def test_a_hostile_address_is_text(tab: Page, watch: Watch) -> None:
    """Who sends somebody a link puts nothing onto the page."""
    watch.expect("404|422")
    image = MARKUP.split("<script>", maxsplit=1)[0]
    for path in (f"/symbol/{MARKUP}", f"/model/{image}", "/symbol/%E0%A4%A", "/model/%", f"/?q={MARKUP}"):
        shown(tab, path)
        harmless(tab)
    tab.goto(f"/{MARKUP}")
    assert "no page at this address" in main_text(tab)
    harmless(tab)


def test_a_hostile_lineage_and_reason_are_text(
    tab: Page, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From topics that others write to as well."""
    node: dict[str, Any] = {
        "event": MARKUP,
        "place": MARKUP,
        "producer": MARKUP,
        "facts": {MARKUP: [MARKUP]},
        "model": {"version": MARKUP, "mlflow": "javascript:window.hit=1", "events": []},
        "slice": {"place": MARKUP, "run": "data:text/html,<script>1</script>"},
    }
    found = {"predictions": [node], "closes": [], "dead_letters": []}
    monkeypatch.setattr(operations, "trace", lambda *_: found)
    shown(tab, "/symbol/NABIL").get_by_role("button", name="Trace").click()
    expect(tab.locator(".chain > li").first).to_contain_text(MARKUP)
    assert tab.locator('a[href^="javascript"], a[href^="data"]').count() == 0
    harmless(tab)
    canned.models[1]["payload"] |= {"why": MARKUP, "reasons": [MARKUP], "importance": {MARKUP: 1.0}}
    shown(tab, "/model")
    assert MARKUP in main_text(tab)
    harmless(tab)


def harmless(tab: Page) -> None:
    """Nothing ran, nothing was made of it, and the page is no wider than its window."""
    assert tab.evaluate("window.hit") is None
    assert tab.locator("main img, main script, main iframe").count() == 0
    assert overflow(tab) <= 0


@pytest.mark.parametrize(
    ("href", "leads"),
    [
        ("/symbol/NABIL", True),
        ("https://example.org/", True),
        ("#flow-predict", True),
        ("//evil.example", False),
        ("/\\evil.example", False),  # browsers read it as `//evil.example`
        ("javascript:alert(1)", False),
    ],
)
def test_only_addresses_that_lead_where_they_seem_to_become_links(tab: Page, href: str, leads: bool) -> None:
    """Others stay text."""
    shown(tab, "/symbol")
    script = "async (href) => (await import('/static/dom.js')).link(href, 'x').localName"
    assert tab.evaluate(script, href) == ("a" if leads else "span")
