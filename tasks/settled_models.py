"""Alerts about versions that could not predict are over when the version in office does."""

from datetime import UTC, datetime

from events.envelope import derive_id
from events.payloads import AlertResolved
from infra.bootstrap import Loop
from infra.database import facts, model_alerts
from infra.database.model_alerts import Standing
from tasks.core.alert_events import LONGEST
from tasks.core.calendar import AHEAD, exchange_day
from tasks.core.offices import Offices
from tasks.fallbacks import SEVERITY


class ModelSettler:
    """Finds them; looks only where the read side has moved."""

    def __init__(self, loop: Loop) -> None:
        """Nothing was looked at yet."""
        self._loop = loop
        self._seen: tuple[int, ...] = ()

    def settled(self) -> list[tuple[str, AlertResolved]]:
        """List the ids and payloads of what is over; the same news have the same id.

        It is over when all that was predicted since of the newest session that is over is by the version in
        office: another one, or the same that can predict again.

        Raises:
            TryAgainError: the database or the broker is away.
        """
        where = facts.reached(self._loop.database, ("predictions", "alerts"))
        if where == self._seen:
            return []
        alerts = model_alerts.standing(self._loop.database, SEVERITY)
        serving = self._in_office() if alerts else ""
        over = [one for one in alerts if self._predicted_since(one) == {serving}]
        self._seen = where
        return [
            (derive_id("watch", one.alert_id, f"over: {one.event_id}"), _told(one, serving)) for one in over
        ]

    def _predicted_since(self, one: Standing) -> set[str]:
        until = exchange_day(datetime.now(UTC)) + AHEAD
        return model_alerts.predicted_since(self._loop.database, one, until)

    def _in_office(self) -> str:
        entries = self._loop.models.between(0, self._loop.models.refresh())
        return Offices.of(entries).champion.version


def _told(one: Standing, serving: str) -> AlertResolved:
    return AlertResolved(
        rule=one.rule,
        message=f"{serving} is in office and predicts, {one.rule} of {one.model_version} is over"[:LONGEST],
        alert_id=one.alert_id,
        labels={"model_version": one.model_version},
        severity=SEVERITY.get(one.rule),
    )
