"""People are told at least once, in few messages, by channels that answer: real database and receivers."""

import itertools
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from events.payloads import AlertAcknowledged, AlertRaised, AlertResolved
from flows.notify import steps
from infra.bootstrap import Loop
from infra.channels import LOG, Channels
from infra.database import outbox
from infra.database.outbox import Note
from infra.errors import StopError, TryAgainError
from infra.kafka.records import Place
from infra.settings import Settings, load_settings
from tasks.notifying import enqueue
from tasks.telling import LAST_TRIES, LEASE, LONGEST_PAUSE, TRIES, WINDOW, deliver
from tests.copies import eventually
from tests.reading_side import project_records
from tests.receivers import Webhook, mailbox, webhook

NOW = datetime(2024, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook of this test."""
    with webhook() as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_waits(servers: Settings) -> None:
    """What other tests left untold is not delivered by this one."""
    with Loop(servers).database.begin() as connection:
        connection.execute(text("DELETE FROM private.messages"))
        connection.execute(text("DELETE FROM private.notes"))


def a_loop(servers: Settings, **channels: str) -> Loop:
    """The adapters, with channels whose names no other test has: a route is told once in a minute."""
    mine = uuid.uuid4().hex[:8]
    urls = {f"{name}_{mine}": SecretStr(url) for name, url in channels.items()}
    return Loop(load_settings(servers.home, notify_channels=urls))


def raised(message: str = "m", value: float = 1.0, **more: Any) -> AlertRaised:
    """An alert that is worth telling."""
    return AlertRaised(rule="abs_error", severity="warning", message=message, value=value, **more)


PLACES = itertools.count()


def news(*payloads: Any) -> list[Any]:
    """Events as a slice hands them over, at offsets of their own."""
    return [
        SimpleNamespace(id=uuid.uuid4().hex, payload=payload, place=Place("alerts", 0, next(PLACES)))
        for payload in payloads
    ]


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
    """After half a minute, with the same message under the same id; it says where it should have come."""
    with webhook() as second:
        loop = a_loop(servers, ops=hook.url(), mail=second.url())
        hook.answers = [500] * TRIES
        enqueue(loop, news(raised()), NOW)
        assert [deliver(loop, later(100 * n)).postponed for n in range(TRIES)] == [1] * TRIES
        assert deliver(loop, later(100 * TRIES)).told == 1
        assert len(set(hook.ids + second.ids)) == 1
        assert (len(hook.bodies), len(second.bodies)) == (TRIES, 1)
        assert f"not taken by {Channels(loop.settings).names[0]}" in second.bodies[0]
        loop.close()


def test_an_outage_of_the_only_channel_is_waited_for(servers: Settings, hook: Webhook) -> None:
    """Ever less often, for most of an hour; what comes meanwhile is one message when it is back."""
    loop, times = a_loop(servers, ops=hook.url()), list[float]()
    hook.answers = [500] * 30
    enqueue(loop, news(raised("first")), NOW)
    for second in range(0, 1_800, 5):
        if second == 600:
            enqueue(loop, news(*(raised(f"m{n}") for n in range(20))), later(second))
        if deliver(loop, later(second)).postponed:
            times.append(second)
        if not hook.answers:
            break
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_PAUSE
    assert deliver(loop, later(2_000)).told == 1
    assert deliver(loop, later(2_001)).told == 1
    assert "first" in hook.bodies[-2]
    assert "abs_error: 20 raised" in hook.bodies[-1]
    loop.close()


def test_a_log_that_was_the_last_resort_is_told_of(servers: Settings, hook: Webhook) -> None:
    """When the channel is back: who reads it knows where to look."""
    loop = a_loop(servers, ops=hook.url())
    hook.answers = [500] * LAST_TRIES
    enqueue(loop, news(raised("unheard")), NOW)
    rounds = [deliver(loop, later(100 * n)) for n in range(LAST_TRIES + 1)]
    assert [(one.postponed, one.told) for one in rounds] == [(1, 0)] * LAST_TRIES + [(0, 1)]
    assert deliver(loop, later(100 * LAST_TRIES + 1)).told == 1
    assert f"channels: 1 untold\n  message {hook.ids[0]} is in logs/notifications.jsonl" in hook.bodies[-1]
    assert deliver(loop, later(100 * LAST_TRIES + 200)).told == 0
    loop.close()


def test_nothing_is_held_open_while_a_channel_is_slow(servers: Settings, hook: Webhook) -> None:
    """A receiver that thinks for long holds up no slice, and no table."""
    loop = a_loop(servers, ops=hook.url(rto=20.0))
    hook.silent.set()
    enqueue(loop, news(raised("slow")), NOW)
    thread = threading.Thread(target=deliver, args=(loop, NOW))
    thread.start()
    eventually(lambda: bool(hook.bodies), "the receiver has it", 20)
    began = time.monotonic()
    with loop.database.begin() as connection:
        connection.execute(text("LOCK TABLE private.messages, private.notes IN ACCESS EXCLUSIVE MODE"))
    assert len(enqueue(loop, news(raised("at once")), NOW)) == 1
    assert time.monotonic() - began < 5
    assert deliver(loop, NOW).told == 0
    hook.released.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(hook.bodies) == 1
    loop.close()


def test_a_slice_asks_no_channel(servers: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It notes, and others deliver: a channel that is slow would hold up all alerts behind it."""
    loop, counts = a_loop(servers, ops=hook.url()), dict[str, int]()
    events = news(raised("noted"))
    work: Any = SimpleNamespace(
        read=lambda: events, run=SimpleNamespace(flow=f"notify-{uuid.uuid4().hex}"), count=counts.__setitem__
    )
    with monkeypatch.context() as slow:
        slow.setattr(Channels, "send", lambda *_: 1 / 0)
        assert steps(loop, work).message == "1 alerts noted"
    assert hook.bodies == []
    assert counts == {"noted": 1}
    assert deliver(loop).told == 1
    loop.close()


def test_what_somebody_looks_after_is_told_no_more(servers: Settings, hook: Webhook) -> None:
    """Until it is over; whatever the slices, and also where one is taken again."""
    loop, name = a_loop(servers, ops=hook.url()), uuid.uuid4().hex
    first = news(raised("first", alert_id=name))
    care = news(AlertAcknowledged(rule="abs_error", alert_id=name, by="an operator"))
    again = news(raised("again", alert_id=name), raised("another", alert_id=uuid.uuid4().hex))
    over = news(AlertResolved(rule="abs_error", message="it is over", alert_id=name))
    anew = news(raised("anew", alert_id=name))
    found = [[n.message for n in enqueue(loop, events, NOW)] for events in (first, care, again, over, anew)]
    assert found == [["first"], [], ["another"], ["it is over"], ["anew"]]
    assert [n.message for n in enqueue(loop, again, NOW)] == ["another"]
    assert [n.message for n in enqueue(loop, first, NOW)] == ["first"]
    assert [n.message for n in enqueue(loop, [*anew, *again, *over, *care], NOW)] == [
        "another",
        "it is over",
        "anew",
    ]
    loop.close()


def test_who_answers_behind_the_end_hides_nothing_that_comes(servers: Settings) -> None:
    """Whether or not the read side has heard of the end; it has heard of what was answered."""
    loop = a_loop(servers)
    for heard_of in (False, True):
        name = uuid.uuid4().hex
        first, over, care, anew, answered, again = news(
            raised("first", alert_id=name),
            AlertResolved(rule="abs_error", message="over", alert_id=name),
            AlertAcknowledged(rule="abs_error", alert_id=name, by="an operator"),
            raised("anew", alert_id=name),
            AlertAcknowledged(rule="abs_error", alert_id=name, by="an operator"),
            raised("again", alert_id=name),
        )
        project_records(loop, "alerts", first.payload, offset=first.place.offset)
        enqueue(loop, [first], NOW)
        if heard_of:
            project_records(loop, "alerts", over.payload, offset=over.place.offset)
        else:
            enqueue(loop, [over], NOW)
        enqueue(loop, [care], NOW)
        assert [note.message for note in enqueue(loop, [anew], NOW)] == ["anew"]
        project_records(loop, "alerts", anew.payload, offset=anew.place.offset)
        enqueue(loop, [answered], NOW)
        assert enqueue(loop, [again], NOW) == []
    loop.close()


def test_what_was_looked_after_and_gets_graver_is_told(servers: Settings) -> None:
    """Against the severity that the read side knows of it."""
    loop, name = a_loop(servers), uuid.uuid4().hex
    care, graver = news(
        AlertAcknowledged(rule="abs_error", alert_id=name, by="an operator"),
        raised("graver", alert_id=name).model_copy(update={"severity": "critical"}),
    )
    project_records(loop, "alerts", raised("first", alert_id=name), offset=-1 - care.place.offset)
    assert enqueue(loop, [care], NOW) == []
    assert [note.message for note in enqueue(loop, [graver], NOW)] == ["graver"]
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


def test_a_channel_that_never_answers_is_given_up_in_time(
    servers: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log takes what no channel takes."""
    loop = a_loop(servers, ops=hook.url(rto=0.3, cto=0.3))
    hook.silent.set()
    monkeypatch.setattr("tasks.telling.LAST_TRIES", 3)
    enqueue(loop, news(raised("nobody hears")), NOW)
    for n in range(3):
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
    assert deliver(loop, later(1)).told == 0
    assert deliver(loop, NOW + LEASE).told == 1
    assert len(hook.ids) == 2
    assert len(set(hook.ids)) == 1
    loop.close()


def test_a_rule_has_its_channels_and_its_quiet_hours(servers: Settings, hook: Webhook, tmp_path: Any) -> None:
    """At 22:30 in Kathmandu it waits for the morning; what is critical does not."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n  - {name: abs_error, about: error, measure: abs_error, above: 50, by: [symbol], "
        "quiet: 22:00-07:00, channels: [night]}\n"
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
