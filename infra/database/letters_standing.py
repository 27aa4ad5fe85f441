"""Whether each dead letter is resolved, kept beside the events: no reader goes through all letters ever.

A letter and what became of it are on two topics, and come in any order: each of them says it anew.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Integer, Table, Text
from sqlalchemy import text as sql

from infra.database.tables import metadata

letters_standing = Table(
    "letters_standing",
    metadata,
    Column("letter_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("flow", Text),
    Column("resolved", Boolean, nullable=False),
)
"""One row a letter, which lies at (partition, offset)."""
_BY = letters_standing.c
Index("letters_standing_offset", _BY.offset)
Index("letters_standing_resolved", _BY.resolved, _BY.offset)
Index("letters_standing_flow", _BY.flow, _BY.offset)

_ALL = """
    INSERT INTO letters_standing AS s (letter_id, partition, "offset", flow, resolved)
    SELECT l.letter_id, l.partition, l."offset", l.flow, EXISTS (
        SELECT FROM redrives AS e WHERE e.letter_id = l.letter_id AND e.event_type = 'LetterResolved'
    )
    FROM dead_letters AS l WHERE l.partition = 0 {which}
    ON CONFLICT (letter_id) DO UPDATE SET partition = excluded.partition, "offset" = excluded."offset",
        flow = excluded.flow, resolved = excluded.resolved
    WHERE (s."offset", s.resolved) IS DISTINCT FROM (excluded."offset", excluded.resolved)
"""
_THESE = _ALL.format(which="AND l.letter_id = ANY(CAST(:ids AS text[]))")


def add(connection: Connection, letter_ids: Iterable[str]) -> None:
    """Say anew how these letters stand, of those that are there.

    Call it in the transaction that stored them, or events about them.
    """
    connection.execute(sql(_THESE), {"ids": list(letter_ids)})


def fill(connection: Connection) -> None:
    """Say it of every letter that is there: of a new table, or beside a projector of an older version."""
    connection.execute(sql(_ALL.format(which="")))
