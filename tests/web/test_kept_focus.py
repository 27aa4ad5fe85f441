"""Live updates take neither the focus nor what is being typed, and older answers nothing from newer ones."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.operating import Operating
from tests.web.reading import shown

COUNT_BLURS = "window.blurs = 0; addEventListener('focusout', () => { window.blurs += 1; })"
OVERLAPPING = """async (fails) => {
  const { start } = await import("/static/page.js");
  const asked = [];
  const reload = start({
    what: "a test",
    topics: [],
    calm: true,
    load: () => new Promise((done, fail) => asked.push({ done, fail })),
    render: (data, place) => { place.textContent = data; },
  });
  const [older, newer] = [reload(), reload()];
  asked[2].done("newer");
  await newer;
  if (fails) asked[1].fail(new Error("older"));
  else asked[1].done("older");
  await older;
  return document.getElementById("content").textContent;
}"""


@pytest.fixture
def canned() -> Operating:
    """A loop at work."""
    return Operating()


def one_more_letter(canned: Operating, number: int) -> None:
    """Let a letter come that is listed first."""
    canned.letter(0, letter_id=f"new-{number}", offset=100 + number, timestamp=canned.now)
    canned.moved("dead-letters")


def one_more_alert(canned: Operating, number: int) -> None:
    """Let an alert come that is listed first."""
    canned.alert(0, alert_id=f"new-{number}", raised_offset=200 + number, last_raised=canned.now)
    canned.moved("alerts")


@pytest.mark.parametrize(
    ("path", "label", "come"),
    [
        ("/letters", "Reason, flow or topic", one_more_letter),
        ("/alerts", "Rule, symbol or text", one_more_alert),
    ],
)
def test_who_types_is_not_interrupted(
    tab: Page, canned: Operating, path: str, label: str, come: Callable[[Operating, int], None]
) -> None:
    """The field keeps the focus and its text while rows come, and loses neither for a moment."""
    shown(tab, path)
    expect(tab.locator("#connection")).to_have_text("live")
    status, field = tab.locator(".table-status"), tab.get_by_label(label)
    rows = int(status.inner_text().split()[0])
    field.focus()
    tab.evaluate(COUNT_BLURS)
    for number, letter in enumerate("ct", start=1):
        tab.keyboard.type(letter)
        come(canned, number)
        expect(status).to_contain_text(f"{rows + number} rows")
    assert field.input_value() == "ct"
    expect(field).to_be_focused()
    assert tab.evaluate("window.blurs") == 0


def test_a_line_that_moves_down_keeps_the_focus(tab: Page, canned: Operating) -> None:
    """Who is at a letter stays at it while another comes above it."""
    shown(tab, "/letters")
    expect(tab.locator("#connection")).to_have_text("live")
    link = tab.locator("tbody a").first
    address = link.get_attribute("href")
    link.focus()
    one_more_letter(canned, 1)
    expect(tab.locator("tbody a").first).to_have_attribute("href", "/letters/new-1")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == address


def test_what_is_told_above_the_drawing_keeps_the_focus(tab: Page, canned: Operating) -> None:
    """Also where a figure beside it is another one."""
    shown(tab, "/pipeline")
    expect(tab.locator("#connection")).to_have_text("live")
    link = tab.locator(".figures").get_by_role("link").last
    link.focus()
    canned.wait("predict", "features", 20, partition=1)
    canned.moved("features")
    expect(tab.locator("main")).to_contain_text("need a look")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "/letters"


@pytest.mark.parametrize("fails", [False, True])
def test_an_older_answer_never_takes_the_place_of_a_newer_one(tab: Page, fails: bool) -> None:
    """Nor does its failure."""
    shown(tab, "/letters")
    assert tab.evaluate(OVERLAPPING, fails) == "newer"


def test_a_slow_answer_is_not_asked_for_twice(tab: Page) -> None:
    """The pipeline is asked about every five seconds, but not while an answer is still to come."""
    held: list[Any] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.clock.install()
    shown(tab, "/pipeline")
    tab.route("**/api/v1/pipeline", hold)
    with tab.expect_request("**/api/v1/pipeline"):
        tab.clock.fast_forward(5_000)
    for _ in range(3):
        tab.clock.fast_forward(5_000)
    assert len(held) == 1
    with tab.expect_response("**/api/v1/pipeline"):
        held[0].continue_()
    expect(tab.locator("main")).to_contain_text("all well")


def test_moments_grow_older_on_a_page_that_nothing_happens_to(tab: Page) -> None:
    """A letter of a minute ago is one of eleven minutes ago ten minutes later."""
    tab.clock.install()
    shown(tab, "/letters")
    first = tab.locator("tbody time").first
    expect(first).to_have_text("1\u00a0min ago")
    tab.clock.fast_forward("10:00")
    expect(first).to_have_text("11\u00a0min ago")
