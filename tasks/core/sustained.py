"""Sustained error: a version that errs clearly more, over several sessions, than on its held-out ones.

The level of errors alone would tell of the market's mood: in a restless one persistence errs more as well. So
the lead over persistence has to have shrunk, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import NamedTuple

from tasks.core.triggering import rearmed


class Level(NamedTuple):
    """Mean absolute errors of a session, in percent of the actual close."""

    day: date
    error: float
    baseline: float | None = None
    """Persistence's on the same rows; None where that is not known."""


class Record(NamedTuple):
    """The same of a version's held-out sessions."""

    error: float
    baseline: float | None = None


class Excess(NamedTuple):
    """By how much a version errs more (percent), and the sentence that says so."""

    level: float
    threshold: float
    why: str


@dataclass(frozen=True, slots=True)
class SustainedError:
    """The rule that asks for a retraining."""

    sessions: int = 5
    ratio: float = 1.5
    """Raised above so many times the record's error."""
    calm: float = 1.2
    """Armed again once a span of sessions was at most so many times the record's error."""

    def verdict(self, levels: Sequence[Level], record: Record | None) -> Excess | None:
        """Hold the newest sessions against the record; None while there are too few, or no record.

        Args:
            levels: one a session, oldest first.
            record: what the version did on its held-out sessions.
        """
        recent = levels[-self.sessions :]
        if record is None or len(recent) < self.sessions:
            return None
        now = Record(fmean(one.error for one in recent), _baseline(recent))
        threshold = self.ratio * record.error
        if now.error <= threshold or not _lost(now, record):
            return None
        return Excess(now.error, threshold, self._why(now, record))

    def is_calm(self, levels: Sequence[Level], record: Record) -> bool:
        """Tell whether the errors came down in any span of these sessions, which follow a complaint."""
        return rearmed([one.error for one in levels], self.calm * record.error, self.sessions)

    def _why(self, now: Record, record: Record) -> str:
        level = (
            f"mean absolute percentage error {now.error:.2f} % over {self.sessions} sessions is more than"
            f" {self.ratio:g} times the {record.error:.2f} % of its training record"
        )
        leads = _lead(now), _lead(record)
        if None in leads:
            return level
        return (
            f"{level}, and its lead over persistence {leads[0]:.1%} is less than the record's {leads[1]:.1%}"
        )


def _baseline(levels: Sequence[Level]) -> float | None:
    known = [one.baseline for one in levels if one.baseline is not None]
    return fmean(known) if len(known) == len(levels) else None


def _lost(now: Record, record: Record) -> bool:
    """Tell whether the lead over persistence is smaller than it was; unknown leads settle nothing."""
    lead, before = _lead(now), _lead(record)
    return lead is None or before is None or lead < before


def _lead(record: Record) -> float | None:
    """By how much the errors are smaller than persistence's, as a share of those."""
    return 1 - record.error / record.baseline if record.baseline else None
