"""What the read side holds of predictions by the session whose features they used."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Column, Engine, Table, false, select

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
    told = predictions.c.predicted_close, predictions.c.model_version, predictions.c.revision
    found = _newest(engine, predictions, predictions.c.as_of, days, *told)
    return {key: (close, version, revision) for key, (close, version, revision) in found.items()}


def closed(engine: Engine, days: Sequence[date]) -> set[Key]:
    """Tell which symbols have an actual of the session after each day; raises as `forecasts` does."""
    return set(_newest(engine, actuals, actuals.c.previous_date, days))


def judged(engine: Engine, days: Sequence[date]) -> set[Key]:
    """Tell which symbols have an error of a prediction after each day; raises as `forecasts` does."""
    return set(_newest(engine, errors, errors.c.as_of, days))


def _newest(
    engine: Engine, table: Table, before: Column[Any], days: Sequence[date], *columns: Column[Any]
) -> dict[Key, tuple[Any, ...]]:
    """Read the newest row of each symbol and the session before; one that was taken back counts for none."""
    told = table.c
    gone = told.get("retracted", false())
    near = told.date.between(min(days), max(days) + LONGEST_CLOSURE)
    query = select(told.symbol, before, gone, *columns).where(near, before.in_(days))
    ordered = query.order_by(told.revision, told.partition, told.offset)
    with transaction(engine) as connection:
        rows = connection.execute(ordered).all()
    newest = {(symbol, day): (taken_back, values) for symbol, day, taken_back, *values in rows}
    return {key: tuple(values) for key, (taken_back, values) in newest.items() if not taken_back}
