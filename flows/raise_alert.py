"""By Prefect's automations, or by hand: an alert is put on `alerts`, from where people are told."""

from prefect import flow, runtime

from events.payloads import AlertRaised
from infra.bootstrap import connect
from tasks.core.alert_events import LONGEST
from tasks.raising import raise_once


@flow(name="raise-alert", flow_run_name="raise {rule}", retries=20, retry_delay_seconds=30)
def raise_alert(
    rule: str, message: str, severity: str = "warning", labels: dict[str, str] | None = None
) -> str:
    """Raise an alert under the name of a rule, which need not be declared; it stands until acknowledged.

    What is raised again on another day is an alert of its own, and is told whoever acknowledged this one.

    Args:
        rule: what happened, as a name; with the labels and the day it is the alert's identity.
        message: what people are told.
        severity: `info`, `warning` or `critical`.
        labels: what it is about, by name.
    """
    alert = AlertRaised(rule=rule, severity=severity, message=message[:LONGEST], labels=labels or {})
    return raise_once(connect(), alert, str(runtime.flow_run.id))
