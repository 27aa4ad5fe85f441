"""The flows' private state in Postgres: append-only, each row named by the record it came from.

A slice that failed leaves its rows behind. That is harmless: a retry appends the same rows again (they are
recognised by topic, partition and offset), and a reader asks only for rows below the ends of its own slice.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine

from infra.database import tables
from infra.database.bulk import copy_rows
from infra.database.connection import driver, transaction

Key = tuple[str, date]
"""Symbol and session."""


class JoinInput(NamedTuple):
    """A prediction or an actual that waits for, or was met by, its other side."""

    topic: str
    partition: int
    offset: int
    event_id: str
    symbol: str
    date: date
    link_date: date | None
    """`as_of` of a prediction, `previous_date` of an actual: the match when `date` was no session."""
    value: float
    payload: dict[str, Any]


class WindowInput(NamedTuple):
    """What a flow keeps of one event for a statistic over many sessions."""

    topic: str
    partition: int
    offset: int
    event_id: str
    symbol: str
    date: date
    values: dict[str, Any]


_WINDOW_COLUMNS = ("flow", *WindowInput._fields)
_KEYS = """
    CREATE TEMP TABLE IF NOT EXISTS {name} (symbol text NOT NULL, day date NOT NULL) ON COMMIT DELETE ROWS;
    DELETE FROM {name};
"""
# The planner has no statistics of the passing table and might read all of a long history: for any number of
# keys that a slice has, one index probe a key is right.
_PROBE = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_PROBE_OVER = "RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin"
_MATCHING = """
    SELECT s.topic, s.partition, s."offset", s.event_id, s.symbol, s.date, s.link_date, s.value, s.payload
    FROM {name} AS k
    JOIN private.join_inputs AS s ON s.symbol = k.symbol AND s.{column} = k.day
    JOIN unnest(%s::text[], %s::int[], %s::bigint[]) AS e (topic, partition, "end")
      ON s.topic = e.topic AND s.partition = e.partition AND s."offset" < e."end"
"""
_WINDOW = """
    SELECT s.topic, s.partition, s."offset", s.event_id, s.symbol, s.date, s.values
    FROM private.window_inputs AS s
    JOIN unnest(%s::text[], %s::int[], %s::bigint[]) AS e (topic, partition, "end")
      ON s.topic = e.topic AND s.partition = e.partition AND s."offset" < e."end"
    WHERE s.flow = %s AND s.date >= %s
    ORDER BY s.date, s.topic, s.partition, s."offset"
"""


def append_join(where: Connection | Engine, rows: Iterable[JoinInput]) -> int:
    """Append what is not there yet; returns how many rows that were. An engine commits by itself.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(where) as connection:
        values = ((*row[:8], orjson.dumps(row.payload).decode()) for row in rows)
        return copy_rows(connection, tables.join_inputs, JoinInput._fields, values)


def matching_join(
    where: Connection | Engine,
    dates: Iterable[Key],
    links: Iterable[Key],
    ends: Mapping[tuple[str, int], int],
) -> list[JoinInput]:
    """Find all rows that a slice may join with, in order of (topic, partition, offset).

    Args:
        where: a connection (its transaction sees what it appended) or an engine.
        dates: (symbol, session) that a row's `date` may equal.
        links: (symbol, session) that a row's `link_date` may equal.
        ends: (topic, partition) -> the slice's end; rows at or above it, or of others, are not seen.

    Raises:
        TryAgainError: the database is away.
    """
    places = _columns(ends)
    found: dict[tuple[str, int, int], JoinInput] = {}
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_PROBE)
        for name, column, keys in (("keys_date", "date", dates), ("keys_link", "link_date", links)):
            cursor.execute(_KEYS.format(name=name))
            with cursor.copy(f"COPY {name} (symbol, day) FROM STDIN") as copy:
                for key in set(keys):
                    copy.write_row(key)
            cursor.execute(_MATCHING.format(name=name, column=column), places)
            found.update((row[:3], JoinInput(*row)) for row in cursor)
        cursor.execute(_PROBE_OVER)
    return [found[place] for place in sorted(found)]


def append_window(where: Connection | Engine, flow: str, rows: Iterable[WindowInput]) -> int:
    """Append what is not there yet of one flow's window; returns how many rows that were."""
    with transaction(where) as connection:
        values = ((flow, *row[:6], orjson.dumps(row.values).decode()) for row in rows)
        return copy_rows(connection, tables.window_inputs, _WINDOW_COLUMNS, values)


def window(
    where: Connection | Engine, flow: str, since: date, ends: Mapping[tuple[str, int], int]
) -> list[WindowInput]:
    """List a flow's rows of sessions from `since` on and below `ends`, by session, then by place."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_WINDOW, (*_columns(ends), flow, since))
        return [WindowInput(*row) for row in cursor]


def _columns(ends: Mapping[tuple[str, int], int]) -> tuple[list[str], list[int], list[int]]:
    return [topic for topic, _ in ends], [partition for _, partition in ends], list(ends.values())
