"""Which events a flow was handed before: of an event, the first delivery in a partition counts."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from infra.database import private_tables
from infra.database.bulk import copy_rows
from infra.database.connection import driver, transaction


class Delivery(NamedTuple):
    """An event's identity at the place where it was delivered."""

    topic: str
    partition: int
    offset: int
    event_id: str


_COLUMNS = ("flow", *Delivery._fields)
# The passing table of the insert still holds this slice's rows; lower offsets are final, whoever wrote them.
# One index probe an event, however long history is: the planner, which knows nothing of the passing table,
# would at times rather read all of it.
_PROBE_ONLY = "SET LOCAL enable_seqscan = off"
_REPEATS = """
    SELECT n.topic, n.partition, n."offset"
    FROM incoming_seen AS n
    CROSS JOIN LATERAL (
        SELECT FROM private.seen AS o
        WHERE o.event_id = n.event_id AND o.flow = n.flow AND o.topic = n.topic
          AND o.partition = n.partition AND o."offset" < n."offset"
        LIMIT 1
    ) AS before
"""


def remember(
    where: Connection | Engine, flow: str, deliveries: Iterable[Delivery]
) -> set[tuple[str, int, int]]:
    """Remember what a flow was handed, and find what it had been handed before.

    Append-only and keyed by place: a retry, also with other slice boundaries, finds the same repeats.

    Returns:
        The places (topic, partition, offset) of repeats.

    Raises:
        TryAgainError: the database is away.
    """
    rows: list[tuple[Any, ...]] = [(flow, *delivery) for delivery in deliveries]
    if not rows:
        return set()
    with transaction(where) as connection, driver(connection).cursor() as cursor:
        copy_rows(connection, private_tables.seen, _COLUMNS, rows)
        cursor.execute(_PROBE_ONLY)
        return {(topic, partition, offset) for topic, partition, offset in cursor.execute(_REPEATS)}
