"""Symbols with their newest session, and which sessions are known."""

from datetime import date

from sqlalchemy import Engine, not_, select

from infra.database.connection import reading
from infra.database.reads.newest import Found
from infra.database.tables import latest_features as vectors
from infra.database.tables import predictions


def symbols(engine: Engine, after: str, limit: int) -> list[Found]:
    """List symbols that have a feature vector, by name, after a name: session, close and feature set.

    Raises:
        TryAgainError: the database is away.
    """
    told = vectors.c
    query = (
        select(told.symbol, told.date, told.last_close, told.feature_set, told.revision)
        .where(told.symbol > after, not_(told.retracted))
        .order_by(told.symbol)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def sessions(engine: Engine, before: date, limit: int) -> list[date]:
    """List sessions that something was predicted about, newest first; raises as `symbols` does."""
    told = predictions.c.date
    query = select(told).distinct().where(told < before).order_by(told.desc()).limit(limit)
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())
