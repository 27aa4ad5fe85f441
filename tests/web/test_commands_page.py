"""Acknowledging and re-driving from the page: the question, the token, and what came back."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.conftest import Watch
from tests.web.operating import Operating
from tests.web.reading import column, main_text, shown
from tests.web.serving import TOKEN
from web import commands

RUN = "http://127.0.0.1:4200/runs/flow-run/one"
LETTER, ALERT = "/letters/00f0a9c3e-letter", "/alerts/00b7e-alert"


@pytest.fixture
def canned() -> Operating:
    """A loop at work."""
    return Operating()


@pytest.fixture
def keys() -> list[str]:
    """By which keys runs were asked for."""
    return []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, canned: Operating, keys: list[str]) -> list[Any]:
    """What the commands were asked; an acknowledgement is projected at once."""
    found: list[Any] = []

    def publish(_: object, payload: Any, *__: object) -> str:
        found.append((payload.alert_id, payload.by, payload.note))
        canned.alerts[0] |= {"state": "acknowledged", "acknowledged_by": payload.by, "note": payload.note}
        canned.moved("alerts")
        return "id"

    def start_run(_: object, deployment: str, parameters: dict[str, Any], key: str) -> str:
        found.append((deployment, parameters))
        keys.append(key)
        return RUN

    monkeypatch.setattr(commands.Acknowledgements, "publish", publish)
    monkeypatch.setattr(commands, "start_run", start_run)
    return found


def ask(tab: Page, title: str, token: str = TOKEN) -> None:
    """Type the token and ask; the question is open then."""
    tab.get_by_label("Token").fill(token)
    tab.get_by_role("button", name=f"{title} …").click()
    expect(tab.get_by_role("dialog", name=f"{title}?")).to_be_visible()


def confirm(tab: Page, title: str) -> None:
    """Say yes to the question."""
    tab.get_by_role("dialog").get_by_role("button", name=title).click()


def test_a_letter_is_tried_again(tab: Page, asked: list[Any]) -> None:
    """The answer is shown, with the run's address."""
    shown(tab, LETTER)
    ask(tab, "Re-drive")
    assert asked == []
    confirm(tab, "Re-drive")
    expect(tab.locator(".answer")).to_contain_text("Done: a run tries this letter again")
    expect(tab.get_by_role("link", name="The run's page")).to_have_attribute("href", RUN)
    assert asked == [("redrive/redrive", {"ids": ["00f0a9c3e-letter"]})]


@pytest.mark.parametrize("how", ["Escape", "Leave it"])
def test_who_says_no_has_done_nothing(tab: Page, asked: list[Any], how: str) -> None:
    """With the keyboard, or with the button that has the focus."""
    shown(tab, LETTER)
    ask(tab, "Re-drive")
    expect(tab.get_by_role("button", name="Leave it")).to_be_focused()
    tab.keyboard.press("Escape" if how == "Escape" else "Enter")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    assert asked == []


def test_an_alert_is_acknowledged_and_shown_so(tab: Page, asked: list[Any]) -> None:
    """Without a reload, and with what was said; there is nothing more to ask then."""
    shown(tab, ALERT)
    expect(tab.locator("#connection")).to_have_text("live")
    tab.get_by_label("Your name").fill("Sita")
    tab.get_by_label("Note").fill("looks at the close")
    ask(tab, "Acknowledge")
    confirm(tab, "Acknowledge")
    expect(tab.locator(".answer")).to_contain_text("Done: acknowledged pct_error")
    expect(tab.locator(".facts-list").first).to_contain_text("Sita: looks at the close")
    expect(tab.get_by_role("button", name="Acknowledge …")).to_be_hidden()
    assert asked == [("00b7e-alert", "Sita", "looks at the close")]


@pytest.mark.parametrize(("path", "title"), [(LETTER, "Re-drive"), (ALERT, "Acknowledge")])
def test_a_wrong_token_is_said_and_forgotten(
    tab: Page, watch: Watch, asked: list[Any], path: str, title: str
) -> None:
    """Nothing was done, the page says so, and the next token may be the right one."""
    watch.expect("403")
    shown(tab, path)
    if path == ALERT:
        tab.get_by_label("Your name").fill("Sita")
    ask(tab, title, "wrong")
    confirm(tab, title)
    expect(tab.locator(".answer")).to_have_text("Nothing was done: this is not the token")
    assert tab.evaluate("sessionStorage.getItem('nepse-token')") is None
    ask(tab, title)
    confirm(tab, title)
    expect(tab.locator(".answer")).to_contain_text("Done")
    assert len(asked) == 1


@pytest.mark.parametrize("status", [0, 500, 503])
def test_what_may_have_been_done_is_not_said_to_be_nothing(
    tab: Page, watch: Watch, asked: list[Any], keys: list[str], status: int
) -> None:
    """The answer of a run got lost: whoever asks again asks for the same one, and then for another."""
    watch.expect("500|503|ERR_FAILED")
    shown(tab, LETTER)

    def lose(route: Route) -> None:
        route.fetch()
        if status:
            route.fulfill(status=status, json={"detail": "it is late"})
        else:
            route.abort()

    tab.route("**/redrive", lose, times=1)
    for answer in ("It is not known whether this was done, look again: ", "Done: ", "Done: "):
        ask(tab, "Re-drive")
        with tab.expect_request("**/redrive"):
            confirm(tab, "Re-drive")
        expect(tab.locator(".answer strong")).to_have_text(answer)
    assert len(asked) == 3
    first, again, another = keys
    assert first == again
    assert len(first) == len(another) == 32
    assert another != first


def test_what_the_server_refuses_is_told_in_its_words(tab: Page, watch: Watch, asked: list[Any]) -> None:
    """As of a name that holds a control character."""
    watch.expect("422")
    shown(tab, ALERT)
    tab.get_by_label("Your name").evaluate("field => field.value = 'ra\\u202em'")
    ask(tab, "Acknowledge")
    confirm(tab, "Acknowledge")
    expect(tab.locator(".answer")).to_contain_text("the control character U+202E has no place here")
    assert asked == []


def test_the_token_stays_in_this_tab(tab: Page, asked: list[Any]) -> None:
    """Neither a cookie nor an address has it, nor what outlives the tab; it can be forgotten."""
    shown(tab, LETTER)
    ask(tab, "Re-drive")
    confirm(tab, "Re-drive")
    expect(tab.locator(".answer")).to_contain_text("Done")
    shown(tab, "/letters/01f0a9c3e-letter")
    expect(tab.get_by_label("Token")).to_have_value(TOKEN)
    assert TOKEN not in tab.evaluate("JSON.stringify(localStorage) + document.cookie + location.href")
    tab.get_by_role("button", name="Forget the token").click()
    expect(tab.get_by_label("Token")).to_have_value("")
    shown(tab, LETTER)
    expect(tab.get_by_label("Token")).to_have_value("")
    assert len(asked) == 1


def test_letters_are_listed_by_state(tab: Page) -> None:
    """The open ones first; the filter is what is typed."""
    shown(tab, "/letters")
    table = tab.get_by_role("table", name="Dead letters")
    assert column(table, 1) == ["compute-features", "join-errors", "predict", "predict"][::-1]
    tab.get_by_role("button", name="Resolved").click()
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("ErrorComputed does not belong on alerts")
    tab.get_by_role("button", name="All").click()
    expect(table.locator("tbody tr")).to_have_count(5)
    tab.get_by_label("Reason, flow or topic").fill("join")
    expect(table.locator("tbody tr")).to_have_count(1)


def test_a_letter_arrives_without_a_reload(tab: Page, canned: Operating) -> None:
    """At the top of the list."""
    canned.letters.clear()
    shown(tab, "/letters")
    assert "No open dead letters" in main_text(tab)
    expect(tab.locator("#connection")).to_have_text("live")
    canned.letter(0, reason="too large by far")
    canned.moved("dead-letters")
    expect(tab.get_by_role("link", name="too large by far")).to_be_visible()


def test_bytes_are_told_as_text_and_as_numbers(tab: Page, canned: Operating) -> None:
    """A dot for what can't be printed; of many bytes the first ones until more are asked for."""
    canned.letters[0] |= {"value": bytes(range(256)) * 400, "size": 102_400}
    shown(tab, LETTER)
    value = tab.locator(".bytes", has=tab.get_by_role("heading", name="Value"))
    expect(value).to_contain_text("The first 2,048 of 102,400 bytes. More than that is not sent to a page")
    value.get_by_role("button", name="Hex").click()
    lines = value.locator("pre").inner_text().split("\n")
    assert lines[2] == "00000020  20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f  | !\"#$%&'()*+,-./|"
    assert len(lines) == 128
    value.get_by_role("button", name="Show all that was sent").click()
    assert len(value.locator("pre").inner_text().split("\n")) == 64 * 1024 / 16


def test_alerts_are_listed_by_state_and_severity(tab: Page) -> None:
    """The newest first; what past sessions left is shown when asked for."""
    shown(tab, "/alerts")
    table = tab.get_by_role("table", name="Alerts")
    assert column(table, 1) == ["critical", "warning", "warning", "warning"]
    tab.get_by_label("Severity").select_option("critical")
    expect(table.locator("tbody tr")).to_have_count(1)
    tab.get_by_role("button", name="Acknowledged").click()
    expect(table).to_contain_text("No alert fits")
    tab.get_by_label("Severity").select_option("all")
    expect(table).to_contain_text("NICA closed outside")


def test_an_alert_arrives_and_ends_without_a_reload(tab: Page, canned: Operating) -> None:
    """Where none was there is a table then, and a sentence again afterwards."""
    canned.alerts.clear()
    shown(tab, "/alerts")
    assert "No open alerts" in main_text(tab)
    expect(tab.locator("#connection")).to_have_text("live")
    row = canned.alert(0, message="a shock of NABIL")
    canned.moved("alerts")
    expect(tab.get_by_role("link", name="a shock of NABIL")).to_be_visible()
    row["state"] = "resolved"
    canned.moved("alerts")
    expect(tab.locator("main")).to_contain_text("No open alerts")


def test_a_runbook_lies_at_hand(tab: Page, watch: Watch) -> None:
    """Also where nobody is connected to anything."""
    watch.expect("404")  # a text has none
    shown(tab, "/alerts/01b7e-alert")
    tab.get_by_role("link", name="docs/how-to/several-sensors.md").click()
    assert "sensor" in tab.locator("body").inner_text()


@pytest.fixture
def many(canned: Operating) -> Callable[[int], None]:
    """Lets so many letters come."""
    return lambda count: [canned.letter(number, resolved=False) for number in range(9, 9 + count)] and None


def test_more_letters_than_a_page_of_the_api_are_all_listed(tab: Page, many: Callable[[int], None]) -> None:
    """The table cuts them into its own pages."""
    many(700)
    shown(tab, "/letters")
    expect(tab.locator(".table-status")).to_have_text("704 rows")
    tab.get_by_role("button", name="Next").click()
    expect(tab.locator(".pager")).to_contain_text("Page 2 of 15")
