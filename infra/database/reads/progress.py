"""How far the read side has followed the topics."""

from sqlalchemy import Engine, select

from infra.database.connection import reading
from infra.database.tables import positions as table

Positions = dict[tuple[str, int], int]
"""Next offset by (topic, partition)."""


def positions(engine: Engine, projector: str) -> Positions:
    """Read a projector's next offset on each partition that it has begun.

    Raises:
        TryAgainError: the database is away, or nothing was ever projected into it.
    """
    query = select(table.c.topic, table.c.partition, table.c.next_offset).where(
        table.c.projector == projector
    )
    with reading(engine) as connection:
        return {(topic, partition): offset for topic, partition, offset in connection.execute(query)}
