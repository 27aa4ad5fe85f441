"""Every page for everybody: without a mouse, with a screen reader, on a phone, in both themes."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.web.reading import overflow, shown
from web.site import PAGES

PATHS = [*(page.address for page in PAGES), "/symbol/NABIL", "/model/v2"]
WHERE = "document.activeElement.closest('label, button, [role=region], a').innerText.split('\\n')[0].trim()"
GRAVE = {"serious", "critical"}
PHONE: ViewportSize = {"width": 360, "height": 740}


def grave(tab: Page) -> list[tuple[str, Any]]:
    """What the accessibility checker finds that keeps people from using the page."""
    found = Axe().run(tab).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in GRAVE]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_the_checker_finds_nothing_grave(tab: Page, path: str, theme: Any) -> None:
    """Neither contrasts nor names nor roles."""
    tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
    shown(tab, path)
    assert grave(tab) == []


@pytest.mark.parametrize("path", PATHS)
def test_the_checker_finds_nothing_grave_on_a_phone(tab: Page, path: str) -> None:
    """Where other parts are shown."""
    tab.set_viewport_size(PHONE)
    tab.emulate_media(reduced_motion="reduce")
    shown(tab, path)
    assert grave(tab) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_shows_every_page_without_scrolling_sideways(tab: Page, path: str) -> None:
    """At 360 pixels; tables scroll within themselves."""
    tab.set_viewport_size(PHONE)
    shown(tab, path)
    assert overflow(tab) <= 0
    assert tab.get_by_role("heading", level=1).is_visible()


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_its_landmarks(tab: Page, path: str) -> None:
    """One main part, one heading of the first level, a named navigation that says where one is."""
    shown(tab, path)
    assert tab.get_by_role("main").count() == 1
    assert tab.get_by_role("heading", level=1).count() == 1
    assert tab.get_by_role("banner").count() == tab.get_by_role("contentinfo").count() == 1
    navigation = tab.get_by_role("navigation", name="Pages", exact=True)
    assert navigation.get_by_role("link").all_inner_texts() == [page.title for page in PAGES]
    assert navigation.locator("[aria-current=page]").count() == 1


def test_the_market_is_walked_with_keys(tab: Page) -> None:
    """The first key skips to the content, the next ones go on in the order of what is seen."""
    shown(tab, "/")
    keyboard = tab.keyboard
    keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    expect(tab.get_by_role("main")).to_be_focused()
    walked = []
    for _ in range(7):
        keyboard.press("Tab")
        walked.append(tab.evaluate(WHERE))
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    assert [*walked[:4], *walked[5:]] == [
        *("v3", "Symbol", "Direction", "Last close lies"),
        *("Symbol", "Expected move"),  # headings of the table; between them the part that scrolls
    ]
    keyboard.press("Enter")
    expect(tab.get_by_role("columnheader", name="Expected move")).to_have_attribute("aria-sort", "ascending")
    expect(tab.get_by_role("button", name="Expected move")).to_be_focused()


def test_the_theme_is_chosen_and_kept(tab: Page) -> None:
    """Against what the system says, also on the next page."""
    tab.emulate_media(color_scheme="light")
    shown(tab, "/")
    paper = "getComputedStyle(document.body).backgroundColor"
    light, button = tab.evaluate(paper), tab.get_by_role("button", name="Theme")
    button.click()
    expect(button).to_have_text("Theme: light")
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = tab.evaluate(paper)
    assert dark != light
    shown(tab, "/model")
    assert tab.evaluate(paper) == dark
    expect(tab.get_by_role("button", name="Theme")).to_have_text("Theme: dark")
