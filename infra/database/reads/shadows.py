"""What a version said in shadow beside what was served, on the same closes: sums by session."""

from datetime import date

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.revisions import MET, NEWEST_FIRST, standing_errors

_COLUMNS = "symbol, date, as_of, actual, error, abs_error, retracted"
_SUMS = f"""
    WITH newest AS (
        SELECT DISTINCT date FROM shadow_predictions WHERE model_version = :version
        ORDER BY date DESC LIMIT :sessions
    ), days AS (
        SELECT date, (SELECT min(e.date) FROM errors AS e WHERE e.date >= newest.date) AS held FROM newest
    ), said AS (
        SELECT DISTINCT ON (symbol, held, date, as_of) symbol, date, held, as_of, predicted_close, retracted
        FROM shadow_predictions JOIN days USING (date) WHERE model_version = :version
        ORDER BY symbol, held, date, as_of, {NEWEST_FIRST}
    ), met AS ({standing_errors(_COLUMNS, "date IN (SELECT held FROM days)")})
    SELECT met.date, count(*), sum((predicted_close - actual) ^ 2), sum(abs(predicted_close - actual)),
        sum(error * error), sum(abs_error)
    FROM said JOIN met ON {MET}
    WHERE NOT said.retracted AND NOT met.retracted
    GROUP BY met.date
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
