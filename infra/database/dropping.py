"""Dropping the read side, and telling what is in it, table by table."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from psycopg import sql
from sqlalchemy import Connection, Engine

from infra.database import alerts_standing, letters_standing, tables
from infra.database.connection import driver, transaction

Offsets = Mapping[tuple[str, int], int]
"""An offset by (topic, partition)."""

DIGEST_TIMEOUT = "10min"
_DIGEST = """
    SELECT count(*), coalesce(sum(hashtextextended(r::text, 0)::numeric), 0),
        coalesce(sum(hashtextextended(r::text, 1)::numeric), 0)
    FROM {table} AS r
    JOIN unnest(%s::int[], %s::bigint[]) AS l (number, "end")
      ON r.partition = l.number AND r."offset" < l."end"
"""


class Digest(NamedTuple):
    """How many rows, and two 64-bit sums over all that is in them: equal for equal sets of rows."""

    rows: int
    value: str


def digest(engine: Engine, table: str, topic: str, limits: Offsets) -> Digest:
    """Digest a table's rows below `limits`, in the database itself.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(engine) as connection:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{DIGEST_TIMEOUT}'")
        query = sql.SQL(_DIGEST).format(table=sql.Identifier(table))
        rows, first, second = _one(connection, query, _columns(topic, limits))
    return Digest(int(rows), f"{int(first) % 2**64:016x}{int(second) % 2**64:016x}")


def _one(connection: Connection, query: sql.Composed, values: list[Any]) -> tuple[Any, ...]:
    found = driver(connection).execute(query, values).fetchone()
    return found or (0, 0, 0)


def _columns(topic: str, offsets: Offsets) -> list[Any]:
    pairs = [(partition, offset) for (name, partition), offset in offsets.items() if name == topic]
    return [[partition for partition, _ in pairs], [offset for _, offset in pairs]]


def drop(
    engine: Engine, projector: str, kept: Mapping[str, tuple[str, Offsets]], others: Iterable[str]
) -> None:
    """Empty the read side's tables and forget the projector's positions, in one transaction.

    Args:
        engine: the database.
        projector: whose positions are forgotten.
        kept: by table its topic and the first offsets that the topic still holds: rows below them can't be
            rebuilt and stay.
        others: tables that hold one row of each of something: they are emptied, `alerts_standing` and
            `letters_standing` are then filled from what stays.

    Raises:
        TryAgainError: the database is away, or somebody holds a table for too long.
    """
    with transaction(engine) as connection:
        # First of all, as every batch of a projector begins: so neither waits for the other in a ring.
        connection.exec_driver_sql("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE")
        lost = [name for name, (topic, firsts) in kept.items() if not any(_columns(topic, firsts)[1])]
        names = sql.SQL(", ").join(sql.Identifier(name) for name in [*lost, *others])
        driver(connection).execute(sql.SQL("TRUNCATE {}").format(names))
        for name in kept.keys() - set(lost):
            _delete(connection, name, *kept[name])
        alerts_standing.fill(connection)
        letters_standing.fill(connection)
        connection.execute(tables.positions.delete().where(tables.positions.c.projector == projector))


def _delete(connection: Connection, table: str, topic: str, firsts: Offsets) -> None:
    query = "DELETE FROM {} AS r USING unnest(%s::int[], %s::bigint[]) AS f (number, first)"
    where = ' WHERE r.partition = f.number AND r."offset" >= f.first'
    driver(connection).execute(sql.SQL(query + where).format(sql.Identifier(table)), _columns(topic, firsts))
