"""What the read side holds of predictions by the session whose features they used."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, Table, select

from infra.database.connection import transaction
from infra.database.tables import actuals, errors, predictions

Key = tuple[str, date]
"""A symbol, and the session before the one that is about."""

LONGEST_CLOSURE = timedelta(days=90)
"""How far the next session can be: bounds what is looked at, by the index on the session."""


def forecasts(engine: Engine, days: Sequence[date]) -> dict[Key, tuple[float, str, int]]:
    """Read the newest prediction of each symbol after each day: its close in rupees, version and revision.

    Raises:
        TryAgainError: the database is away.
    """
    told = predictions.c
    query = _about(
        predictions,
        days,
        told.symbol,
        told.as_of,
        told.predicted_close,
        told.model_version,
        told.revision,
        by="as_of",
    )
    ordered = query.order_by(told.revision, told.partition, told.offset)
    with transaction(engine) as connection:
        return {(symbol, day): (*told,) for symbol, day, *told in connection.execute(ordered)}


def closed(engine: Engine, days: Sequence[date]) -> set[Key]:
    """Tell which symbols have an actual of the session after each day; raises as `forecasts` does."""
    told = actuals.c
    return _keys(engine, _about(actuals, days, told.symbol, told.previous_date, by="previous_date"))


def judged(engine: Engine, days: Sequence[date]) -> set[Key]:
    """Tell which symbols have an error of a prediction after each day; raises as `forecasts` does."""
    told = errors.c
    return _keys(engine, _about(errors, days, told.symbol, told.as_of, by="as_of"))


def _about(table: Table, days: Sequence[date], *columns: Any, by: str) -> Any:
    near = table.c.date.between(min(days), max(days) + LONGEST_CLOSURE)
    return select(*columns).where(near, table.c[by].in_(days))


def _keys(engine: Engine, query: Any) -> set[Key]:
    with transaction(engine) as connection:
        return {(symbol, day) for symbol, day in connection.execute(query)}
