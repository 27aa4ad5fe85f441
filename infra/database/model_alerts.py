"""What the read side knows of alerts about model versions, and of who predicted since."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from sqlalchemy import Engine, text

from infra.database.connection import transaction

_STANDING = """
    WITH newest AS (
        SELECT DISTINCT ON (alert_id) * FROM alerts
        WHERE alert_id IS NOT NULL AND rule = ANY(CAST(:rules AS text[]))
          AND event_type IN ('AlertRaised', 'AlertResolved')
        ORDER BY alert_id, "timestamp" DESC, "offset" DESC
    )
    SELECT event_id, alert_id, rule, coalesce(payload -> 'labels' ->> 'model_version', '') FROM newest
    WHERE event_type = 'AlertRaised' ORDER BY alert_id
"""
# the newest session may be projected in part: the one before it is over, and all of it is there
_SINCE = """
    SELECT DISTINCT p.model_version FROM predictions AS p, alerts AS a
    WHERE a.event_id = :raised AND p.date = (
        SELECT max(date) FROM predictions
        WHERE date < (SELECT max(date) FROM predictions WHERE date <= :until)
      ) AND p."timestamp" > a."timestamp" AND NOT p.retracted
"""


class Standing(NamedTuple):
    """An alert about a version that is not over yet."""

    event_id: str
    """Of the event that raised it."""
    alert_id: str
    rule: str
    model_version: str


def standing(engine: Engine, rules: Collection[str]) -> list[Standing]:
    """List the alerts of some rules that stand. Raises TryAgainError: the database is away."""
    with transaction(engine) as connection:
        return [Standing(*row) for row in connection.execute(text(_STANDING), {"rules": sorted(rules)})]


def predicted_since(engine: Engine, one: Standing, until: date) -> set[str]:
    """Name the versions that predicted the newest session that is over, since an alert was raised.

    Args:
        engine: of the read side.
        one: the alert.
        until: what is dated later is a mistake, and hides nothing.

    Raises:
        TryAgainError: the database is away.
    """
    asked = {"raised": one.event_id, "until": until}
    with transaction(engine) as connection:
        return {str(name) for (name,) in connection.execute(text(_SINCE), asked)}
