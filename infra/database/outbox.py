"""What people are to be told and have not been: notes about alerts, and the messages that they go into.

A note is named by the event that it is about, so that a slice that is taken again, whole or in halves, adds
nothing. A message is made once: who delivers it a second time, after a crash, delivers the same one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, insert, select, update

from events.envelope import derive_id
from infra.database.bulk import any_of, copy_rows
from infra.database.connection import transaction
from infra.database.private_tables import messages, notes

KEPT = timedelta(days=30)
"""How long what was told is remembered."""


class Note(NamedTuple):
    """An event about an alert that somebody is to be told of."""

    event_id: str
    route: str
    """Names of channels in the order in which they are tried, joined by commas."""
    kind: str
    rule: str
    message: str
    value: float | None
    not_before: datetime


class Message(NamedTuple):
    """A message that is due: on which channel of its route, and how often that was tried."""

    message_id: str
    route: str
    text: str
    channel: int
    tries: int


def add(where: Connection | Engine, found: Iterable[Note]) -> int:
    """Add notes that are not there yet; returns how many that were. Raises TryAgainError: no database."""
    with transaction(where) as connection:
        return copy_rows(connection, notes, Note._fields, found)


def compose(
    engine: Engine, now: datetime, window: timedelta, write: Callable[[Sequence[Note]], str]
) -> list[str]:
    """Make one message of a route's notes, where its last one is older than `window`; returns their ids.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(engine) as connection:
        return [
            made
            for route in _ready(connection, now, window)
            if (made := _make(connection, route, now, write))
        ]


def _ready(connection: Connection, now: datetime, window: timedelta) -> list[str]:
    """Name the routes that have something to tell and may."""
    free = notes.c.message_id.is_(None) & (notes.c.not_before <= now)
    recent = select(messages.c.route).where(messages.c.made_at > now - window)
    query = select(notes.c.route).distinct().where(free, notes.c.route.not_in(recent)).order_by(notes.c.route)
    return list(connection.scalars(query))


def _make(
    connection: Connection, route: str, now: datetime, write: Callable[[Sequence[Note]], str]
) -> str | None:
    """Take the route's free notes, unless another process is at it."""
    free = (notes.c.route == route) & notes.c.message_id.is_(None) & (notes.c.not_before <= now)
    query = select(*(notes.c[name] for name in Note._fields)).where(free).order_by(notes.c.event_id)
    taken = [Note(*row) for row in connection.execute(query.with_for_update(skip_locked=True))]
    if not taken:
        return None
    message_id = derive_id("message", taken[0].event_id, route)
    values = {"message_id": message_id, "route": route, "text": write(taken), "made_at": now, "due_at": now}
    connection.execute(insert(messages).values(**values, channel=0, tries=0))
    ids = [note.event_id for note in taken]
    connection.execute(update(notes).where(notes.c.event_id == any_of(ids)).values(message_id=message_id))
    return message_id


@contextmanager
def due(engine: Engine, now: datetime) -> Iterator[tuple[Connection, Message | None]]:
    """Hold the oldest message that is due while it is delivered; nobody else gets it meanwhile.

    Raises:
        TryAgainError: the database is away.
    """
    fields = (messages.c[name] for name in Message._fields)
    open_ = messages.c.told_by.is_(None) & (messages.c.due_at <= now)
    query = (
        select(*fields).where(open_).order_by(messages.c.due_at).limit(1).with_for_update(skip_locked=True)
    )
    with transaction(engine) as connection:
        found = connection.execute(query).first()
        yield connection, Message(*found) if found else None


def told(connection: Connection, message: Message, channel: str) -> None:
    """Note which channel took a message."""
    mine = messages.c.message_id == message.message_id
    connection.execute(update(messages).where(mine).values(told_by=channel, trouble=None))


def postponed(connection: Connection, message: Message, until: datetime, trouble: str) -> None:
    """Note that a message was not taken: on which channel it is tried next, how often it was, and when."""
    mine = messages.c.message_id == message.message_id
    values = {"due_at": until, "channel": message.channel, "tries": message.tries, "trouble": trouble[:500]}
    connection.execute(update(messages).where(mine).values(**values))


def forget(engine: Engine, now: datetime) -> int:
    """Delete what was told long ago; returns how many messages that were. Raises TryAgainError."""
    with transaction(engine) as connection:
        old = messages.c.told_by.is_not(None) & (messages.c.made_at < now - KEPT)
        gone = list(connection.scalars(messages.delete().where(old).returning(messages.c.message_id)))
        connection.execute(notes.delete().where(notes.c.message_id == any_of(gone)))
        return len(gone)


def waiting(engine: Engine) -> int:
    """Count the notes and messages that nobody has been told of yet. Raises TryAgainError."""
    with transaction(engine) as connection:
        free = connection.scalar(select(func.count()).where(notes.c.message_id.is_(None))) or 0
        open_ = connection.scalar(select(func.count()).where(messages.c.told_by.is_(None))) or 0
        return int(free) + int(open_)
