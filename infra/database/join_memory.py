"""What the join remembers: both sides, and when each session first appeared.

Everything is append-only, and a slice sees only what lies below its own ends. So rows that a failed attempt
left do no harm: they are what the topics hold at these offsets, and a retry finds them as it would have
written them. Of events with equal ids the first is kept, which is the first to come as slices go in order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson
from psycopg.types.json import Json
from sqlalchemy import Connection

from infra.database import private_tables
from infra.database.bulk import append_rows
from infra.database.connection import driver
from infra.database.refused import unless_resolved

FLOW = "join-errors"
Row = tuple[Any, ...]
"""A side: PREDICTION_COLUMNS or ACTUAL_COLUMNS."""
Key = tuple[str, date, date | None]
"""What a side asks for: its symbol, its session, and the session that links it over a holiday."""

_HEAD = ("partition", "offset", "event_id", "correlation_id", "symbol", "date")
PREDICTION_COLUMNS = (
    *_HEAD,
    *(
        "as_of",
        "predicted_close",
        "last_close",
        "low_95",
        "high_95",
        "model_version",
        "revision",
        "retracted",
    ),
)
ACTUAL_COLUMNS = (*_HEAD, "previous_date", "actual_close", "revision", "retracted")


class Span(NamedTuple):
    """The offsets `[start, end)` of a slice: one partition of predictions, and the same of actuals."""

    partition: int
    predictions: tuple[int, int]
    actuals: tuple[int, int]


def _listed(columns: Sequence[str], table: str) -> str:
    return ", ".join(f'{table}."{column}"' for column in columns)


class LeftOut(NamedTuple):
    """Offsets of dead letters: of the open ones no row counts, since nothing that followed was committed."""

    predictions: Sequence[int] = ()
    actuals: Sequence[int] = ()
    ever_predictions: Sequence[int] = ()
    ever_actuals: Sequence[int] = ()
    """With those that are tried now: no session appears by them at their place. The memory itself leaves out
    those that went through and are noted so, which are more with every year."""

    def values(self) -> dict[str, list[int]]:
        """Give them as a query's parameters."""
        return {f"refused_{topic}": list(getattr(self, topic)) for topic in _TABLES}


def appeared(table: str) -> str:
    """Leave out sessions that a dead letter's attempt noted: `unseen`, and those of resolved letters."""
    unless = unless_resolved(FLOW, "actuals", table, "first_offset")
    return f"{table}.first_offset <> ALL(%(unseen)s::bigint[]) AND {unless}"


def counting(table: str, topic: str) -> str:
    """Leave out rows of dead letters that are open."""
    return f'{table}."offset" <> ALL(%(refused_{topic})s::bigint[])'


_TABLES = {"predictions": private_tables.join_predictions, "actuals": private_tables.join_actuals}
_COLUMNS = {"predictions": PREDICTION_COLUMNS, "actuals": ACTUAL_COLUMNS}
_LINKS = {
    "predictions": "as_of = k.link AND i.date + 0 < k.day",
    "actuals": "previous_date = k.link AND i.date + 0 > k.day",
}
# One string for many values: a list would be dumped value by value in Python.
# LATERAL with OFFSET is a fence for the planner, which knows nothing of the keys and once chose to read the
# whole history for every one (55 s instead of 0.2 s). So are the symbols outside of it, and `+ 0`: without
# statistics another index looked better to it. What is left is a scan of an index for each session.
_OLDER = """
    SELECT {columns} FROM (
        SELECT i.* FROM unnest(string_to_array(%(days)s, ' ')::date[]) AS k (day)
        CROSS JOIN LATERAL (
            SELECT i.* FROM private.join_{topic} AS i
            WHERE i.partition = %(partition)s AND i.date = k.day
                AND i."offset" + 0 < %(before)s AND {counts} OFFSET 0
        ) AS i
        UNION ALL
        SELECT i.* FROM unnest(
            string_to_array(%(linked)s, ' ')::date[], string_to_array(%(links)s, ' ')::date[]
        ) AS k (day, link)
        CROSS JOIN LATERAL (
            SELECT i.* FROM private.join_{topic} AS i
            WHERE i.partition = %(partition)s AND i.{link}
                AND i."offset" + 0 < %(before)s AND {counts} OFFSET 0
        ) AS i
    ) AS i
    WHERE i.symbol IN (SELECT unnest(string_to_array(%(symbols)s, E'\n')))
"""
_OLDER_OF = {
    topic: _OLDER.format(
        columns=_listed(_COLUMNS[topic], "i"),
        topic=topic,
        link=_LINKS[topic],
        counts=counting("i", topic),
    )
    for topic in _TABLES
}
# As JSON, since every slice asks and ids of other clients may hold whatever would part them
_REPEATED = """
    SELECT k.event_id FROM ROWS FROM (
        json_array_elements_text(%(ids)s), unnest(string_to_array(%(offsets)s, ' ')::bigint[])
    ) AS k (event_id, "offset")
    CROSS JOIN LATERAL (
        SELECT FROM private.join_{topic} AS i
        WHERE i.partition = %(partition)s AND i.event_id = k.event_id AND i."offset" <> k."offset"
            AND i."offset" < greatest(k."offset", %(passed)s) AND {counts} OFFSET 0
    ) AS s
"""
_REPEATED_OF = {topic: _REPEATED.format(topic=topic, counts=counting("i", topic)) for topic in _TABLES}
_APPEAR = f"""
    INSERT INTO private.join_sessions (partition, date, first_offset)
    SELECT %(partition)s, n.date, n.at FROM unnest(%(dates)s::date[], %(offsets)s::bigint[]) AS n (date, at)
    WHERE NOT EXISTS (
        SELECT FROM private.join_sessions AS s
        WHERE s.partition = %(partition)s AND s.date = n.date AND s.first_offset < n.at
            AND {appeared("s")}
    ) ON CONFLICT DO NOTHING
"""  # noqa: S608


class Sides(NamedTuple):
    """A slice's records of a topic, first of their ids in it, and up to where the flow had come before.

    Where a letter is tried again, live slices have passed it: its event may have come since, and counted.
    """

    topic: str
    rows: Sequence[Row]
    passed: int


def repeated(connection: Connection, partition: int, sides: Sides, left_out: LeftOut) -> set[str]:
    """Find the ids of those sides whose event counted before."""
    if not sides.rows:
        return set()
    values = {
        "ids": Json([row[2] for row in sides.rows], dumps=orjson.dumps),
        "offsets": " ".join(str(row[1]) for row in sides.rows),
        "partition": partition,
        "passed": sides.passed,
        **left_out.values(),
    }
    with driver(connection).cursor() as cursor:
        return {found for (found,) in cursor.execute(_REPEATED_OF[sides.topic].encode(), values)}


def append(
    connection: Connection, topic: str, rows: Sequence[Row], meanwhile: Callable[[], object] = tuple
) -> None:
    """Append sides whose event is new, if any; `meanwhile` runs while the server is busy with them."""
    append_rows(connection, _TABLES[topic], _COLUMNS[topic], rows, meanwhile)


def appear(
    connection: Connection, partition: int, sessions: Mapping[date, int], unseen: Sequence[int]
) -> None:
    """Keep the offsets at which sessions appeared, of those that had not appeared before."""
    values = {"dates": list(sessions), "offsets": list(sessions.values()), "unseen": list(unseen)}
    with driver(connection).cursor() as cursor:
        cursor.execute(_APPEAR.encode(), values | {"partition": partition})


def older(
    connection: Connection, span: Span, topic: str, keys: Iterable[Key], left_out: LeftOut
) -> list[Row]:
    """Find the sides of a topic, from before the slice, that the other side's keys may belong to.

    They are looked up by session, for all symbols of the slice; so sides may be among them that nobody needs.
    """
    symbols, days, links = _distinct(keys)
    if not days:
        return []
    start = span.predictions[0] if topic == "predictions" else span.actuals[0]
    values = {
        "symbols": "\n".join(symbols),
        "days": " ".join(map(str, days)),
        "linked": " ".join(str(day) for day, _ in links),
        "links": " ".join(str(link) for _, link in links),
        "partition": span.partition,
        "before": start,
        **left_out.values(),
    }
    with driver(connection).cursor(binary=True) as cursor:
        return cursor.execute(_OLDER_OF[topic].encode(), values).fetchall()


def _distinct(keys: Iterable[Key]) -> tuple[set[str], list[date], list[tuple[date, date]]]:
    """Tell the symbols of keys apart, their sessions, and their sessions with the linking ones."""
    symbols: set[str] = set()
    sessions: set[tuple[date, date | None]] = set()
    for symbol, day, link in keys:
        symbols.add(symbol)
        sessions.add((day, link))
    days = sorted({day for day, _ in sessions})
    return symbols, days, sorted((day, link) for day, link in sessions if link)
