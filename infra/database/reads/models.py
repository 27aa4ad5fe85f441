"""What was said of model versions."""

from sqlalchemy import Engine, select

from infra.database.connection import reading
from infra.database.reads.newest import Found
from infra.database.tables import models


def told(engine: Engine) -> list[Found]:
    """List the events about versions, oldest first, payloads as they are.

    Raises:
        TryAgainError: the database is away.
    """
    columns = models.c
    query = select(
        *(columns.event_id, columns.event_type, columns.model_version, columns.timestamp, columns.offset),
        columns.payload,
    ).order_by(columns.partition, columns.offset)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
