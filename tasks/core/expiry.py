"""When a prediction that nothing met expires: by the order in which sessions appeared, and nothing else.

A prediction of session d expires at the offset of `actuals` at which the n-th session after d appeared, if no
actual up to that offset belongs to it. Both are facts of the topics, that no clock and no slice moves.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from tasks.core.joining import Pair, PredictionSide


class Step(NamedTuple):
    """Predictions of sessions in `[since, until)` expire at the offset `point`."""

    since: date
    until: date
    point: int


class ExpiryPoints:
    """At which offset the predictions of each session expire, as far as sessions have appeared."""

    def __init__(self, sessions: Iterable[tuple[date, int]], after: int) -> None:
        """Take sessions with the offsets at which they first appeared, and how many to wait for."""
        newest_first = sorted(sessions, reverse=True)
        lowest: list[int] = []
        points: list[int | None] = []
        for _, offset in newest_first:
            insort(lowest, offset)
            del lowest[after:]
            points.append(lowest[-1] if len(lowest) == after else None)
        self._dates = [day for day, _ in reversed(newest_first)]
        self._points = points[::-1]

    def of(self, day: date) -> int | None:
        """Give the offset at which a session's predictions expire; None while too few came after it."""
        later = bisect_right(self._dates, day)
        return self._points[later] if later < len(self._dates) else None

    def steps(self, since: date, until: date) -> list[Step]:
        """Cut the sessions `[since, until)` where the offset changes; those without one are left out."""
        inner = [day for day in self._dates if since < day < until]
        spans = pairwise([since, *inner, until]) if since < until else ()
        return [Step(a, b, point) for a, b in spans if (point := self.of(a)) is not None]


def unmet(
    predictions: Iterable[PredictionSide], pairs: Iterable[Pair], points: ExpiryPoints
) -> list[PredictionSide]:
    """Keep the predictions that have expired: none of their pairs has an actual up to where they expire."""
    first: dict[str, int] = {}
    for prediction, actual in pairs:
        first[prediction.id] = min(actual.offset, first.get(prediction.id, actual.offset))
    return [p for p in predictions if _expired(points.of(p.date), first.get(p.id))]


def _expired(point: int | None, met: int | None) -> bool:
    return point is not None and (met is None or met > point)
