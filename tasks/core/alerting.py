"""Alert rules and the manager that holds events against them (the chapter's AlertRule and AlertManager)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean

from events.payloads import AlertRaised, ErrorComputed


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A measure of an error event, and the threshold above which it is worth telling somebody."""

    name: str
    measure: Callable[[ErrorComputed], float | None]
    threshold: float
    unit: str
    severity: str = "warning"

    def breached(self, error: ErrorComputed) -> AlertRaised | None:
        """Hold one error against the rule; what can't be measured breaches nothing."""
        value = self.measure(error)
        if value is None or value <= self.threshold:
            return None
        return AlertRaised(
            rule=self.name,
            severity=self.severity,
            message=f"{error.symbol} on {error.date}: {value:.2f} {self.unit} is above {self.threshold:g}",
            symbol=error.symbol,
            date=error.date,
            value=value,
            threshold=self.threshold,
        )


def _size_of_pct(error: ErrorComputed) -> float | None:
    return None if error.pct_error is None else abs(error.pct_error)


DEFAULT_RULES = (
    AlertRule("abs_error", lambda error: error.abs_error, 50.0, "rupees of absolute error"),
    AlertRule("pct_error", _size_of_pct, 9.0, "% of error", severity="critical"),
)
"""The chapter's rule (abs_error > 50), and one that a share of ten rupees can breach too."""


@dataclass
class AlertManager:
    """Holds rules; `process` says which an event breaches."""

    rules: list[AlertRule] = field(default_factory=lambda: list(DEFAULT_RULES))

    def process(self, errors: Iterable[ErrorComputed]) -> list[tuple[ErrorComputed, AlertRaised]]:
        """Hold every error against every rule; one that was taken back breaches none."""
        held = [error for error in errors if not error.retracted]
        return [(e, alert) for e in held for rule in self.rules if (alert := rule.breached(e))]


@dataclass(frozen=True, slots=True)
class SustainedError:
    """The rule that asks for a retraining: a model that errs clearly more than its own training record."""

    sessions: int = 5
    ratio: float = 1.5

    def verdict(self, pct_errors: list[float], reference: float | None) -> str | None:
        """Compare the mean absolute percentage error of recent sessions with the reference; say why, or None.

        Args:
            pct_errors: one mean absolute percentage error a session, oldest first.
            reference: the same measure on the model's held-out sessions, in percent.
        """
        recent = pct_errors[-self.sessions :]
        if not reference or len(recent) < self.sessions:
            return None
        level = fmean(recent)
        if level <= self.ratio * reference:
            return None
        return (
            f"mean absolute percentage error {level:.2f} % over {self.sessions} sessions is more than"
            f" {self.ratio:g} times the {reference:.2f} % of its training record"
        )
