"""What the read side holds of versions that predicted the same sessions, served or in shadow."""

from datetime import date
from typing import Any

from sqlalchemy import Engine, Select, Table, select

from infra.database.connection import transaction
from infra.database.tables import errors, predictions, shadow_predictions

Rows = list[tuple[Any, ...]]


def said(engine: Engine, after: date) -> Rows:
    """Read what was predicted of sessions after a day, served and in shadow, in the order of places.

    Returns:
        symbol, as_of, version, revision, retracted, predicted and last close (rupees).

    Raises:
        TryAgainError: the database is away.
    """
    return [*_rows(engine, _said(predictions, after)), *_rows(engine, _said(shadow_predictions, after))]


def closes(engine: Engine, after: date) -> Rows:
    """Read the closes that predictions of sessions after a day met; raises as `said` does.

    Returns:
        symbol, as_of, revision, retracted, actual (rupees), in the order of places.
    """
    told = errors.c
    query = select(told.symbol, told.as_of, told.revision, told.retracted, told.actual)
    near = query.where(told.date > after, told.as_of.is_not(None))
    return _rows(engine, near.order_by(told.partition, told.offset))


def _said(table: Table, after: date) -> Select[Any]:
    told = table.c
    columns = told.symbol, told.as_of, told.model_version, told.revision, told.retracted
    query = select(*columns, told.predicted_close, told.last_close)
    return query.where(told.date > after, told.as_of.is_not(None)).order_by(told.partition, told.offset)


def _rows(engine: Engine, query: Select[Any]) -> Rows:
    with transaction(engine) as connection:
        return [tuple(row) for row in connection.execute(query)]
