"""The chapter's AlertManager: error events are held against the rules about single errors."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from events.payloads import AlertRaised, ErrorComputed
from tasks.core.alert_rules import PER_EVENT, AlertRule, alert_id
from tasks.core.rule_file import defaults


def _size_of_pct(error: ErrorComputed) -> float | None:
    return None if error.pct_error is None else abs(error.pct_error)


def _outside(error: ErrorComputed) -> float | None:
    return None if error.within_95 is None else float(not error.within_95)


MEASURES: dict[str, Callable[[ErrorComputed], float | None]] = {
    "abs_error": lambda error: error.abs_error,
    "pct_error": _size_of_pct,
    "outside_95": _outside,
}
"""By the name after `measure:` in a rule; None where an event does not tell."""


@dataclass
class AlertManager:
    """Holds rules; `process` says which an event breaches."""

    rules: Sequence[AlertRule] = field(default_factory=defaults)

    def process(
        self, errors: Iterable[ErrorComputed], historic_before: date = date.min
    ) -> list[tuple[ErrorComputed, AlertRaised]]:
        """Hold every error against every rule; one that was taken back breaches none.

        Args:
            errors: what to judge.
            historic_before: alerts of older sessions are marked as historic: nobody is told of them.
        """
        ours = [rule for rule in self.rules if rule.about == PER_EVENT]
        held = [error for error in errors if not error.retracted]
        found = ((e, _breached(rule, e)) for e in held for rule in ours)
        return [(e, _marked(alert, historic_before)) for e, alert in found if alert]


def _breached(rule: AlertRule, error: ErrorComputed) -> AlertRaised | None:
    """Hold one error against the rule; what can't be measured breaches nothing."""
    value = MEASURES[rule.measure](error)
    if value is None or not rule.breached(value):
        return None
    labels = {"symbol": error.symbol} if "symbol" in rule.by else {}
    return AlertRaised(
        rule=rule.name,
        severity=rule.severity,
        message=rule.sentence(f"{error.symbol} on {error.date}", value),
        symbol=error.symbol,
        date=error.date,
        value=value,
        threshold=rule.threshold,
        alert_id=alert_id(rule.name, labels),
        labels=labels,
        unit=rule.unit,
        runbook=rule.runbook,
    )


def _marked(alert: AlertRaised, historic_before: date) -> AlertRaised:
    historic = alert.date is not None and alert.date < historic_before
    return alert.model_copy(update={"historic": True}) if historic else alert
