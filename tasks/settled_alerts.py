"""Alerts about a share's errors are over when its next error breaches the rule no more."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from events.envelope import derive_id
from events.payloads import AlertResolved
from infra.bootstrap import Loop
from infra.database import facts
from infra.database.facts import Doubted
from tasks.core.alert_rules import PER_EVENT, AlertRule
from tasks.core.alerting import MEASURES

LOOK_BACK = timedelta(days=365)
"""Alerts that were raised longer ago are left standing; a share may be suspended for months."""


class Settler:
    """Finds alerts whose share has erred less since; looks only where the read side has moved."""

    def __init__(self, loop: Loop) -> None:
        """Nothing was looked at yet."""
        self._loop = loop
        self._seen: tuple[int, ...] = ()

    def settled(self, rules: Mapping[str, AlertRule], now: datetime) -> list[tuple[str, AlertResolved]]:
        """List the ids and payloads of what is over; the same news have the same id.

        One error may end an alert twice: where it is raised again afterwards, about an older session.

        Raises:
            TryAgainError: the database is away.
        """
        where = facts.reached(self._loop.database, ("errors", "alerts"))
        if where == self._seen:
            return []
        found = facts.doubted(self._loop.database, now - LOOK_BACK)
        over = [
            (
                derive_id("watch", one.alert_id, f"{one.raised} settled by {one.event_id}"),
                _resolved(one, rule, value),
            )
            for one in found
            if (rule := rules.get(one.rule)) and (value := _clean(one, rule)) is not None
        ]
        self._seen = where
        return over


def _clean(one: Doubted, rule: AlertRule) -> float | None:
    """Give the value of a newer error that does not breach the rule."""
    if rule.about != PER_EVENT:
        return None
    value = MEASURES[rule.measure](one.error)
    return None if value is None or rule.breached(value) else value


def _resolved(one: Doubted, rule: AlertRule, value: float) -> AlertResolved:
    return AlertResolved(
        rule=rule.name,
        message=f"{one.error.symbol} on {one.error.date}: {value:.2f} {rule.unit}, {rule.name} is over",
        symbol=one.error.symbol,
        date=one.error.date,
        alert_id=one.alert_id,
        labels={"symbol": one.error.symbol},
        severity=rule.severity,
    )
