"""What happens meanwhile is shown without a reload, and takes nothing from the reader."""

import pytest
from playwright.sync_api import Page, Response, expect

from tests.copies import eventually
from tests.web.canned import Canned
from tests.web.conftest import Watch
from tests.web.reading import shown
from web.routes import stream


def moved(canned: Canned, symbol: str, forecast: float) -> None:
    """Let a symbol be predicted anew."""
    for row in canned.predictions:
        if row["symbol"] == symbol and row["date"] == canned.next_day:
            row["predicted_close"] = forecast
    canned.moved("predictions")


def test_a_new_prediction_arrives_without_a_reload(tab: Page, canned: Canned) -> None:
    """The page's own memory is still there, and so are the filter and the focus; the change is announced."""
    shown(tab, "/")
    expect(tab.locator("#connection")).to_have_text("live")
    field = tab.get_by_label("Symbol", exact=True)
    field.fill("NABIL")
    tab.evaluate("window.kept = 1")
    moved(canned, "NABIL", 4321.5)
    expect(tab.locator("tbody")).to_contain_text("4,321.50")
    assert tab.evaluate("window.kept") == 1
    assert field.input_value() == "NABIL"
    expect(field).to_be_focused()
    expect(tab.locator("#announcements")).to_contain_text("Updated at")
    expect(tab.locator("td.changed").first).to_be_visible()


def test_what_did_not_change_is_not_sent_again(tab: Page, canned: Canned) -> None:
    """The browser asks with the ETag that it has."""
    answers: list[Response] = []
    tab.on("response", lambda answer: answers.append(answer) if "/predictions" in answer.url else None)
    shown(tab, "/")
    expect(tab.locator("#connection")).to_have_text("live")
    before = len(answers)
    canned.moved("errors")  # the market shows no errors
    moved(canned, "NABIL", 999.25)
    expect(tab.locator("tbody")).to_contain_text("999.25")
    assert len(answers) <= before + 2
    tab.reload()
    tab.wait_for_selector("#content[aria-busy=false]")
    assert "if-none-match" in answers[-1].request.all_headers()


def test_a_zoom_stays_while_the_picture_changes(tab: Page, canned: Canned) -> None:
    """Who looks at two weeks goes on looking at them."""
    shown(tab, "/symbol/NABIL")
    picture = tab.get_by_role("img", name="Price and forecast")
    tab.get_by_role("button", name="Zoom into Price and forecast").click()
    marks = picture.locator(".axes text").all_inner_texts()
    moved(canned, "NABIL", 1234.5)
    expect(tab.locator("main")).to_contain_text("1,234.50")
    assert picture.locator(".axes text").all_inner_texts()[-3:] == marks[-3:]


def test_a_hidden_tab_does_not_listen(tab: Page, canned: Canned) -> None:
    """It gives its connection back, and catches up when it is looked at again."""
    shown(tab, "/")
    expect(tab.locator("#connection")).to_have_text("live")
    hide = "on => {Object.defineProperty(document, 'hidden', {value: on, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange'))}"
    assert canned.service is not None
    service = canned.service
    assert service.readers == 1
    tab.evaluate(hide, True)
    eventually(lambda: service.readers == 0, "the hidden tab went away", within=10.0)
    moved(canned, "NABIL", 777.75)
    tab.evaluate(hide, False)
    expect(tab.locator("tbody")).to_contain_text("777.75")


def test_a_stream_that_fell_silent_is_opened_anew(tab: Page) -> None:
    """A connection may end without a word; the beats of one that lives would be missed."""
    tab.clock.install()
    shown(tab, "/")
    expect(tab.locator("#connection")).to_have_text("live")
    with tab.expect_request("**/api/v1/stream"):
        tab.clock.fast_forward(46_000)
    expect(tab.locator("#connection")).to_have_text("live")


def test_where_too_many_listen_a_page_asks_now_and_then(
    tab: Page, canned: Canned, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and listens as soon as there is room."""
    watch.expect("503")
    monkeypatch.setattr(stream, "MOST_READERS", 0)
    tab.clock.install()
    shown(tab, "/")
    expect(tab.locator("#connection")).to_have_text("asking every 15 s")
    moved(canned, "NABIL", 4321.5)
    with tab.expect_response("**/api/v1/stream"):
        tab.clock.fast_forward(16_000)
    expect(tab.locator("tbody")).to_contain_text("4,321.50")
    monkeypatch.setattr(stream, "MOST_READERS", 200)
    tab.clock.fast_forward(16_000)
    expect(tab.locator("#connection")).to_have_text("live")
