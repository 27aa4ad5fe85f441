"""What the watch sees on a real broker and a real database becomes alerts, also while one of them is away."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from events.envelope import Event, Metadata, encode
from events.payloads import (
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    ErrorComputed,
    PredictionExpired,
    PredictionMade,
)
from infra.bootstrap import Loop
from infra.database import alert_state, connection, facts, outbox
from infra.errors import StopError, TryAgainError
from infra.kafka.gauge import Gauge
from infra.kafka.records import Outgoing, Place
from infra.kafka.source import Source
from infra.settings import Settings, load_settings
from infra.wiring import routes
from tasks import looking
from tasks.alerting import rules_of
from tasks.core.alert_life import Sample
from tasks.core.alert_rules import AlertRule
from tasks.core.alerting import AlertManager
from tasks.notifying import enqueue
from tasks.settled_alerts import Settler
from tasks.settled_models import ModelSettler
from tasks.telling import deliver
from tasks.watcher import PRODUCER, Watcher
from tests.desk import Desk
from tests.model_books import promoted, trained
from tests.reading_side import project_records
from tests.receivers import Webhook, webhook
from tests.topic_in_memory import Log

FLOW = (("flow", "monitor"),)


@pytest.fixture
def rule() -> str:
    """The name of a rule that no other test has."""
    return f"rule_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook of this test."""
    with webhook() as found:
        yield found


@pytest.fixture
def loop(servers: Settings, rule: str, tmp_path: Path, hook: Webhook) -> Iterator[Loop]:
    """The adapters, with one rule about lag and one channel."""
    file = tmp_path / "rules.yaml"
    file.write_text(f"rules:\n  - {{name: {rule}, about: lag, measure: records, above: 0.5, by: [flow]}}\n")
    channels = {f"hook_{rule}": SecretStr(hook.url())}
    loop = Loop(load_settings(servers.home, alert_rules=file, notify_channels=channels))
    yield loop
    loop.close()


class Seen:
    """Eyes that see what the test says; None is a broker that does not answer."""

    def __init__(self, *looks: float | None) -> None:
        """Remember what is seen, look by look."""
        self.looks = list(looks)

    def look(self, rules: Any, *_: object) -> list[Sample]:
        """See the next thing."""
        return [Sample(rules[0].name, FLOW, self.looks.pop(0))]

    def close(self) -> None:
        """Nothing is open."""


def alerts_of(loop: Loop, rule: str) -> list[Any]:
    """List the events about a rule's alerts, in their order."""
    desk = Desk(loop.settings)
    desk.flow = PRODUCER
    try:
        return [one for one in desk.made("alerts") if getattr(one.payload, "rule", "") == rule]
    finally:
        desk.close()


def at(seconds: float) -> datetime:
    """Some seconds after the first look."""
    return datetime(2024, 3, 4, 9, tzinfo=UTC) + timedelta(seconds=seconds)


def watching(loop: Loop, monkeypatch: pytest.MonkeyPatch, *looks: float | None) -> Watcher:
    """A watcher that sees these values."""
    monkeypatch.setattr("tasks.watcher.Eyes", lambda _: Seen(*looks))
    return Watcher(loop)


def test_an_alert_is_raised_and_resolved_on_the_topic(
    loop: Loop, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both under one id; what is not measured changes nothing."""
    watcher = watching(loop, monkeypatch, 3.0, 5.0, None, 0.0, 0.0)
    for seconds in (0, 5, 10, 20, 40):
        watcher.look(at(seconds))
    raised, resolved = (r.payload for r in alerts_of(loop, rule))
    assert isinstance(raised, AlertRaised)
    assert isinstance(resolved, AlertResolved)
    assert raised.alert_id == resolved.alert_id
    assert raised.labels == {"flow": "monitor"}
    assert "5.00 at worst" in resolved.message
    watcher.close()


def test_who_goes_on_remembers(loop: Loop, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process raises nothing twice, and resolves what stands."""
    watching(loop, monkeypatch, 3.0).look(at(0))
    later = watching(loop, monkeypatch, 3.0, 0.0, 0.0)
    for seconds in (5, 10, 30):
        later.look(at(seconds))
    kinds = [type(r.payload).__name__ for r in alerts_of(loop, rule)]
    assert kinds == ["AlertRaised", "AlertResolved"]


def test_a_crash_before_publishing_publishes_the_same(
    loop: Loop, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stored before, under its id, and nothing is left of it afterwards."""
    with monkeypatch.context() as crash:
        crash.setattr(Source, "open", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watching(loop, monkeypatch, 3.0).look(at(0))
    [kept] = [one for one in alert_state.load(loop.database)[1] if rule in one.event]
    watching(loop, monkeypatch, 3.0).look(at(5))
    [raised] = alerts_of(loop, rule)
    assert raised.id == kept.event_id
    assert [one for one in alert_state.load(loop.database)[1] if rule in one.event] == []


@pytest.mark.parametrize("again", [False, True])
def test_what_is_on_the_topic_is_not_published_again(
    loop: Loop, rule: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database went away between the commit and the note of it; by this process or a later one."""
    watcher = watching(loop, monkeypatch, 3.0, 3.0, 3.0)
    with monkeypatch.context() as away:
        away.setattr(alert_state, "published", lambda *_: _raise_away(None))
        watcher.look(at(0))
    watcher = watching(loop, monkeypatch, 3.0, 3.0) if again else watcher
    watcher.look(at(5))
    watcher.look(at(10))
    assert len(alerts_of(loop, rule)) == 1
    assert [one for one in alert_state.load(loop.database)[1] if rule in one.event] == []


def test_people_are_told_while_the_broker_is_away(
    loop: Loop, rule: str, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; the event follows when it is back."""
    watcher = watching(loop, monkeypatch, None, 3.0, 3.0, 3.0)
    watcher.look(at(-5))
    with monkeypatch.context() as away:
        away.setattr(Source, "open", _raise_away)
        assert watcher.look(at(0)).waiting == 1
        assert watcher.look(at(5)).waiting == 1
        deliver(loop, at(6))
    assert alerts_of(loop, rule) == []
    [body] = hook.bodies
    assert "monitor: 3.00 records behind is above 0.5" in body
    assert watcher.look(at(10)).waiting == 0
    assert len(alerts_of(loop, rule)) == 1


def test_people_are_told_while_the_database_is_away_as_well(
    loop: Loop, rule: str, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directly, then; what is remembered in memory is stored later."""
    away = loop.settings.model_copy(update={"database_url": SecretStr("postgresql://nepse:x@127.0.0.1:1")})
    nowhere = Loop(away)
    watcher = watching(nowhere, monkeypatch, 3.0, 3.0)
    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", _raise_away)
        assert watcher.look(at(0)).waiting == 1
        assert watcher.look(at(5)).waiting == 1
    assert len(hook.bodies) == 1
    nowhere.close()
    assert alerts_of(loop, rule) == []


@pytest.mark.parametrize("broker_away", [False, True])
def test_who_was_told_past_the_database_is_not_told_again(
    loop: Loop, rule: str, hook: Webhook, broker_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the event is on the topic, nor when it is noted: it is one message, of one id."""
    watcher = watching(loop, monkeypatch, 3.0, 3.0)
    gone = loop.settings.model_copy(update={"database_url": SecretStr("postgresql://nepse:x@127.0.0.1:1")})
    with monkeypatch.context() as away:
        away.setattr(Loop, "database", property(lambda _: connection.engine(gone)))
        if broker_away:
            away.setattr(Source, "open", _raise_away)
        watcher.look(at(0))
    assert len(hook.bodies) == 1
    watcher.look(at(5))
    [raised] = alerts_of(loop, rule)
    received: Any = SimpleNamespace(id=raised.id, payload=raised.payload, place=Place("alerts", 0, 1))
    [note] = enqueue(loop, [received], at(6))
    for seconds in (6, 120):
        deliver(loop, at(seconds))
    assert hook.ids == [outbox.message_id(note)]


def test_a_watch_does_not_begin_with_a_wrong_channel(servers: Settings) -> None:
    """It would find out at the first alert."""
    wrong = {"ops": SecretStr("nothing://user:hidden@host")}
    with pytest.raises(StopError, match="channel ops"):
        Watcher(Loop(load_settings(servers.home, notify_channels=wrong)))


def test_what_somebody_looks_after_is_not_told_again(
    loop: Loop, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the acknowledgement is older than the alert: then it was about an earlier one."""
    watcher = watching(loop, monkeypatch, 3.0, 3.0, 3.0, 3.0, 3.0)
    watcher.look(at(0))
    [raised] = alerts_of(loop, rule)
    when = {raised.payload.alert_id: at(-1)}
    monkeypatch.setattr(alert_state, "acknowledged", lambda *_: when)
    watcher.look(at(5))
    watcher.look(at(20_000))
    assert len(alerts_of(loop, rule)) == 2
    when[raised.payload.alert_id] = at(20_001)
    watcher.look(at(20_005))
    watcher.look(at(40_000))
    assert len(alerts_of(loop, rule)) == 2


def test_acknowledgements_are_looked_up(loop: Loop) -> None:
    """When, for each alert."""
    alert, now = uuid.uuid4().hex, datetime.now(UTC)
    project_records(loop, "alerts", AlertAcknowledged(rule="a", alert_id=alert, by="an operator"))
    [(name, when)] = alert_state.acknowledged(loop.database, [alert, "other"]).items()
    assert name == alert
    assert abs(when - now) < timedelta(seconds=60)


def _raise_away(_: object) -> None:
    message = "the broker is away"
    raise TryAgainError(message)


def test_a_gauge_goes_on_after_a_look_that_failed(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With new clients, from where it stood; and what it saw before is still known."""
    gauge = Gauge(loop.settings)
    before = gauge.read()
    with monkeypatch.context() as away:
        away.setattr(Gauge, "_read_on", lambda *_: _raise_away(None))
        with pytest.raises(TryAgainError):
            gauge.read()
    assert gauge.read().keys() == before.keys()
    gauge.close()


def test_eyes_see_lag(loop: Loop, rule: str) -> None:
    """Records that nobody has read yet, for every flow of the wiring."""
    source = Source(loop.pool, f"test-{rule}")
    source.open()
    payload = PredictionExpired(symbol="ZZ", date=date(2024, 3, 4), predicted=1.0, sessions_waited=1)
    event = Event(datetime.now(UTC), "test", payload, Metadata(rule, rule, 1, None, None))
    source.publish([Outgoing("errors", b"ZZ", encode(event))])
    source.close()
    eyes = looking.Eyes(loop)
    seen = {s.labels: s.value for s in eyes.look(rules_of(loop.settings), [], datetime.now(UTC))}
    assert (seen[FLOW] or 0) >= 1
    assert len(seen) == len({route.flow for route in routes()})
    eyes.close()


def an_error(symbol: str, day: int, abs_error: float, **more: Any) -> ErrorComputed:
    """An error of a share."""
    values: dict[str, Any] = {"predicted": 100.0, "actual": 100.0, "error": abs_error, "abs_error": abs_error}
    return ErrorComputed(symbol=symbol, date=date(2024, 3, day), **values, **more)


def test_a_share_that_errs_less_ends_its_alert(loop: Loop, rule: str) -> None:
    """Once; not by an older session, not while it still breaches, and not where history raised it."""
    symbol = f"S{rule[-8:]}"
    per_error = AlertRule(rule, "error", "abs_error", above=50.0, by=("symbol",))
    settler = Settler(loop)

    def over() -> list[str]:
        return [
            one.message
            for _, one in settler.settled({rule: per_error}, datetime.now(UTC))
            if one.symbol == symbol
        ]

    errors = [an_error(symbol, day, 60.0) for day in (4, 5)]
    raised = [alert for _, alert in AlertManager([per_error]).process(errors)]
    project_records(loop, "errors", an_error(symbol, 3, 1.0), *errors)
    project_records(loop, "alerts", *raised)
    assert over() == []
    project_records(loop, "errors", an_error(symbol, 6, 2.0))
    assert over() == [f"{symbol} on 2024-03-06: 2.00 rupees of absolute error, {rule} is over"]
    assert over() == []
    [(_, resolved)] = [
        pair
        for pair in Settler(loop).settled({rule: per_error}, datetime.now(UTC))
        if pair[1].symbol == symbol
    ]
    project_records(loop, "alerts", resolved)
    assert over() == []
    project_records(loop, "errors", an_error(symbol, 7, 70.0), an_error(symbol, 8, 1.0))
    historic = AlertManager([per_error]).process([an_error(symbol, 7, 70.0)], date(2024, 4, 1))
    project_records(loop, "alerts", *(alert for _, alert in historic))
    assert over() == []


def test_an_alert_that_is_raised_again_about_an_older_session_ends_again(loop: Loop, rule: str) -> None:
    """By the error that ended it before: it is another end, and has another id."""
    symbol = f"S{rule[-8:]}"
    per_error = AlertRule(rule, "error", "abs_error", above=50.0, by=("symbol",))

    def over() -> list[tuple[str, AlertResolved]]:
        found = Settler(loop).settled({rule: per_error}, datetime.now(UTC))
        return [one for one in found if one[1].symbol == symbol]

    breach = an_error(symbol, 5, 60.0)
    [(_, raised)] = AlertManager([per_error]).process([breach])
    project_records(loop, "errors", breach, an_error(symbol, 6, 2.0))
    project_records(loop, "alerts", raised)
    [(first, ended)] = over()
    project_records(loop, "alerts", ended)
    assert over() == []
    project_records(loop, "alerts", raised)
    [(second, again)] = over()
    assert (again, second != first) == (ended, True)
    project_records(loop, "alerts", again)
    assert over() == []


def test_an_alert_ends_however_long_its_share_did_not_trade(loop: Loop, rule: str) -> None:
    """And although history raised it again since, about the same session."""
    symbol = f"S{rule[-8:]}"
    per_error = AlertRule(rule, "error", "abs_error", above=50.0, by=("symbol",))
    breach, later = an_error(symbol, 5, 60.0), datetime.now(UTC) + timedelta(days=300)
    [(_, raised)] = AlertManager([per_error]).process([breach])
    project_records(loop, "errors", breach, an_error(symbol, 6, 2.0))
    project_records(loop, "alerts", raised, raised.model_copy(update={"historic": True}))
    found = Settler(loop).settled({rule: per_error}, later)
    assert [one.rule for _, one in found if one.symbol == symbol] == [rule]


def test_an_alert_about_a_version_ends_when_the_one_in_office_predicts(loop: Loop, rule: str) -> None:
    """Not while another one predicts in its place, nor by what came before or may be there in part; once."""
    broken, good = f"v{rule[-8:]}", f"w{rule[-8:]}"
    serving = [trained(broken, date(2023, 1, 1))]
    topic = Log("models", *serving)
    view: Any = SimpleNamespace(database=loop.database, models=topic)
    with connection.transaction(loop.database) as reading:
        newest = reading.execute(
            text("SELECT coalesce(max(date), CURRENT_DATE) FROM predictions WHERE date <= CURRENT_DATE + 20")
        ).scalar_one()
    labels = {"model_version": broken}
    raised = AlertRaised(
        rule="model_refused", severity="critical", message="gone", alert_id=rule, labels=labels
    )

    def predict(version: str, ahead: int) -> None:
        day = newest + timedelta(days=ahead)
        said = PredictionMade(symbol="ZZ", date=day, predicted_close=1.0, model_version=version)
        project_records(loop, "predictions", said)

    def over() -> list[AlertResolved]:
        return [one for _, one in ModelSettler(view).settled() if one.alert_id == rule]

    predict(broken, 1)
    project_records(loop, "alerts", raised)
    assert over() == []
    predict("v0", 2)
    assert over() == []
    topic.add(Event(datetime.now(UTC), "test", promoted(good), Metadata("no-term", "chain")))
    topic.add(Event(datetime.now(UTC), "test", trained(good, date(2023, 1, 2)), Metadata("good", "chain")))
    assert over() == []
    predict(good, 3)
    assert over() == []
    predict(good, 4)
    [resolved] = over()
    assert (resolved.labels, resolved.severity) == (labels, "critical")
    assert resolved.message == f"{good} is in office and predicts, model_refused of {broken} is over"
    assert [name for name, _ in ModelSettler(view).settled()] == [
        name for name, _ in ModelSettler(view).settled()
    ]
    project_records(loop, "alerts", resolved)
    assert over() == []


def test_errors_of_sessions_are_summed_up_by_version(loop: Loop, rule: str) -> None:
    """Newest revisions alone, none that was taken back, none that is no price; lead is a ratio of sums."""
    days = [date(2031, 1, 2), date(2031, 1, 3)]
    made = [
        an_error("A", 1, 2.0, model_version=rule, within_95=True, baseline_error=4.0, pct_error=-2.0),
        an_error("B", 1, 6.0, model_version=rule, within_95=False, baseline_error=-4.0, pct_error=6.0),
        an_error("C", 1, 1.7e308, model_version=rule),
        an_error("D", 1, 9.0, model_version=rule, retracted=True),
    ]
    for day in days:
        project_records(loop, "errors", *(one.model_copy(update={"date": day}) for one in made))
    found = [row for row in facts.errors(loop.database, 2, days[-1]) if row.model_version == rule]
    assert [row.date for row in found] == days
    assert found[0][2:] == pytest.approx((4.0, 4.0, 0.5, 1.0))
    assert facts.letters(loop.database, datetime.now(UTC) + timedelta(days=1)) == []
    assert facts.drift(loop.database, datetime.now(UTC) + timedelta(days=1)) == []


def test_eyes_see_servers(loop: Loop) -> None:
    """Those that this stack has: who answered is away for no second, also a look later."""
    server = AlertRule("away", "server", "seconds", above=15.0, by=("server",))
    eyes, now = looking.Eyes(loop), datetime.now(UTC)
    eyes.look([server], [], now)
    seen = {s.labels: s.value for s in eyes.look([server], [], now + timedelta(seconds=20))}
    assert seen == {(("server", "kafka"),): 0.0, (("server", "postgres"),): 0.0}
    eyes.close()
