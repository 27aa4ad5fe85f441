"""A window of past events that a flow keeps: append-only, each row named by the record it came from.

Rows far behind the newest session are forgotten, by whoever tidies up. A slice that failed leaves its rows
behind. That is harmless: a retry appends the same rows again (they are recognised by topic, partition and
offset), and a reader asks only for rows below the ends of its own slice.
"""

from collections.abc import Iterable, Mapping
from datetime import date as Date  # noqa: N812  (rows have a field of that name)
from datetime import timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine

from infra.database import private_tables
from infra.database.bulk import copy_rows
from infra.database.connection import driver, transaction


class WindowInput(NamedTuple):
    """What a flow keeps of one event for a statistic over many sessions."""

    topic: str
    partition: int
    offset: int
    event_id: str
    symbol: str
    date: Date
    values: dict[str, Any]


_WINDOW_COLUMNS = ("flow", *WindowInput._fields)
_WINDOW = """
    SELECT s.topic, s.partition, s."offset", s.event_id, s.symbol, s.date, s.values
    FROM private.window_inputs AS s
    JOIN unnest(%s::text[], %s::int[], %s::bigint[]) AS e (topic, partition, "end")
      ON s.topic = e.topic AND s.partition = e.partition AND s."offset" < e."end"
    WHERE s.flow = %s AND s.date >= %s
    ORDER BY s.date, s.topic, s.partition, s."offset"
"""
# what is dated into the future by mistake must not take everything else along
_PRUNE = """
    DELETE FROM private.window_inputs WHERE flow = %s
    AND date < (
        SELECT least(max(date), CURRENT_DATE) FROM private.window_inputs WHERE flow = %s
    ) - %s::interval
"""
_CLAIM = """
    INSERT INTO private.claims (event_id, topic, partition, "offset") VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
# a statement of its own: it sees what another transaction committed while the one before waited for it
_OWNER = 'SELECT topic, partition, "offset" FROM private.claims WHERE event_id = %s'


def append_window(where: Connection | Engine, flow: str, rows: Iterable[WindowInput]) -> int:
    """Append what is not there yet of one flow's window; returns how many rows that were.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(where) as connection:
        values = ((flow, *row[:6], orjson.dumps(row.values).decode()) for row in rows)
        return copy_rows(connection, private_tables.window_inputs, _WINDOW_COLUMNS, values)


def window(
    where: Connection | Engine, flow: str, since: Date, ends: Mapping[tuple[str, int], int]
) -> list[WindowInput]:
    """List a flow's rows of sessions from `since` on and below `ends`, by session, then by place."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_WINDOW, (*_columns(ends), flow, since))
        return [WindowInput._make(row) for row in cursor]


def prune_window(where: Connection | Engine, flow: str, kept: timedelta) -> int:
    """Forget a flow's rows of sessions that lie so far behind its newest one; returns how many.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        return cursor.execute(_PRUNE, (flow, flow, kept)).rowcount


def claim(
    where: Connection | Engine, event_id: str, place: tuple[str, int, int], *, rehearsed: bool = False
) -> bool:
    """Claim an event for the partition of its cause; tells whether no other partition was first.

    Slices of one partition go one after the other, so that whoever owns an event can look whether it is
    committed already. Append-only: once a row is there the answer never changes, for a retry neither, also
    with other slice boundaries.

    Args:
        where: a connection, or an engine, which commits by itself.
        event_id: what would be published.
        place: topic, partition and offset of the cause.
        rehearsed: only look who was first; what nobody claimed would be ours.

    Raises:
        TryAgainError: the database is away.
    """
    owner = claimant(where, event_id, None if rehearsed else place)
    return owner is None or owner[:2] == place[:2]


def claimant(
    where: Connection | Engine, event_id: str, place: tuple[str, int, int] | None = None
) -> tuple[str, int, int] | None:
    """Tell for which record something was claimed first; where nobody did, claim it for `place`, if given.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        if place is not None:
            cursor.execute(_CLAIM, (event_id, *place))
        return cursor.execute(_OWNER, (event_id,)).fetchone()


def _columns(ends: Mapping[tuple[str, int], int]) -> tuple[list[str], list[int], list[int]]:
    return [topic for topic, _ in ends], [partition for _, partition in ends], list(ends.values())
