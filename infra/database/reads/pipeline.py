"""How far flows have come, as the ledger tells."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, text

from infra.database.connection import reading

Spot = tuple[str, str, int]
"""A flow, and a topic-partition that it reads."""

# live slices of a spot follow each other: the one with the highest start is the newest
_NEWEST = """
    SELECT w.flow, w.topic, w.number, r."end", s.timestamp, s.run_id
    FROM unnest(CAST(:flows AS text[]), CAST(:topics AS text[]), CAST(:numbers AS bigint[]))
        AS w (flow, topic, number)
    CROSS JOIN LATERAL (
        SELECT * FROM slice_ranges AS i
        WHERE i.flow = w.flow AND NOT i.made AND i.topic = w.topic AND i.number = w.number
        ORDER BY i.start DESC, i."offset" DESC LIMIT 1
    ) AS r
    JOIN slices AS s ON s.partition = r.partition AND s."offset" = r."offset"
"""


class Commit(NamedTuple):
    """A flow's newest slice on one partition: up to where, when (UTC), by which run."""

    end: int
    at: datetime
    run_id: str


def newest_slices(engine: Engine, spots: Sequence[Spot]) -> dict[Spot, Commit]:
    """Find each flow's newest slice on each partition that it reads; one without any is left out.

    Raises:
        TryAgainError: the database is away.
    """
    flows, topics, numbers = (list(column) for column in zip(*spots, strict=True))
    with reading(engine) as connection:
        rows = connection.execute(text(_NEWEST), {"flows": flows, "topics": topics, "numbers": numbers})
        return {(flow, topic, int(number)): Commit(*rest) for flow, topic, number, *rest in rows}
