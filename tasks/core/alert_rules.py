"""What an alert rule is: which measure, how large, for how long, and whom it is told to when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, NamedTuple

from events.alerts import Severity
from events.envelope import derive_id
from tasks.core.calendar import EXCHANGE_TZ

Statistic = Literal["mean", "max"]
Window = Literal["sessions", "seconds"]


class About(NamedTuple):
    """What rules can be about: its measures with their units, its labels, and the window that it needs."""

    told: str
    measures: Mapping[str, str]
    labels: tuple[str, ...] = ()
    window: Window | None = None


_OF_ERROR = {
    "abs_error": "rupees of absolute error",
    "pct_error": "% of error",
    "outside_95": "outside the 95 % interval (1 is outside)",
}
_OF_ERRORS = _OF_ERROR | {"lead": "times the error of persistence"}

ABOUT: dict[str, About] = {
    "error": About("each error event by itself", _OF_ERROR, ("symbol",)),
    "errors": About("errors of recent sessions", _OF_ERRORS, ("model_version",), "sessions"),
    "lag": About(
        "what a flow has not read yet",
        {"records": "records behind", "seconds": "s since the oldest unread record"},
        ("flow",),
    ),
    "progress": About("a flow with work that commits nothing", {"seconds": "s without progress"}, ("flow",)),
    "dead_letters": About("letters that arrived", {"letters": "dead letters"}, ("flow",), "seconds"),
    "session": About("a session that should have come", {"hours": "hours after the close"}),
    "drift": About("drift that was found", {"requests": "findings of drift"}, ("reason",), "seconds"),
    "server": About("a server that does not answer", {"seconds": "s away"}, ("server",)),
}
"""By the word after `about:` in a rule file."""

PER_EVENT = "error"
"""Held against each event when it arrives, by the flow that reads it; all others are looked at on a clock."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day, in Kathmandu, in which only critical alerts are told; the rest waits."""

    begins: time
    ends: time

    def until(self, now: datetime) -> datetime | None:
        """Tell when the quiet that holds at `now` ends; None: it is not quiet."""
        here = now.astimezone(EXCHANGE_TZ)
        over_night = self.ends <= self.begins
        inside = self.begins <= here.time() or here.time() < self.ends
        if not (inside if over_night else self.begins <= here.time() < self.ends):
            return None
        tomorrow = over_night and here.time() >= self.begins
        day = here.date() + timedelta(days=1) if tomorrow else here.date()
        return datetime.combine(day, self.ends, EXCHANGE_TZ)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A condition on a measure, and how its alerts are told."""

    name: str
    about: str
    measure: str
    above: float | None = None
    below: float | None = None
    statistic: Statistic | None = None
    over: int | None = None
    over_unit: Window | None = None
    held_s: float = 0.0
    """How long the condition has to hold before the alert is raised, and to be gone before it is resolved."""
    severity: Severity = "warning"
    channels: tuple[str, ...] = ()
    """In the order in which they are tried; none: every configured one, in the settings' order."""
    quiet: Quiet | None = None
    repeat_s: float = 14_400.0
    """An alert that stays is told again after so long."""
    by: tuple[str, ...] = ()
    """Labels that make alerts of their own; without them the worst value counts."""
    runbook: str | None = None
    line: int = 0

    @property
    def threshold(self) -> float:
        """The limit, on whichever side."""
        return self.above if self.above is not None else self.below or 0.0

    @property
    def unit(self) -> str:
        """What the measure is counted in."""
        return ABOUT[self.about].measures[self.measure]

    def breached(self, value: float | None) -> bool:
        """Hold a value against the limit; what was not measured breaches nothing."""
        if value is None:
            return False
        return value > self.threshold if self.above is not None else value < self.threshold

    def sentence(self, what: str, value: float) -> str:
        """Say it to a person."""
        side = "above" if self.above is not None else "below"
        return f"{what}: {value:.2f} {self.unit} is {side} {self.threshold:g}"


def alert_id(rule: str, labels: Mapping[str, str]) -> str:
    """Name an alert: what raises, repeats, acknowledges and resolves it has this id in common."""
    return derive_id("alert", rule, "\0".join(f"{name}={labels[name]}" for name in sorted(labels)))
