"""People are told at least once, in few messages, by channels that answer: real database and receivers."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from events.payloads import AlertRaised, AlertResolved
from infra.bootstrap import Loop
from infra.channels import LOG, Channels
from infra.database import outbox
from infra.database.outbox import Note
from infra.errors import StopError, TryAgainError
from infra.settings import Settings, load_settings
from tasks.notifying import TRIES, WINDOW, deliver, enqueue
from tests.receivers import Webhook, mailbox, webhook

NOW = datetime(2024, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook of this test."""
    with webhook() as found:
        yield found


def a_loop(servers: Settings, **channels: str) -> Loop:
    """The adapters, with channels whose names no other test has: a route is told once in a minute."""
    mine = uuid.uuid4().hex[:8]
    urls = {f"{name}_{mine}": SecretStr(url) for name, url in channels.items()}
    return Loop(load_settings(servers.home, notify_channels=urls))


def raised(message: str = "m", value: float = 1.0, **more: Any) -> AlertRaised:
    """An alert that is worth telling."""
    return AlertRaised(rule="abs_error", severity="warning", message=message, value=value, **more)


def news(*payloads: Any) -> list[Any]:
    """Events as a slice hands them over."""
    return [SimpleNamespace(id=uuid.uuid4().hex, payload=payload) for payload in payloads]


def later(seconds: float) -> datetime:
    """Some seconds after the alerts."""
    return NOW + timedelta(seconds=seconds)


def test_a_message_is_told_once_whatever_the_slices(servers: Settings, hook: Webhook) -> None:
    """A slice that is taken again, in halves, adds nothing; the log has the message as well."""
    loop = a_loop(servers, ops=hook.url())
    events = news(raised("NABIL missed by 61"), AlertResolved(rule="abs_error", message="NICA is well"))
    enqueue(loop, events, NOW)
    assert deliver(loop, NOW).told == 1
    enqueue(loop, events[:1], NOW)
    enqueue(loop, events[1:], NOW)
    assert deliver(loop, later(120)).told == 0
    [body] = hook.bodies
    assert "abs_error: 1 raised\n  NABIL missed by 61" in body
    assert "abs_error: 1 resolved\n  NICA is well" in body
    log = (servers.home / "logs" / "notifications.jsonl").read_text().splitlines()
    assert hook.ids[0] in {json.loads(line)["id"] for line in log}
    loop.close()


def test_what_is_no_news_is_not_told(servers: Settings, hook: Webhook) -> None:
    """Alerts about old sessions, and those for information."""
    loop = a_loop(servers, ops=hook.url())
    quiet = news(raised(historic=True), AlertRaised(rule="a", severity="info", message="m"))
    assert enqueue(loop, quiet, NOW) == []
    assert deliver(loop, NOW).told == 0
    loop.close()


def test_a_storm_is_a_handful_of_messages(servers: Settings, hook: Webhook) -> None:
    """Ten thousand alerts in slices over two minutes: three messages, and each alert is counted in one."""
    loop, told = a_loop(servers, ops=hook.url()), 0
    for number in range(20):
        enqueue(loop, news(*(raised(f"m{number}-{n}", float(n)) for n in range(500))), later(6 * number))
        told += deliver(loop, later(6 * number)).told
    told += deliver(loop, later(6 * 20 + WINDOW.total_seconds())).told
    counts = [int(body.split("abs_error: ")[1].split(" raised")[0]) for body in hook.bodies]
    assert told == len(counts) <= 4
    assert sum(counts) == 10_000
    assert max(len(body) for body in hook.bodies) < 2_000
    loop.close()


def test_more_notes_than_a_statement_takes_parameters(servers: Settings, hook: Webhook) -> None:
    """A night's alerts are one message."""
    loop = a_loop(servers, ops=hook.url())
    route = ",".join(Channels(loop.settings).names)
    ids = (uuid.uuid4().hex for _ in range(70_000))
    outbox.add(loop.database, (Note(name, route, "raised", "abs_error", "m", 1.0, NOW) for name in ids))
    assert deliver(loop, NOW).told == 1
    assert "abs_error: 70000 raised" in hook.bodies[0]
    loop.close()


def test_a_log_that_can_not_be_written_tells_nothing_twice(
    servers: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel took the message; the copy is what is lost."""
    loop = a_loop(servers, ops=hook.url())
    enqueue(loop, news(raised()), NOW)
    monkeypatch.setattr(Channels, "_write", lambda *_: _full())
    assert deliver(loop, NOW).told == 1
    assert deliver(loop, later(120)).told == 0
    assert len(hook.bodies) == 1
    loop.close()


def _full() -> None:
    message = "no space left"
    raise TryAgainError(message)


def test_a_channel_that_fails_gives_way_to_the_next(servers: Settings, hook: Webhook) -> None:
    """After three tries, with the same message under the same id; nobody waits for it."""
    with webhook() as second:
        loop = a_loop(servers, ops=hook.url(), mail=second.url())
        hook.answers = [500] * TRIES
        enqueue(loop, news(raised()), NOW)
        assert [deliver(loop, later(10 * n)).postponed for n in range(TRIES)] == [1] * TRIES
        assert deliver(loop, later(100)).told == 1
        assert len(set(hook.ids + second.ids)) == 1
        assert (len(hook.bodies), len(second.bodies)) == (TRIES, 1)
        loop.close()


def test_a_channel_that_recovers_tells(servers: Settings, hook: Webhook) -> None:
    """A second try is soon enough, and is the same message."""
    loop = a_loop(servers, ops=hook.url())
    hook.answers = [503]
    enqueue(loop, news(raised()), NOW)
    assert deliver(loop, NOW).postponed == 1
    assert deliver(loop, NOW).told == 0
    assert deliver(loop, later(1)).told == 1
    assert hook.ids[0] == hook.ids[1]
    loop.close()


def test_a_channel_that_never_answers_is_given_up_in_time(servers: Settings, hook: Webhook) -> None:
    """The log takes what no channel takes."""
    loop = a_loop(servers, ops=hook.url(rto=0.3, cto=0.3))
    hook.silent.set()
    enqueue(loop, news(raised("nobody hears")), NOW)
    for n in range(TRIES):
        assert deliver(loop, later(10 * n)).postponed == 1
    assert deliver(loop, later(100)).told == 1
    last = json.loads((servers.home / "logs" / "notifications.jsonl").read_text().splitlines()[-1])
    assert "nobody hears" in last["text"]
    assert last["id"] == hook.ids[0]
    loop.close()


def test_a_crash_after_a_yes_tells_the_same_again(
    servers: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: the receiver knows the message by its id."""
    loop = a_loop(servers, ops=hook.url())
    enqueue(loop, news(raised()), NOW)
    with monkeypatch.context() as crash:
        crash.setattr(outbox, "told", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver(loop, NOW)
    assert deliver(loop, later(1)).told == 1
    assert len(hook.ids) == 2
    assert len(set(hook.ids)) == 1
    loop.close()


def test_a_rule_has_its_channels_and_its_quiet_hours(servers: Settings, hook: Webhook, tmp_path: Any) -> None:
    """At 22:30 in Kathmandu it waits for the morning; what is critical does not."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n  - {name: abs_error, about: error, measure: abs_error, above: 50, quiet: 22:00-07:00, "
        "channels: [night]}\n"
    )
    with webhook() as other:
        urls = {"day": SecretStr(other.url()), "night": SecretStr(hook.url())}
        loop = Loop(load_settings(servers.home, notify_channels=urls, alert_rules=rules))
        night = datetime(2024, 3, 4, 16, 45, tzinfo=UTC)
        enqueue(loop, news(raised("waits")), night)
        assert deliver(loop, night).told == 0
        critical = raised("at once").model_copy(update={"severity": "critical"})
        enqueue(loop, news(critical), night)
        assert deliver(loop, night).told == 1
        assert deliver(loop, datetime(2024, 3, 5, 1, 15, tzinfo=UTC)).told == 1
        assert ["at once" in hook.bodies[0], "waits" in hook.bodies[1]] == [True, True]
        assert other.bodies == []
        loop.close()


def test_mail_arrives(servers: Settings) -> None:
    """By SMTP, as any mail server takes it."""
    with mailbox() as (port, texts):
        url = f"mailto://127.0.0.1:{port}/?from=loop@example.com&to=ops@example.com"
        loop = a_loop(servers, mail=url)
        enqueue(loop, news(raised("by mail <img src=//evil/x>")), NOW)
        assert deliver(loop, NOW).told == 1
        [text] = texts
        assert "by mail" in text
        assert "&lt;img&nbsp;src=//evil/x&gt;" in text
        assert text.count("<img") == 1  # in the part that is plain text
        loop.close()


def test_what_was_told_long_ago_is_forgotten(servers: Settings, hook: Webhook) -> None:
    """And what nobody was told of is kept."""
    loop = a_loop(servers, ops=hook.url())
    enqueue(loop, news(raised()), NOW)
    assert outbox.waiting(loop.database) >= 1
    deliver(loop, NOW)
    assert outbox.forget(loop.database, NOW + timedelta(days=29)) == 0
    enqueue(loop, news(raised()), NOW + timedelta(days=31))
    left = outbox.waiting(loop.database)
    assert outbox.forget(loop.database, NOW + timedelta(days=31)) >= 1
    assert outbox.waiting(loop.database) == left
    loop.close()


def test_a_wrong_url_is_told_without_itself(servers: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """It may hold a password."""
    loop = a_loop(servers, ops="nothing://user:hidden@host")
    with pytest.raises(StopError, match="the notification channel ops_") as caught:
        enqueue(loop, news(raised()), NOW)
    assert "hidden" not in str(caught.value) + caplog.text
    loop.close()


def test_routes_end_in_the_log(servers: Settings, hook: Webhook) -> None:
    """Whatever a rule asks for; older settings' URLs are channels as well."""
    urls = [SecretStr(hook.url()), SecretStr(hook.url())]
    channels = Channels(load_settings(servers.home, notify_channels={"a": urls[0]}, notify_urls=urls))
    assert channels.names == ("a", "url_1", "url_2", LOG)
    assert channels.route(["url_2", "nowhere", "a"]) == ("url_2", "a", LOG)
    assert channels.route(["log"]) == (LOG,)
    assert channels.route(["nowhere"]) == channels.route([]) == channels.names
    hook.answers = [500]
    with pytest.raises(TryAgainError, match="the channel a did not take"):
        channels.send("a", "id", "text")
