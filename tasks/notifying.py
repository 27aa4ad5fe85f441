"""Whom alerts are told to: news becomes notes, which are delivered aside of any slice."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from events.payloads import AlertAcknowledged, AlertRaised, AlertResolved, Payload
from infra.bootstrap import Loop
from infra.channels import Channels
from infra.database import acknowledgements, outbox
from infra.database.connection import transaction
from infra.database.outbox import Note
from infra.kafka.records import Received
from tasks.alerting import rules_of
from tasks.core.alert_rules import AlertRule
from tasks.core.digest import worth_telling
from tasks.core.looked_after import Care, Heard, audible


def enqueue(loop: Loop, received: Iterable[Received[Payload]], now: datetime) -> list[Note]:
    """Note what people are to be told of; what is noted already stays as it is.

    What is raised again of an alert that somebody looks after is told to nobody (`core/looked_after.py`).

    Raises:
        StopError: the alert rules or a channel can't be used.
        TryAgainError: the database is away.
    """
    events = sorted((Heard(r.place.offset, r.id, r.payload) for r in received), key=lambda one: one.offset)
    told, cares = audible(events, *_before(loop, events))
    news = [(one.event_id, one.payload) for one in told if worth_telling(one.payload)]
    found = notes_of(loop, news, now)
    with transaction(loop.database) as connection:
        outbox.add(connection, found)
        acknowledgements.store(connection, cares)
    return found


def _before(loop: Loop, events: Sequence[Heard]) -> tuple[list[Care], dict[str, str | None]]:
    """Look up which of the alerts are looked after, and at which severities those are that will be."""
    if not events:
        return [], {}
    below = events[0].offset
    payloads = [one.payload for one in events]
    about = {str(name) for payload in payloads if (name := getattr(payload, "alert_id", None))}
    fresh = {payload.alert_id for payload in payloads if isinstance(payload, AlertAcknowledged)}
    cares = [Care(*row) for row in acknowledgements.standing(loop.database, about, below)] if about else []
    return cares, acknowledgements.severities(loop.database, fresh, below) if fresh else {}


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
    told = (kind, payload.rule, payload.message, value, quiet or now, payload.severity)
    return Note(name, route, *told)
