"""Which sessions an event of raw-data touches beside its own: those whose window it changed.

A feature vector is a function of its session's window, the newest WINDOW sessions up to it. Whoever computes
a session when it is announced sees the window of that moment. A session that comes later, is revised or taken
back changes the windows of sessions that were computed before; those are computed again, twice: from the
window that they were last computed from, and from the one that they have now.

Offsets here are those of the last event that counts: as of 7 is with the event at 7.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import TypeVar

from tasks.core.sessions import Held, SessionIndex, Told

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Touched:
    """A session that has to be computed again."""

    day: date
    before: int
    """The offset as of which it was computed last."""
    cause: int
    """The newest event since that lies in its window."""
    held: tuple[Held | None, ...] = ()
    """What was held of it after each event since that took one of its own revisions back."""


class _News:
    """Events of raw-data, oldest first, and whether any of the newest ones is about an early session."""

    def __init__(self, told: Sequence[Told]) -> None:
        """Find the earliest session from each place on: most sessions have no news, and see it there."""
        self.told = told
        self._earliest = list(accumulate((one.day for one in reversed(told)), min))[::-1]

    def since(self, offset: int, day: date) -> list[Told]:
        """List the events after an offset that are about a session or one before it."""
        first = bisect_right(self.told, offset, key=lambda one: one.offset)
        if first == len(self.told) or self._earliest[first] > day:
            return []
        return [one for one in self.told[first:] if one.day <= day]


def touched(
    index: SessionIndex, start: int, end: int, window: int, seen: Mapping[date, int] | None = None
) -> list[Touched]:
    """Find the sessions whose window as of `end` is not the one that they were last computed from.

    Args:
        index: as of `end` or later.
        start: everything was computed as of this offset; -1 for nothing.
        end: not before `start`.
        window: sessions that a vector may look at, its own included.
        seen: offsets as of which sessions were computed since, where an attempt did not come to its end.

    Returns:
        Sessions that are held as of `end` and were announced by then, oldest first. Where history arrives in
        its order there are none, and that costs one comparison a session.
    """
    return list(_found(index, start, end, window, seen or {}))


def touches(index: SessionIndex, start: int, end: int, window: int) -> bool:
    """Tell whether `touched` finds any; it looks no further than for one."""
    return any(_found(index, start, end, window, {}))


def _found(
    index: SessionIndex, start: int, end: int, window: int, seen: Mapping[date, int]
) -> Iterator[Touched]:
    """Find touched sessions one by one."""
    news = _News(index.told(start, end))
    for day in _candidates(index, news.told, start, window):
        announced = index.announced(day, end)
        if announced is None or index.as_of(end, day) is None:
            continue
        before = max(start, announced, seen.get(day, -1))
        if before < end and (one := _touched(index, news, day, before, end, window)):
            yield one


def _candidates(index: SessionIndex, told: Sequence[Told], start: int, window: int) -> list[date]:
    """List the days of which some event after their own can lie in the window, oldest first.

    Sessions that no event of the slice is about are in all windows that reach back to them, so that an event
    is in no window of a session that has `window` of them after the event's day.
    """
    about = {one.day for one in told}
    steady = [held.day for held in index.alive(start) if held.day not in about] if about else []
    days: set[date] = set()
    reached = date.min
    for day in sorted(about):
        place = bisect_right(steady, day) + window - 1
        until = steady[place] if place < len(steady) else date.max
        days.update(_days_between(index.days, max(day, reached), until))
        reached = max(reached, until)
    return sorted(days)


def _days_between(days: Sequence[date], start: date, until: date) -> Sequence[date]:
    """Cut the days from `start` on, before `until`."""
    end = len(days) if until == date.max else bisect_left(days, until)
    return days[bisect_left(days, start) : end]


def _touched(  # noqa: PLR0913, PLR0917  (a session, between two offsets)
    index: SessionIndex, news: _News, day: date, before: int, end: int, window: int
) -> Touched | None:
    since = news.since(before, day)
    if not since:
        return None
    then, now = index.window(before, day, window), index.window(end, day, window)
    if then == now:
        return None
    oldest = min(_first(then), _first(now))
    own = tuple(index.as_of(one.offset, day) for one in since if one.day == day)
    return Touched(day, before, max(one.offset for one in since if one.day >= oldest), own)


def _first(window: Sequence[Held]) -> date:
    return window[0].day if window else date.max


def left_of(then: Mapping[str, V], held: Iterable[Collection[str]]) -> dict[str, V]:
    """Keep the vectors, by symbol, that nothing took back since: a symbol that was missing once is gone."""
    left = dict(then)
    for symbols in held:
        left = {symbol: vector for symbol, vector in left.items() if symbol in symbols}
    return left


def changed(then: Mapping[str, V], now: Mapping[str, V], value: Callable[[V], object]) -> dict[str, V]:
    """Find the vectors of a session, by symbol, that are not what they were; `value` gives what counts.

    A symbol that is no more is none of ours: compute-features took it back when its session changed.
    """
    return {
        symbol: vector
        for symbol, vector in now.items()
        if symbol not in then or value(then[symbol]) != value(vector)
    }
