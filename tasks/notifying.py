"""Telling people: news becomes notes, notes become few messages, messages go by channels that answer."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from events.payloads import AlertRaised, AlertResolved, Payload
from infra.bootstrap import Loop
from infra.channels import LOG, Channels
from infra.database import outbox
from infra.database.outbox import Message, Note
from infra.errors import TryAgainError
from infra.kafka.records import Received
from tasks.alerting import rules_of
from tasks.core.alert_rules import AlertRule
from tasks.core.digest import digest, worth_telling

WINDOW = timedelta(seconds=60)
"""A route is told once in so long, however much there is: the first at once, the rest in one digest."""
TRIES = 3
"""How often a channel is tried before the next one of the route is."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before the next try."""
SECONDS = 15.0
"""How long one round of deliveries may take; the rest waits for the next round."""

_log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """What a round of deliveries came to."""

    told: int = 0
    postponed: int = 0


def enqueue(loop: Loop, received: Iterable[Received[Payload]], now: datetime) -> list[Note]:
    """Note what people are to be told of; what is noted already stays as it is.

    Raises:
        StopError: the alert rules or a channel can't be used.
        TryAgainError: the database is away.
    """
    news = [(r.id, r.payload) for r in received if worth_telling(r.payload)]
    found = notes_of(loop, [(name, payload) for name, payload in news if worth_telling(payload)], now)
    outbox.add(loop.database, found)
    return found


def notes_of(
    loop: Loop, news: Sequence[tuple[str, AlertRaised | AlertResolved]], now: datetime
) -> list[Note]:
    """Say by which route, and from when on, each event is told."""
    rules = {rule.name: rule for rule in loop.keep("alert-rules", lambda: rules_of(loop.settings))}
    channels = channels_of(loop)
    return [_noted(channels, rules.get(payload.rule), name, payload, now) for name, payload in news]


def channels_of(loop: Loop) -> Channels:
    """Give this process's channels; raises StopError where one can't be used."""
    return loop.keep("channels", lambda: _checked(Channels(loop.settings)))


def _checked(channels: Channels) -> Channels:
    channels.check()
    return channels


def _noted(
    channels: Channels, rule: AlertRule | None, name: str, payload: AlertRaised | AlertResolved, now: datetime
) -> Note:
    """Alerts of rules that nobody declared go by every channel; critical ones do not wait for the morning."""
    route = ",".join(channels.route(rule.channels if rule else ()))
    quiet = rule.quiet.until(now) if rule and rule.quiet and payload.severity != "critical" else None
    value = payload.value if isinstance(payload, AlertRaised) else None
    kind = "raised" if isinstance(payload, AlertRaised) else "resolved"
    return Note(name, route, kind, payload.rule, payload.message, value, quiet or now)


def deliver(loop: Loop, now: datetime | None = None) -> Delivered:
    """Make messages of what is noted, and deliver those that are due, for some seconds at most.

    At least once: between a channel's yes and the note of it a crash delivers the same message again, under
    the same id, by which a receiver recognises it.

    Raises:
        StopError: a channel can't be used.
        TryAgainError: the database is away.
    """
    at, found, until = now or datetime.now(UTC), Delivered(), time.monotonic() + SECONDS
    outbox.compose(loop.database, at, WINDOW, digest)
    while time.monotonic() < until:
        with outbox.due(loop.database, at) as (connection, message):
            if message is None:
                break
            _deliver(channels_of(loop), connection, message, at, found)
    return found


def _deliver(
    channels: Channels, connection: Connection, message: Message, now: datetime, found: Delivered
) -> None:
    """Try the message's channel; the log has every message, whoever takes it."""
    route = [name for name in message.route.split(",") if name in channels.names] or [LOG]
    name = route[min(message.channel, len(route) - 1)]
    try:
        channels.send(name, message.message_id, message.text)
    except TryAgainError as error:
        outbox.postponed(connection, _next(message), now + _pause(message), str(error))
        _log.warning("%s", error)
        found.postponed += 1
        return
    outbox.told(connection, message, name)
    found.told += 1
    if name != LOG:
        _note(channels, message)


def _note(channels: Channels, message: Message) -> None:
    """Keep a copy in the log, where that can be written: the message was taken, and is not told again."""
    try:
        channels.send(LOG, message.message_id, message.text)
    except TryAgainError as error:
        _log.warning("%s", error)


def _next(message: Message) -> Message:
    """Count a try; after enough of them the route's next channel has its turn."""
    if message.tries + 1 < TRIES:
        return message._replace(tries=message.tries + 1)
    return message._replace(channel=message.channel + 1, tries=0)


def _pause(message: Message) -> timedelta:
    return timedelta(seconds=PAUSES[message.tries])
