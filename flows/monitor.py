"""Step 5: errors are held against the alert rules, and against what the champion promised."""

from collections import Counter
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import ErrorComputed, OffsetRange
from infra import metrics
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.alerting import alerts_about
from tasks.core.markdown import table
from tasks.deliveries import read_once
from tasks.monitoring import retraining_due
from tasks.refusals import refusals
from tasks.work import Account, process


@flow(name="monitor")
def monitor(slices: list[OffsetRange]) -> State[Any]:
    """Raise alerts for every ErrorComputed of the slices, and ask for a retraining where errors stay high."""
    return process("monitor", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Hold every error of the slice against the rules."""
    received = of_kind(read_once(loop, work), ErrorComputed)
    causes = {id(r.payload): r for r in received}
    alerts = alerts_about(loop, (r.payload for r in received))
    for error, alert in alerts:
        work.publish("alerts", alert, causes[id(error)], alert.rule)
    for cause, trigger in retraining_due(loop, received, work.ends, refusals(loop, work).open):
        work.publish("training", trigger, cause, trigger.reason)
    for rule, many in Counter(alert.rule for _, alert in alerts).items():
        metrics.ALERTS.labels(rule).inc(many)
    worst = sorted((alert for _, alert in alerts), key=lambda a: -(a.value or 0))[:10]
    rows = [(a.rule, a.symbol, a.date, a.value, a.threshold) for a in worst]
    told = table(("rule", "symbol", "session", "value", "threshold"), rows) if rows else ""
    work.count("alerts", len(alerts))
    return Account(markdown=told)
