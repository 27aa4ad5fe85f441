"""What people are to be told and have not been: notes about alerts, and the messages that they go into.

A note is named by the event that it is about, so that a slice that is taken again, whole or in halves, adds
nothing. A message is made once: who delivers it a second time, after a crash, delivers the same one. No
transaction is open while a message is on its way.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

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
    severity: str | None = None


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


def message_id(note: Note) -> str:
    """Name the message whose first note this is; also one that is told past the outbox."""
    return derive_id("message", note.event_id, note.route)


def compose(
    engine: Engine, now: datetime, window: timedelta, write: Callable[[Sequence[Note]], str]
) -> list[str]:
    """Make one message of a route's notes; returns their ids.

    Not where its last one is younger than `window`, or is still to be told: what comes meanwhile is one
    message as well, however long a channel is away.

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
    busy = select(messages.c.route).where((messages.c.made_at > now - window) | messages.c.told_by.is_(None))
    query = select(notes.c.route).distinct().where(free, notes.c.route.not_in(busy)).order_by(notes.c.route)
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
    name = message_id(taken[0])
    values = {"message_id": name, "route": route, "text": write(taken), "made_at": now, "due_at": now}
    connection.execute(insert(messages).values(**values, channel=0, tries=0))
    ids = [note.event_id for note in taken]
    connection.execute(update(notes).where(notes.c.event_id == any_of(ids)).values(message_id=name))
    return name


def take(engine: Engine, now: datetime, lease: timedelta) -> Message | None:
    """Take the oldest message that is due; who does not say what became of it has it taken again after that.

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
        if found is None:
            return None
        _change(connection, found.message_id, due_at=now + lease)
        return Message(*found)


def told(engine: Engine, message: Message, channel: str, more: Iterable[Note] = ()) -> None:
    """Note which channel took a message, and what is to be told about that. Raises TryAgainError."""
    with transaction(engine) as connection:
        _change(connection, message.message_id, told_by=channel, trouble=None)
        add(connection, more)


def postponed(engine: Engine, message: Message, until: datetime, trouble: str) -> None:
    """Note that a message was not taken: on which channel it is tried next, how often it was, and when."""
    values = {"channel": message.channel, "tries": message.tries, "trouble": trouble[:500]}
    with transaction(engine) as connection:
        _change(connection, message.message_id, due_at=until, **values)


def told_past(engine: Engine, note: Note, text: str, channel: str, at: datetime) -> None:
    """Note what a channel took while there was no outbox, so that nobody is told of it once more.

    Raises:
        TryAgainError: there still is none.
    """
    name = message_id(note)
    values = {"message_id": name, "route": note.route, "text": text, "made_at": at, "due_at": at}
    message = insert(messages).values(**values, channel=0, tries=0, told_by=channel)
    with transaction(engine) as connection:
        connection.execute(message.on_conflict_do_nothing())
        add(connection, [note])
        mine = (notes.c.event_id == note.event_id) & notes.c.message_id.is_(None)
        connection.execute(update(notes).where(mine).values(message_id=name))


def _change(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(messages).where(messages.c.message_id == name).values(**values))


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
