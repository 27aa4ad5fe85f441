"""Rules looked at on a clock: what they find is remembered, published, and told even without a broker."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kafka.errors import KafkaError

from events.envelope import Event, Metadata, decode, derive_id, encode
from events.payloads import AlertRaised, AlertResolved
from infra.bootstrap import Loop
from infra.database import alert_state, outbox
from infra.database.alert_state import News
from infra.errors import LoopError, TryAgainError
from infra.kafka.records import Outgoing
from infra.kafka.scanning import published_since
from infra.kafka.source import Source
from infra.kafka.work import CODE_VERSION
from infra.trace_context import source_headers
from tasks.alerting import rules_of
from tasks.core.alert_events import payload_of, recalled_life, stored_life
from tasks.core.alert_life import Change, Key, Life, acknowledged, step
from tasks.core.alert_rules import AlertRule, alert_id
from tasks.core.digest import worth_telling
from tasks.looking import Eyes
from tasks.notifying import channels_of, notes_of
from tasks.settled_alerts import Settler
from tasks.settled_models import ModelSettler
from tasks.telling import past_of

PRODUCER = "watch"
KNOWN_BY_THEN = timedelta(minutes=10)
"""An end that was published is on the read side after this time, if a projector runs at all."""
Ends = list[tuple[str, AlertResolved]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to."""

    changes: tuple[Change, ...]
    standing: tuple[Key, ...]
    waiting: int
    """Events that are not on the topic yet."""


class Watcher:
    """Looks, and remembers between looks; not for several threads.

    Lives and unpublished events are in Postgres, so that whoever goes on after a crash publishes the same
    events. While Postgres is away they are in memory; people are told all the same, also while the broker is.
    """

    def __init__(self, loop: Loop) -> None:
        """Nothing is looked at yet; raises StopError where the rules or a channel can't be used."""
        self._loop = loop
        channels_of(loop)
        self._rules: Sequence[AlertRule] = rules_of(loop.settings)
        self._eyes = Eyes(loop)
        self._lives: dict[Key, Life] = {}
        self._stored: dict[str, Any] | None = None
        self._news: list[News] = []
        self._unsure = True
        """Some of the news may be on the topic: an earlier process, or attempt, began to publish them."""
        self._published: set[str] = set()
        self._told: set[str] = set()
        self._settler, self._models = Settler(loop), ModelSettler(loop)
        self._over: dict[str, datetime] = {}
        """Ends that were found lately, and that the read side may not know yet."""

    def look(self, now: datetime) -> Looked:
        """Look once, and tell what changed."""
        self._recall()
        samples = self._eyes.look(self._rules, self._lives, now)
        self._lives, changes = step(self._rules, self._silenced(), samples, now)
        self._news += [self._event(change, now) for change in changes] + self._settled(now)
        fresh = [one for one in self._news if one.event_id not in self._told]
        remembered = self._remember()
        if not (self._publish() and remembered):
            self._tell(fresh, now)
        return Looked(
            tuple(changes), tuple(k for k, life in self._lives.items() if life.raised_at), len(self._news)
        )

    def close(self) -> None:
        """Close the clients."""
        self._eyes.close()

    def _recall(self) -> None:
        """Read once what an earlier process remembered."""
        if self._stored is not None:
            return
        try:
            self._stored, news = alert_state.load(self._loop.database)
        except TryAgainError as error:
            _log.warning("what stood before is not known yet: %s", error)
            return
        before = dict(map(recalled_life, self._stored.values()))
        self._lives = before | self._lives
        known = {one.event_id for one in self._news}
        self._news = [one for one in news if one.event_id not in known] + self._news

    def _silenced(self) -> dict[Key, Life]:
        """Mark what somebody acknowledged since it was raised, this time."""
        raised = {alert_id(k.rule, dict(k.labels)): k for k, life in self._lives.items() if life.raised_at}
        lives = dict(self._lives)
        try:
            when = alert_state.acknowledged(self._loop.database, raised) if raised else {}
        except TryAgainError as error:
            _log.warning("acknowledgements are not known: %s", error)
            return lives
        for name, moment in when.items():
            since = lives[raised[name]].raised_at
            if since is not None and moment >= since:
                lives = acknowledged(lives, raised[name])
        return lives

    def _remember(self) -> bool:
        """Store what changed, before anything is published; tells whether the database has it."""
        if self._stored is None:
            return False
        now = {alert_id(k.rule, dict(k.labels)): stored_life(k, life) for k, life in self._lives.items()}
        changed = {name: life for name, life in now.items() if self._stored.get(name) != life}
        gone = self._stored.keys() - now.keys()
        if not (changed or gone or self._news):
            return True
        try:
            alert_state.save(self._loop.database, changed, gone, self._news)
            self._stored = now
        except TryAgainError as error:
            _log.warning("kept in memory for now: %s", error)
            return False
        return True

    def _publish(self) -> bool:
        """Publish all news, in their order; tells whether none is left."""
        if not self._news:
            self._tidy()
            return True
        source, unsure = Source(self._loop.pool, PRODUCER), self._unsure
        self._unsure = True  # until it is known what came of this attempt
        try:
            source.open()
            first = min(one.made_at for one in self._news)
            there = published_since(self._loop.settings, "alerts", first) if unsure else set[str]()
            source.publish([_outgoing(one) for one in self._news if one.event_id not in there])
        except (LoopError, KafkaError) as error:  # whoever opens next finds out what is committed
            _log.warning("alerts are published later: %s", error)
            return False
        finally:
            source.close()
        self._published |= {one.event_id for one in self._news}
        self._news, self._unsure = [], False
        self._tidy()
        return True

    def _tidy(self) -> None:
        """Forget what is on the topic, as soon as the database answers."""
        if not self._published:
            return
        try:
            alert_state.published(self._loop.database, self._published)
            self._published = set()
        except TryAgainError as error:
            _log.warning("what was published is forgotten later: %s", error)

    def _tell(self, fresh: Sequence[News], now: datetime) -> None:
        """Tell what topic and outbox can't carry now, by the outbox or else past it, under the same ids."""
        news = [(one.event_id, payload) for one in fresh if worth_telling(payload := _payload(one))]
        notes = notes_of(self._loop, news, now)
        try:
            outbox.add(self._loop.database, notes)
        except TryAgainError:
            for note in notes:
                past_of(self._loop).tell(channels_of(self._loop), note, now)
        waiting = {one.event_id for one in self._news}
        self._told = waiting & (self._told | {one.event_id for one in fresh})

    def _event(self, change: Change, now: datetime) -> News:
        """Write the event of a change; the same change has the same id."""
        rule = next((r for r in self._rules if r.name == change.key.rule), None)
        life = self._lives.get(change.key)
        payload = payload_of(change, rule)
        moment = (life.told_at if life else None) or change.since
        event_id = derive_id(PRODUCER, str(payload.alert_id), f"{change.kind} {moment.isoformat()}")
        return _news(event_id, payload, now)

    def _settled(self, now: datetime) -> list[News]:
        """Write the ends of alerts that others raise and never end: of shares' errors, and of versions."""
        rules = {rule.name: rule for rule in self._rules}
        found = [*_known(lambda: self._settler.settled(rules, now)), *_known(self._models.settled)]
        known = {one.event_id for one in self._news} | self._over.keys()
        lately = {event_id: at for event_id, at in self._over.items() if now - at < KNOWN_BY_THEN}
        self._over = lately | dict.fromkeys((event_id for event_id, _ in found), now)
        return [_news(event_id, payload, now) for event_id, payload in found if event_id not in known]


def _known(find: Callable[[], Ends]) -> Ends:
    """Find what is over; nothing where that is not known now."""
    try:
        return find()
    except TryAgainError as error:
        _log.warning("what is over is not known yet: %s", error)
    except Exception:  # noqa: BLE001  (whatever a foreign event held: all other alerts are still told)
        _log.exception("what is over can't be said")
    return []


def _news(event_id: str, payload: AlertRaised | AlertResolved, now: datetime) -> News:
    metadata = Metadata(event_id, str(payload.alert_id), payload.schema_version, None, CODE_VERSION)
    return News(event_id, now, encode(Event(now, PRODUCER, payload, metadata)).decode())


def _payload(one: News) -> Any:
    return decode(one.event.encode()).payload


def _outgoing(one: News) -> Outgoing:
    payload = _payload(one)
    trace = source_headers(PRODUCER, "alerts", str(payload.alert_id))
    return Outgoing("alerts", payload.key.encode(), one.event.encode(), trace)
