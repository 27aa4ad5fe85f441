"""Where closes fell within what was said of them: counted in the database."""

from typing import NamedTuple

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.revisions import MET, NEWEST_FIRST, standing_errors

_FALLEN = f"""
    WITH days AS (
        SELECT DISTINCT date FROM errors WHERE model_version = :version ORDER BY date DESC LIMIT :sessions
    ), before AS (
        SELECT date AS held, (SELECT max(p.date) FROM predictions AS p WHERE p.date < days.date) AS date
        FROM days
    ), named AS (
        SELECT date AS held, date FROM days UNION ALL
        SELECT held, date FROM before WHERE NOT EXISTS (SELECT FROM errors AS e WHERE e.date = before.date)
    ), said AS (
        SELECT DISTINCT ON (symbol, held, date, as_of) * FROM predictions JOIN named USING (date)
        ORDER BY symbol, held, date, as_of, {NEWEST_FIRST}
    ), met AS ({standing_errors("*", "date IN (SELECT date FROM days)")})
    SELECT count(DISTINCT met.date), count(*),
        count(*) FILTER (WHERE actual < low_95),
        count(*) FILTER (WHERE actual >= low_95 AND actual < low_80),
        count(*) FILTER (WHERE actual >= low_80 AND actual < predicted_close),
        count(*) FILTER (WHERE actual >= predicted_close AND actual <= high_80),
        count(*) FILTER (WHERE actual > high_80 AND actual <= high_95),
        count(*) FILTER (WHERE actual > high_95)
    FROM said JOIN met ON {MET}
    WHERE said.model_version = :version AND met.model_version = :version
        AND NOT said.retracted AND NOT met.retracted
        AND low_80 IS NOT NULL AND high_80 IS NOT NULL AND low_95 IS NOT NULL AND high_95 IS NOT NULL
"""  # noqa: S608  (our own words)


class Fallen(NamedTuple):
    """How many closes fell where, from below the interval of 95 % to above it."""

    sessions: int
    judged: int
    below_95: int
    below_80: int
    under: int
    """Within 80 %, below the forecast."""
    over: int
    above_80: int
    above_95: int


def fallen(engine: Engine, version: str, sessions: int) -> Fallen:
    """Count the closes of a version's newest sessions; only predictions that told both intervals.

    Raises:
        TryAgainError: the database is away, or not done within its time.
    """
    with reading(engine) as connection:
        row = connection.execute(text(_FALLEN), {"version": version, "sessions": sessions}).one()
    return Fallen(*row)
