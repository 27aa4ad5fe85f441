"""What a version said in shadow beside what was served, on the same closes: sums by session."""

from datetime import date

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.revisions import NEWEST_FIRST, standing_errors

_OF_DAYS = "date IN (SELECT date FROM days)"
_SUMS = f"""
    WITH days AS (
        SELECT DISTINCT date FROM shadow_predictions WHERE model_version = :version
        ORDER BY date DESC LIMIT :sessions
    ), said AS (
        SELECT DISTINCT ON (symbol, date, as_of) symbol, date, as_of, predicted_close, retracted
        FROM shadow_predictions WHERE {_OF_DAYS} AND model_version = :version
        ORDER BY symbol, date, as_of, {NEWEST_FIRST}
    ), met AS ({standing_errors("symbol, date, as_of, actual, error, abs_error, retracted", _OF_DAYS)})
    SELECT said.date, count(*), sum((predicted_close - actual) ^ 2), sum(abs(predicted_close - actual)),
        sum(error * error), sum(abs_error)
    FROM said JOIN met ON met.symbol = said.symbol AND met.date = said.date
        AND met.as_of IS NOT DISTINCT FROM said.as_of
    WHERE NOT said.retracted AND NOT met.retracted
    GROUP BY said.date
"""  # noqa: S608  (our own words)

Beside = tuple[int, float, float, float, float]
"""Pairs, squared and absolute errors of the shadow, and of what was served; rupees."""


def daily(engine: Engine, version: str, sessions: int) -> dict[date, Beside]:
    """Sum the errors of the newest sessions that a version shadowed, by session.

    Raises:
        TryAgainError: the database is away, or not done within its time.
    """
    with reading(engine) as connection:
        rows = connection.execute(text(_SUMS), {"version": version, "sessions": sessions})
        return {day: tuple(sums) for day, *sums in rows}
