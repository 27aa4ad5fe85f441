"""What alert rules ask of the read side."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Engine, text

from events.payloads import ErrorComputed
from infra.database.connection import transaction
from infra.database.revisions import NEWEST_FIRST, standing_errors

SPARE = 10
"""So many of the newest sessions may have been taken back, and errors of enough others are still known."""
_ERRORS = f"""
    WITH recent AS (
        SELECT DISTINCT date FROM errors WHERE date <= :today ORDER BY date DESC LIMIT :sessions + {SPARE}
    ),
    standing AS ({standing_errors("*", "date IN (SELECT date FROM recent)")}),
    held AS (
        SELECT * FROM standing WHERE NOT retracted AND abs_error < 1e15
            AND abs(coalesce(baseline_error, 0)) < 1e15 AND abs(coalesce(pct_error, 0)) < 1e15
    ),
    days AS (SELECT DISTINCT date FROM held ORDER BY date DESC LIMIT :sessions)
    SELECT coalesce(model_version, ''), date, avg(abs_error), avg(abs(pct_error)),
           avg(CASE WHEN within_95 THEN 0.0 WHEN NOT within_95 THEN 1.0 END),
           sum(abs_error) FILTER (WHERE baseline_error IS NOT NULL) / nullif(sum(abs(baseline_error)), 0)
    FROM held WHERE date IN (SELECT date FROM days) GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  (our own words)
_LETTERS = """
    SELECT left(coalesce(flow, ''), 64), count(*) FROM dead_letters WHERE "timestamp" >= :since
    GROUP BY 1 ORDER BY 1
"""
_DRIFT = """
    SELECT left(reason, 64), count(*) FROM trainings WHERE reason LIKE 'drift%' AND "timestamp" >= :since
    GROUP BY 1 ORDER BY 1
"""
_REACHED = """
    SELECT coalesce(sum(next_offset), 0) FROM unnest(CAST(:topics AS text[])) AS t (topic)
    LEFT JOIN positions USING (topic) GROUP BY t.topic ORDER BY t.topic
"""
_DOUBTED = f"""
    WITH newest AS (
        SELECT DISTINCT ON (alert_id) * FROM alerts
        WHERE alert_id IS NOT NULL AND symbol IS NOT NULL AND "timestamp" >= :since
          AND event_type IN ('AlertRaised', 'AlertResolved')
          AND NOT coalesce((payload ->> 'historic')::boolean, false)
        ORDER BY alert_id, "offset" DESC
    )
    SELECT s.alert_id, s.event_id, s.rule, e.event_id, e.symbol, e.date, e.predicted, e.actual, e.error,
           e.abs_error, e.pct_error, e.within_95
    FROM newest AS s
    CROSS JOIN LATERAL (
        SELECT * FROM errors WHERE symbol = s.symbol ORDER BY date DESC, {NEWEST_FIRST} LIMIT 1
    ) AS e
    WHERE s.event_type = 'AlertRaised' AND e.date > s.date AND NOT e.retracted
    ORDER BY s.alert_id
"""  # noqa: S608  (our own words)


class Doubted(NamedTuple):
    """An alert that stands, and a newer error of its share."""

    alert_id: str
    raised: str
    """The event that raised it last, of those that people were told of."""
    rule: str
    event_id: str
    error: ErrorComputed


class SessionErrors(NamedTuple):
    """The errors of a version in a session: means of their sizes, and against those of persistence."""

    model_version: str
    date: object
    abs_error: float | None
    pct_error: float | None
    outside_95: float | None
    lead: float | None


def errors(engine: Engine, sessions: int, today: date) -> list[SessionErrors]:
    """Sum up the errors of the newest sessions that stand and are not ahead of `today`, by version.

    Raises:
        TryAgainError: the database is away.
    """
    of = {"sessions": sessions, "today": today}
    with transaction(engine) as connection:
        return [SessionErrors(*row) for row in connection.execute(text(_ERRORS), of)]


def letters(engine: Engine, since: datetime) -> list[tuple[str, int]]:
    """Count the dead letters since a moment, by flow. Raises TryAgainError."""
    return _counts(engine, _LETTERS, since)


def drift(engine: Engine, since: datetime) -> list[tuple[str, int]]:
    """Count the findings of drift since a moment, by reason. Raises TryAgainError."""
    return _counts(engine, _DRIFT, since)


def reached(engine: Engine, topics: Sequence[str]) -> tuple[int, ...]:
    """Tell how far the read side is in some topics, so that who looks again knows whether to."""
    with transaction(engine) as connection:
        return tuple(int(n) for (n,) in connection.execute(text(_REACHED), {"topics": sorted(topics)}))


def doubted(engine: Engine, since: datetime) -> list[Doubted]:
    """List the alerts about shares that stand, where a newer error is there. Raises TryAgainError."""
    fields = ("symbol", "date", "predicted", "actual", "error", "abs_error", "pct_error", "within_95")
    with transaction(engine) as connection:
        rows = connection.execute(text(_DOUBTED), {"since": since}).all()
    errors_of = (ErrorComputed(**dict(zip(fields, row[4:], strict=True))) for row in rows)
    return [
        Doubted(row[0], row[1], row[2], row[3], error) for row, error in zip(rows, errors_of, strict=True)
    ]


def _counts(engine: Engine, query: str, since: datetime) -> list[tuple[str, int]]:
    with transaction(engine) as connection:
        return [(str(name), int(count)) for name, count in connection.execute(text(query), {"since": since})]
