"""What the life of an alert looks like outside: its events, and what is stored of it between looks."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from events.payloads import AlertRaised, AlertResolved
from tasks.core.alert_life import Change, Key, Life
from tasks.core.alert_rules import AlertRule, alert_id

LONGEST = 1_000
"""Characters of a message: people read it, and what it is about may be named by a text of any length."""


def payload_of(change: Change, rule: AlertRule | None) -> AlertRaised | AlertResolved:
    """Say what changed; only a resolved alert may have a rule that is no longer there.

    Raises:
        LookupError: an alert was raised by no rule.
    """
    if change.kind == "resolved":
        return _resolved(change, rule)
    if rule is None:
        raise LookupError(change.key.rule)
    return _raised(change, rule)


def _raised(change: Change, rule: AlertRule) -> AlertRaised:
    labels = dict(change.key.labels)
    return AlertRaised(
        rule=rule.name,
        severity=rule.severity,
        message=rule.sentence(", ".join(labels.values()) or rule.name, change.value)[:LONGEST],
        value=change.value,
        threshold=rule.threshold,
        alert_id=alert_id(rule.name, labels),
        labels=labels,
        unit=rule.unit,
        since=change.since.isoformat(),
        runbook=rule.runbook,
    )


def _resolved(change: Change, rule: AlertRule | None) -> AlertResolved:
    name, labels = change.key.rule, dict(change.key.labels)
    what, began = ", ".join(labels.values()) or name, f"{change.since:%Y-%m-%d %H:%M} UTC"
    return AlertResolved(
        rule=name,
        message=f"{what}: {name} is over; it began {began} and was {change.value:.2f} at worst"[:LONGEST],
        alert_id=alert_id(name, labels),
        labels=labels,
        severity=rule.severity if rule else None,
    )


def stored_life(key: Key, life: Life) -> dict[str, Any]:
    """Write a life as JSON types."""
    told = {name: v.isoformat() if isinstance(v, datetime) else v for name, v in asdict(life).items()}
    return {"rule": key.rule, "labels": [list(pair) for pair in key.labels], **told}


def recalled_life(stored: Mapping[str, Any]) -> tuple[Key, Life]:
    """Read a life that was stored."""

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(stored[name]) if stored[name] else None

    life = Life(
        breached_since=datetime.fromisoformat(stored["breached_since"]),
        raised_at=moment("raised_at"),
        told_at=moment("told_at"),
        clear_since=moment("clear_since"),
        worst=float(stored["worst"]),
        silenced=bool(stored["silenced"]),
    )
    return Key(str(stored["rule"]), tuple((name, value) for name, value in stored["labels"])), life
