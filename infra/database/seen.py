"""Which events a flow was handed before: of an event, the first delivery in a partition counts."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from infra.database.bulk import append_rows
from infra.database.connection import driver, transaction
from infra.database.private_tables import seen


class Delivery(NamedTuple):
    """An event's identity at the place where it was delivered."""

    topic: str
    partition: int
    event_id: str
    offset: int


_COLUMNS = ("flow", *Delivery._fields)
_FIRSTS = """
    SELECT s.topic, s.partition, s.event_id, s."offset"
    FROM unnest(%s::text[], %s::int[], %s::text[]) AS k (topic, partition, event_id)
    CROSS JOIN LATERAL (
        SELECT * FROM private.seen AS i
        WHERE i.flow = %s AND i.topic = k.topic AND i.partition = k.partition AND i.event_id = k.event_id
        OFFSET 0
    ) AS s
"""


def remember(
    where: Connection | Engine, flow: str, deliveries: Iterable[Delivery]
) -> set[tuple[str, int, int]]:
    """Remember what a flow was handed, and find what it had been handed before.

    Append-only: slices go in order, so what is there first is the first delivery, whoever wrote it. A retry,
    also with other slice boundaries, finds the same repeats.

    Args:
        where: a connection, or an engine, which commits by itself.
        flow: who was handed them.
        deliveries: in offset order per partition.

    Returns:
        The places (topic, partition, offset) of repeats.

    Raises:
        TryAgainError: the database is away.
    """
    handed = list(deliveries)
    firsts: dict[tuple[str, int, str], int] = {}
    for one in handed:
        firsts.setdefault(one[:3], one.offset)
    with transaction(where) as connection:
        rows = [(flow, *key, offset) for key, offset in firsts.items()]
        if append_rows(connection, seen, _COLUMNS, rows) < len(rows):
            firsts |= _firsts(connection, flow, list(firsts))
    return {(one.topic, one.partition, one.offset) for one in handed if firsts[one[:3]] != one.offset}


def _firsts(
    connection: Connection, flow: str, keys: list[tuple[str, int, str]]
) -> dict[tuple[str, int, str], int]:
    columns = tuple(list(column) for column in zip(*keys, strict=True))
    with driver(connection).cursor() as cursor:
        rows = cursor.execute(_FIRSTS, (*columns, flow))
        return {(topic, partition, event_id): offset for topic, partition, event_id, offset in rows}
