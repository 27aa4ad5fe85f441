"""Alerts as they stand: what was raised, how often, and whether somebody looks after it or it is over."""

from typing import Any

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.reads.newest import Found

STATES = ("open", "acknowledged", "resolved")

# An alert is all events of one id; an older writer gave none, and there each raise stands for itself.
# The topic has one partition: a larger offset is later.
_LIVES = """
    SELECT coalesce(alert_id, event_id) AS alert_id,
        count(*) FILTER (WHERE event_type = 'AlertRaised') AS times,
        min(timestamp) FILTER (WHERE event_type = 'AlertRaised') AS first_raised,
        max("offset") FILTER (WHERE event_type = 'AlertRaised') AS raised,
        coalesce(max("offset") FILTER (WHERE event_type = 'AlertResolved'), -1) AS resolved,
        coalesce(max("offset") FILTER (WHERE event_type = 'AlertAcknowledged'), -1) AS acknowledged
    FROM alerts GROUP BY 1
"""
_STANDING = f"""
    SELECT l.alert_id, l.times, l.first_raised, a.timestamp AS last_raised, l.raised AS raised_offset,
        CASE WHEN l.resolved > l.raised THEN 'resolved'
            WHEN l.acknowledged > l.resolved THEN 'acknowledged' ELSE 'open' END AS state,
        a.rule, a.symbol, a.date, a.message, a.payload ->> 'severity' AS severity,
        (a.payload ->> 'value')::double precision AS value,
        (a.payload ->> 'threshold')::double precision AS threshold, a.payload ->> 'unit' AS unit,
        coalesce((a.payload ->> 'historic')::boolean, false) AS historic,
        coalesce(a.payload -> 'labels', '{{}}'::jsonb) AS labels, a.payload ->> 'runbook' AS runbook,
        a.correlation_id,
        CASE WHEN l.resolved > l.raised THEN r.timestamp END AS resolved_at,
        CASE WHEN l.acknowledged > l.resolved THEN k.payload ->> 'by' END AS acknowledged_by,
        CASE WHEN l.acknowledged > l.resolved THEN k.payload ->> 'note' END AS note
    FROM ({_LIVES}) AS l
    JOIN alerts AS a ON a.partition = 0 AND a."offset" = l.raised
    LEFT JOIN alerts AS r ON r.partition = 0 AND r."offset" = l.resolved
    LEFT JOIN alerts AS k ON k.partition = 0 AND k."offset" = l.acknowledged
"""  # noqa: S608  (our own column names)
_LISTED = f"""
    SELECT * FROM ({_STANDING}) AS s
    WHERE (CAST(:state AS text) IS NULL OR s.state = :state)
        AND (CAST(:rule AS text) IS NULL OR s.rule = :rule)
        AND (CAST(:symbol AS text) IS NULL OR s.symbol = :symbol)
        AND (:historic OR NOT s.historic) AND s.raised_offset < :before
    ORDER BY s.raised_offset DESC LIMIT :most
"""  # noqa: S608
_ONE = f"SELECT * FROM ({_STANDING}) AS s WHERE s.alert_id = :alert_id"  # noqa: S608
_COUNTS = f"""
    SELECT s.state, count(*) FROM ({_STANDING}) AS s WHERE NOT s.historic GROUP BY s.state
"""  # noqa: S608


def listed(  # noqa: PLR0913  (each is a condition)
    engine: Engine,
    *,
    before: int,
    limit: int,
    state: str | None = None,
    rule: str | None = None,
    symbol: str | None = None,
    historic: bool = False,
) -> list[Found]:
    """List alerts by their newest raise, newest first, whose newest raise lies before an offset.

    Raises:
        TryAgainError: the database is away.
    """
    wanted = {"state": state, "rule": rule, "symbol": symbol, "historic": historic}
    return _rows(engine, _LISTED, **wanted, before=before, most=limit)


def one(engine: Engine, alert_id: str) -> Found | None:
    """Find an alert by its id; raises as `listed` does."""
    return next(iter(_rows(engine, _ONE, alert_id=alert_id)), None)


def counts(engine: Engine) -> dict[str, int]:
    """Count alerts by state, without those found while history was worked off."""
    found = {row["state"]: row["count"] for row in _rows(engine, _COUNTS)}
    return {state: found.get(state, 0) for state in STATES}


def _rows(engine: Engine, query: str, **values: Any) -> list[Found]:
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(query), values).mappings()]
