"""Which records a flow gave up as dead letters, so that what they left in its private state does not count.

A letter is committed by Kafka and noted here, one after the other. So it is noted as intended first, then
committed, then confirmed. Who finds an intended one of a record that the flow has passed looks whether the
letter is there: either it is, or the record went through after all. Nothing that a process does too late can
change that.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from infra.database.connection import driver, transaction
from infra.kafka.records import Place


class Refused(NamedTuple):
    """A record that was given up; or is to be, where `letters_from` says where its letter would lie."""

    place: Place
    letter_id: str
    letters_from: int | None


_ROWS = "SELECT %s, * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::text[])"
_INTEND = f"""
    INSERT INTO private.refused (flow, topic, partition, "offset", letter_id, letters_from)
    SELECT r.*, %s FROM ({_ROWS}) AS r ON CONFLICT DO NOTHING
"""  # noqa: S608
_CONFIRM = f"""
    INSERT INTO private.refused (flow, topic, partition, "offset", letter_id) {_ROWS}
    ON CONFLICT (flow, topic, partition, "offset") DO UPDATE SET letters_from = NULL
"""
_WITHDRAW = """
    DELETE FROM private.refused AS r
    USING unnest(%s::text[], %s::int[], %s::bigint[]) AS k (topic, number, at)
    WHERE r.flow = %s AND r.topic = k.topic AND r.partition = k.number AND r."offset" = k.at
        AND r.letters_from IS NOT NULL
"""
_LISTED = """
    SELECT r.* FROM unnest(%s::text[], %s::int[]) AS k (topic, number) CROSS JOIN LATERAL (
        SELECT i.topic, i.partition, i."offset", i.letter_id, i.letters_from FROM private.refused AS i
        WHERE i.flow = %s AND i.topic = k.topic AND i.partition = k.number{which} OFFSET 0
    ) AS r
"""
_EVERY = _LISTED.format(which="")
# said of the letters in the words of the index, which holds no others
_OPEN = _LISTED.format(which=" AND NOT i.resolved")
_RESOLVE = """
    UPDATE private.refused AS r SET resolved = true
    FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS k (topic, number, at)
    WHERE r.flow = %s AND r.topic = k.topic AND r.partition = k.number AND r."offset" = k.at
        AND NOT r.resolved
"""
_WITHIN = """
    SELECT "offset" FROM private.refused
    WHERE flow = %s AND topic = %s AND partition = %s AND "offset" >= %s AND "offset" < %s
        AND letters_from IS NULL
"""


def intend(where: Connection | Engine, flow: str, letters: Mapping[Place, str], letters_from: int) -> None:
    """Note letters (ids by place) that are about to be committed. Raises TryAgainError: no database."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_INTEND.encode(), (letters_from, flow, *_columns(letters)))


def confirm(where: Connection | Engine, flow: str, letters: Mapping[Place, str]) -> None:
    """Note letters that are committed. Raises TryAgainError: no database."""
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_CONFIRM.encode(), (flow, *_columns(letters)))


def withdraw(where: Connection | Engine, flow: str, places: Iterable[Place]) -> None:
    """Forget letters that were intended and never committed. Raises TryAgainError: no database."""
    columns = _columns(dict.fromkeys(places, ""))[:3]
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_WITHDRAW, (*columns, flow))


def resolve(where: Connection | Engine, flow: str, places: Iterable[Place]) -> None:
    """Note letters that went through since, for good. Raises TryAgainError: no database."""
    columns = _columns(dict.fromkeys(places, ""))[:3]
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        cursor.execute(_RESOLVE, (*columns, flow))


def listed(
    where: Connection | Engine, flow: str, partitions: Iterable[tuple[str, int]], *, every: bool = False
) -> list[Refused]:
    """List what a flow gave up, or meant to, of some partitions: what is open, or every letter there was.

    Raises:
        TryAgainError: the database is away.
    """
    topics, numbers = zip(*partitions, strict=True)
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        query = (_EVERY if every else _OPEN).encode()
        rows = cursor.execute(query, (list(topics), list(numbers), flow)).fetchall()
    return [Refused(Place(*row[:3]), *row[3:]) for row in rows]


def within(connection: Connection, flow: str, spot: tuple[str, int], start: int, end: int) -> set[int]:
    """List the offsets `[start, end)` of a partition that a flow gave up, at any time."""
    with driver(connection).cursor() as cursor:
        return {offset for (offset,) in cursor.execute(_WITHIN, (flow, *spot, start, end))}


def unless_resolved(flow: str, topic: str, table: str, offset: str) -> str:
    """Leave out rows of letters that are noted as resolved, which `listed` does not name: a probe each."""
    return f"""NOT EXISTS (
        SELECT FROM private.refused AS r
        WHERE r.flow = '{flow}' AND r.topic = '{topic}' AND r.partition = {table}.partition
            AND r."offset" = {table}.{offset} AND r.resolved
    )"""


def _columns(letters: Mapping[Place, str]) -> tuple[list[str], list[int], list[int], list[str]]:
    topics, numbers, offsets = ([place[n] for place in letters] for n in range(3))
    return topics, numbers, offsets, list(letters.values())  # type: ignore[return-value]
