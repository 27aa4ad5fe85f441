"""The flows' private state in Postgres: append-only, each row named by the record it came from.

A slice that failed leaves its rows behind. That is harmless: a retry appends the same rows again (they are
recognised by topic, partition and offset), and a reader asks only for rows below the ends of its own slice.
"""

from collections.abc import Iterable, Mapping
from datetime import date as Date  # noqa: N812  (rows have a field of that name)
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from psycopg import Cursor, sql
from sqlalchemy import Connection, Engine

from infra.database import tables
from infra.database.bulk import copy_rows
from infra.database.connection import driver, transaction

Key = tuple[str, Date]
"""Symbol and session."""


class JoinInput(NamedTuple):
    """A prediction or an actual that waits for, or was met by, its other side."""

    topic: str
    partition: int
    offset: int
    event_id: str
    symbol: str
    date: Date
    link_date: Date | None
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
    date: Date
    values: dict[str, Any]


_WINDOW_COLUMNS = ("flow", *WindowInput._fields)
_KEYS = """
    CREATE TEMP TABLE IF NOT EXISTS {} (symbol text, day date, PRIMARY KEY (symbol, day))
    ON COMMIT DELETE ROWS
"""
# LATERAL with OFFSET is a fence for the planner, which knows nothing of the passing table and once chose to
# read the whole history for every key (55 s instead of 0.2 s): one index probe a key, however long history is
_MATCHING = """
    SELECT s.topic, s.partition, s."offset", s.event_id, s.symbol, s.date,
        s.link_date, s.value, s.payload::text
    FROM {name} AS k
    CROSS JOIN LATERAL (
        SELECT * FROM private.join_inputs AS i WHERE i.symbol = k.symbol AND i.{column} = k.day OFFSET 0
    ) AS s
    JOIN unnest(%s::text[], %s::int[], %s::bigint[]) AS e (topic, partition, "end")
      ON s.topic = e.topic AND s.partition = e.partition AND s."offset" < e."end"
"""
_NOT_BY_DATE = "WHERE NOT EXISTS (SELECT FROM keys_date AS d WHERE d.symbol = s.symbol AND d.day = s.date)"
_MATCHING_DATES = _MATCHING.format(name="keys_date", column="date")
_MATCHING_LINKS = _MATCHING.format(name="keys_link", column="link_date") + _NOT_BY_DATE
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
    with transaction(where) as connection, driver(connection).cursor(binary=True) as cursor:
        _load_keys(cursor, "keys_date", dates)
        found = cursor.execute(_MATCHING_DATES, places).fetchall()
        _load_keys(cursor, "keys_link", links)
        found += cursor.execute(_MATCHING_LINKS, places).fetchall()
    found.sort(key=itemgetter(0, 1, 2))
    return [JoinInput._make((*row[:8], orjson.loads(row[8]))) for row in found]


def _load_keys(cursor: Cursor[Any], name: str, keys: Iterable[Key]) -> None:
    table = sql.Identifier(name)
    cursor.execute(sql.SQL(_KEYS).format(table))
    cursor.execute(sql.SQL("DELETE FROM {}").format(table))  # a second look-up of one transaction
    with cursor.copy(sql.SQL("COPY {} (symbol, day) FROM STDIN").format(table)) as copy:
        for key in set(keys):
            copy.write_row(key)


def append_window(where: Connection | Engine, flow: str, rows: Iterable[WindowInput]) -> int:
    """Append what is not there yet of one flow's window; returns how many rows that were."""
    with transaction(where) as connection:
        values = ((flow, *row[:6], orjson.dumps(row.values).decode()) for row in rows)
        return copy_rows(connection, tables.window_inputs, _WINDOW_COLUMNS, values)


def window(
    where: Connection | Engine, flow: str, since: Date, ends: Mapping[tuple[str, int], int]
) -> list[WindowInput]:
    """List a flow's rows of sessions from `since` on and below `ends`, by session, then by place."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_WINDOW, (*_columns(ends), flow, since))
        return [WindowInput._make(row) for row in cursor]


def _columns(ends: Mapping[tuple[str, int], int]) -> tuple[list[str], list[int], list[int]]:
    return [topic for topic, _ in ends], [partition for _, partition in ends], list(ends.values())
