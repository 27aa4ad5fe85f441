"""What alert rules ask of the read side."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, text

from infra.database.connection import transaction

_ERRORS = """
    WITH days AS (SELECT DISTINCT date FROM errors ORDER BY date DESC LIMIT :sessions),
    standing AS (
        SELECT DISTINCT ON (symbol, date, as_of) * FROM errors WHERE date IN (SELECT date FROM days)
        ORDER BY symbol, date, as_of, revision DESC, "offset" DESC
    )
    SELECT coalesce(model_version, ''), date, avg(abs_error), avg(abs(pct_error)),
           avg(CASE WHEN within_95 THEN 0.0 WHEN NOT within_95 THEN 1.0 END),
           sum(abs_error) FILTER (WHERE baseline_error IS NOT NULL) / nullif(sum(abs(baseline_error)), 0)
    FROM standing WHERE NOT retracted GROUP BY 1, 2 ORDER BY 1, 2
"""
_LETTERS = """
    SELECT coalesce(flow, ''), count(*) FROM dead_letters WHERE "timestamp" >= :since GROUP BY 1 ORDER BY 1
"""
_DRIFT = """
    SELECT reason, count(*) FROM trainings WHERE reason LIKE 'drift%' AND "timestamp" >= :since
    GROUP BY 1 ORDER BY 1
"""


class SessionErrors(NamedTuple):
    """The errors of a version in a session: means of their sizes, and against those of persistence."""

    model_version: str
    date: object
    abs_error: float | None
    pct_error: float | None
    outside_95: float | None
    lead: float | None


def errors(engine: Engine, sessions: int) -> list[SessionErrors]:
    """Sum up the errors of the newest sessions, by version. Raises TryAgainError: the database is away."""
    with transaction(engine) as connection:
        return [SessionErrors(*row) for row in connection.execute(text(_ERRORS), {"sessions": sessions})]


def letters(engine: Engine, since: datetime) -> list[tuple[str, int]]:
    """Count the dead letters since a moment, by flow. Raises TryAgainError."""
    return _counts(engine, _LETTERS, since)


def drift(engine: Engine, since: datetime) -> list[tuple[str, int]]:
    """Count the findings of drift since a moment, by reason. Raises TryAgainError."""
    return _counts(engine, _DRIFT, since)


def _counts(engine: Engine, query: str, since: datetime) -> list[tuple[str, int]]:
    with transaction(engine) as connection:
        return [(str(name), int(count)) for name, count in connection.execute(text(query), {"since": since})]
