"""Letters and alerts hold what others wrote: it stays text, and everybody can read the pages."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.operating import Operating
from tests.web.reading import overflow, shown
from tests.web.test_everybody import grave
from tests.web.test_hostile_text import MARKUP, TEXTS, harmless

PATHS = ("/pipeline", "/letters", "/letters/00f0a9c3e-letter", "/alerts", "/alerts/00b7e-alert")


@pytest.fixture
def canned() -> Operating:
    """A loop at work, some of which waits, so that every colour is shown."""
    made = Operating()
    made.wait("predict", "features", 48)
    made.wait("join-errors", "actuals", 400)
    made.say("sensor-retrain", "paused", "waits for MLflow")
    return made


def turn_hostile(canned: Operating, text: str) -> None:
    """Let everything that others may write be that text."""
    headers: dict[str, Any] = {text: text}
    words = {"reason": text, "flow": text, "error_class": text, "source_topic": text, "headers": headers}
    canned.letters[0] |= words | {"value": text.encode(), "key": text.encode(), "run_id": text}
    named = {"rule": text, "message": text, "symbol": text[:64], "severity": text, "unit": text, "note": text}
    more = {"acknowledged_by": text, "runbook": text, "labels": {text: text}, "correlation_id": text}
    canned.alerts[0] |= named | more
    canned.say("sensor-predict", "stopped", text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_others_wrote_is_text(tab: Page, canned: Operating, text: str) -> None:
    """On each page, within its width."""
    turn_hostile(canned, text)
    for path in PATHS:
        shown(tab, path)
        assert text in (tab.locator("main").text_content() or "")
        harmless(tab)


def test_a_runbook_runs_nothing(tab: Page, canned: Operating) -> None:
    """An address that is none of the web's is text."""
    for runbook in ("javascript:window.hit=1", "data:text/html,<script>1</script>", "//elsewhere.example/x"):
        canned.alerts[0]["runbook"] = runbook
        canned.moved("alerts")
        shown(tab, "/alerts/00b7e-alert")
        expect(tab.locator(".facts-list").first).to_contain_text(runbook)
        assert tab.get_by_role("link", name=runbook).count() == 0


def test_bytes_are_never_markup(tab: Page, canned: Operating) -> None:
    """Whatever a record holds, a page holds its characters."""
    canned.letters[0]["value"] = f"</pre>{MARKUP}\r\n\x1b[31m".encode()
    shown(tab, PATHS[2])
    expect(tab.get_by_role("region", name="Value of the record")).to_contain_text(f"</pre>{MARKUP}·")
    harmless(tab)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_the_checker_finds_nothing_grave_in_pages_that_are_full(tab: Page, path: str, theme: Any) -> None:
    """In both themes, with every state on the page."""
    tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
    shown(tab, path)
    assert grave(tab) == []


def test_the_checker_finds_nothing_grave_in_the_question(tab: Page) -> None:
    """It has a name, and holds the focus."""
    shown(tab, PATHS[2])
    tab.get_by_label("Token").fill("x")
    tab.get_by_role("button", name="Re-drive …").click()
    expect(tab.get_by_role("dialog")).to_be_visible()
    assert grave(tab) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_shows_full_pages_without_scrolling_sideways(tab: Page, path: str) -> None:
    """At 360 pixels; drawing and tables scroll within themselves."""
    tab.set_viewport_size({"width": 360, "height": 740})
    shown(tab, path)
    assert overflow(tab) <= 0
