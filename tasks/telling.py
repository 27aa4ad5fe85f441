"""Delivering: notes become few messages, and messages go by channels that answer."""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from events.envelope import derive_id
from infra.bootstrap import Loop
from infra.channels import LOG, Channels
from infra.database import outbox
from infra.database.outbox import Message, Note
from infra.errors import TryAgainError
from tasks.core.digest import digest
from tasks.notifying import channels_of

WINDOW = timedelta(seconds=60)
"""A route is told once in so long, however much there is: the first at once, the rest in one digest."""
TRIES, LAST_TRIES = 6, 65
"""How often a channel is tried before the next one is: for half a minute; for an hour before the log."""
LONGEST_PAUSE = 60.0
"""Seconds between tries: one, doubled up to these."""
SECONDS = 15.0
"""How long one round of deliveries may take; the rest waits for the next round."""
LEASE = timedelta(seconds=60)
"""Who has said nothing of a message for so long has died over it: it is delivered again."""

_log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """What a round of deliveries came to."""

    told: int = 0
    postponed: int = 0


class Past:
    """What is told past the outbox, while there is no database; for several threads."""

    def __init__(self) -> None:
        """Nothing was yet."""
        self._lock = threading.Lock()
        self._told: list[tuple[Note, str, str, datetime]] = []

    def tell(self, channels: Channels, note: Note, now: datetime) -> None:
        """Tell at once by the first channel that answers, as the message that the outbox would make of it."""
        text = digest([note])
        for name in note.route.split(","):
            try:
                channels.send(name, outbox.message_id(note), text)
            except TryAgainError as error:
                _log.warning("%s", error)
                continue
            with self._lock:
                self._told.append((note, text, name, now))
            return

    def note(self, engine: Engine) -> None:
        """Note all of it, now that there is a database; raises TryAgainError where there is none."""
        while first := self._first():
            outbox.told_past(engine, *first)  # nobody who has something to tell waits for the lock meanwhile
            with self._lock:
                self._told = [one for one in self._told if one is not first]

    def _first(self) -> tuple[Note, str, str, datetime] | None:
        with self._lock:
            return self._told[0] if self._told else None


def past_of(loop: Loop) -> Past:
    """Give what this process told past the outbox."""
    return loop.keep("told-past", Past)


def deliver(loop: Loop, now: datetime | None = None) -> Delivered:
    """Make messages of what is noted, and deliver those that are due, for some seconds at most.

    At least once: between a channel's yes and the note of it a crash delivers the same message again, under
    the same id, by which a receiver recognises it.

    Raises:
        StopError: a channel can't be used.
        TryAgainError: the database is away.
    """
    at, found, until = now or datetime.now(UTC), Delivered(), time.monotonic() + SECONDS
    past_of(loop).note(loop.database)
    outbox.compose(loop.database, at, WINDOW, digest)
    while time.monotonic() < until and (message := outbox.take(loop.database, at, LEASE)):
        _deliver(loop, message, at, found)
    return found


def _deliver(loop: Loop, message: Message, now: datetime, found: Delivered) -> None:
    """Try the message's channel; the log has every message, whoever takes it."""
    channels = channels_of(loop)
    route = [name for name in message.route.split(",") if name in channels.names] or [LOG]
    at = min(message.channel, len(route) - 1)
    name, text = route[at], _text(message, route[:at])
    try:
        channels.send(name, message.message_id, text)
    except TryAgainError as error:
        outbox.postponed(loop.database, _next(message, route[at + 1 :]), now + _pause(message), str(error))
        _log.warning("%s", error)
        found.postponed += 1
        return
    unheard = [_given_up(message, route[:at], now)] if at and name == LOG else []
    outbox.told(loop.database, message, name, unheard)
    found.told += 1
    if name != LOG:
        _note(channels, message.message_id, text)


def _text(message: Message, silent: list[str]) -> str:
    """Say by which channels it should have come."""
    return f"{message.text}\n\nnot taken by {', '.join(silent)}" if silent else message.text


def _given_up(message: Message, silent: list[str], now: datetime) -> Note:
    """Tell those of the channels, once one is back, that something went to the log alone."""
    where = f"message {message.message_id} is in logs/notifications.jsonl alone"
    told = f"{where}: {', '.join(silent)} did not take it"
    name = derive_id("given-up", message.message_id, LOG)
    return Note(name, message.route, "untold", "channels", told, None, now, "warning")


def _note(channels: Channels, message_id: str, text: str) -> None:
    """Keep a copy in the log, where that can be written: the message was taken, and is not told again."""
    try:
        channels.send(LOG, message_id, text)
    except TryAgainError as error:
        _log.warning("%s", error)


def _next(message: Message, others: list[str]) -> Message:
    """Count a try; after enough of them the route's next channel has its turn, if there is one."""
    enough = LAST_TRIES if others == [LOG] else TRIES
    if not others or message.tries + 1 < enough:
        return message._replace(tries=message.tries + 1)
    _log.warning("message %s goes to %s", message.message_id, others[0])
    return message._replace(channel=message.channel + 1, tries=0)


def _pause(message: Message) -> timedelta:
    return timedelta(seconds=min(2.0 ** min(message.tries, 10), LONGEST_PAUSE))
