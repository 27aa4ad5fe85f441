"""What alerts say: raised, acknowledged, resolved. An alert is one rule about one set of labels."""

from typing import ClassVar, Literal, get_args

from pydantic import Field

from events.fields import Flag, Number, Payload, SessionDate, Symbol, Text

Severity = Literal["info", "warning", "critical"]
"""How grave what our rules raise is, the gravest last; foreign alerts may say anything."""


def rank(severity: str | None) -> int:
    """Order severities, the critical ones last; a foreign word, or none, counts as a warning."""
    known = get_args(Severity)
    return known.index(severity if severity in known else "warning")


class _AboutARule(Payload):
    """The base of what is ordered by rule."""

    rule: Text

    @property
    def key(self) -> str:
        """Alerts are ordered by rule."""
        return self.rule


class AlertRaised(_AboutARule):
    """A rule was breached; `value` and `threshold` are in the rule's unit."""

    schema_version: ClassVar[int] = 2
    severity: Text
    message: Text
    symbol: Symbol | None = None
    date: SessionDate | None = None
    value: Number | None = None
    threshold: Number | None = None
    alert_id: Text | None = None
    """Of the rule and its labels: what raises again has the same, and what resolves names it."""
    labels: dict[str, Text] = Field(default={})
    unit: Text | None = None
    since: Text | None = None
    """When the condition began to hold, ISO-8601 in UTC."""
    historic: Flag = False
    """Found while old sessions were worked off: kept, and nobody is told."""
    runbook: Text | None = None
    """Where to read what to do."""


class AlertResolved(_AboutARule):
    """What a rule complained about is over."""

    schema_version: ClassVar[int] = 2
    message: Text
    symbol: Symbol | None = None
    date: SessionDate | None = None
    alert_id: Text | None = None
    labels: dict[str, Text] = Field(default={})
    severity: Text | None = None


class AlertAcknowledged(_AboutARule):
    """Somebody looks after an alert: it is not told again until it is over, or graver."""

    alert_id: Text
    by: Text
    note: Text | None = None
