"""An alert about what no event of ours tells: what Prefect's automations have seen, or a person."""

from datetime import UTC, datetime, timedelta

from events.envelope import derive_id
from events.payloads import AlertRaised
from infra.bootstrap import Loop
from infra.kafka.scanning import published_since
from infra.kafka.source import Source
from infra.kafka.work import beginning, record_of
from tasks.core.alert_rules import alert_id
from tasks.core.calendar import exchange_day

PRODUCER = "raise-alert"
TOPIC = "alerts"
MEMORY = timedelta(days=1)
"""A run that is started again within it raises nothing twice."""


def of_the_day(alert: AlertRaised, now: datetime) -> AlertRaised:
    """Name an alert by its rule, its labels and the day in Kathmandu, which is a label then.

    Nobody tells when what it is about is over. Who looks after it does so for the day: what is raised on
    another one is an alert of its own, and is told.
    """
    labels = {"day": str(exchange_day(now))} | alert.labels
    return alert.model_copy(update={"labels": labels, "alert_id": alert_id(alert.rule, labels)})


def raise_once(loop: Loop, alert: AlertRaised, asked_by: str) -> str:
    """Publish an alert for the run that asks, once however often it is started again; returns what was done.

    Raises like `Source.publish`.
    """
    now = datetime.now(UTC)
    named = of_the_day(alert, now)
    event_id = derive_id(PRODUCER, asked_by, alert.rule)
    source = Source(loop.pool, PRODUCER)
    source.open()
    try:
        if event_id in published_since(loop.settings, TOPIC, now - MEMORY):
            return f"{alert.rule} was raised by this run before"
        source.publish([record_of(TOPIC, PRODUCER, named, beginning(named, event_id))])
    finally:
        source.close()
    return f"{alert.rule} raised: {named.message}"
