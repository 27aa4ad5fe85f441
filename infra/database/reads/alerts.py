"""Alerts as they stand: what was raised, how often, and whether somebody looks after it or it is over."""

from collections.abc import Sequence

from sqlalchemy import Engine, func, not_, select, text

from infra.database.alerts_standing import alerts_standing
from infra.database.connection import reading
from infra.database.reads.newest import Found

STATES = ("open", "acknowledged", "resolved")

# three records of `alerts` for each row of a page: the newest raise, and what ended or answered it
_TOLD = """
    SELECT s.alert_id, s.times, s.first_raised, a.timestamp AS last_raised, s.raised AS raised_offset,
        s.state, s.rule, s.symbol, a.date, a.message, s.severity,
        (a.payload ->> 'value')::double precision AS value,
        (a.payload ->> 'threshold')::double precision AS threshold, a.payload ->> 'unit' AS unit, s.historic,
        coalesce(a.payload -> 'labels', '{}'::jsonb) AS labels, a.payload ->> 'runbook' AS runbook,
        a.correlation_id, CASE WHEN s.resolved > s.raised THEN r.timestamp END AS resolved_at,
        k.payload ->> 'by' AS acknowledged_by, k.payload ->> 'note' AS note
    FROM unnest(CAST(:ids AS text[])) AS w (alert_id)
    JOIN alerts_standing AS s USING (alert_id)
    JOIN alerts AS a ON a.partition = 0 AND a."offset" = s.raised
    LEFT JOIN alerts AS r ON r.partition = 0 AND r."offset" = s.resolved
    LEFT JOIN alerts AS k ON k.partition = 0 AND k."offset" = s.acknowledged
        AND s.acknowledged > greatest(s.resolved, s.graver)
    ORDER BY s.raised DESC
"""


def listed(
    engine: Engine, *, before: int, limit: int, historic: bool = False, **wanted: str | None
) -> list[Found]:
    """List alerts by their newest raise, newest first, whose newest raise lies before an offset.

    Args:
        engine: the database.
        before: the offset.
        limit: most rows.
        historic: also those found while history was worked off.
        wanted: of which state, rule, symbol or severity; None takes every one.

    Raises:
        TryAgainError: the database is away.
    """
    told = alerts_standing.c
    query = select(told.alert_id).where(told.raised >= 0, told.raised < before)
    query = query.where(*(told[name] == value for name, value in wanted.items() if value is not None))
    if not historic:
        query = query.where(not_(told.historic))
    with reading(engine) as connection:
        ids = connection.execute(query.order_by(told.raised.desc()).limit(limit)).scalars().all()
    return _told(engine, ids)


def one(engine: Engine, alert_id: str) -> Found | None:
    """Find an alert by its id; raises as `listed` does."""
    return next(iter(_told(engine, [alert_id])), None)


def counts(engine: Engine) -> dict[str, int]:
    """Count alerts by state, without those found while history was worked off."""
    told = alerts_standing.c
    query = select(told.state, func.count()).where(not_(told.historic), told.raised >= 0)
    with reading(engine) as connection:
        found = {str(state): int(count) for state, count in connection.execute(query.group_by(told.state))}
    return {state: found.get(state, 0) for state in STATES}


def _told(engine: Engine, ids: Sequence[str]) -> list[Found]:
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(_TOLD), {"ids": list(ids)}).mappings()]
