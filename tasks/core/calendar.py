"""The exchange's calendar: which days are sessions. No holiday is known here but those that are passed in."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

EXCHANGE_TZ = ZoneInfo("Asia/Kathmandu")
"""UTC+05:45, no daylight saving."""

SESSION_CLOSE = time(15, 0)
"""End of continuous trading, local time."""

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)
_SUNDAY_TO_THURSDAY = frozenset({SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY})
_MONDAY_TO_FRIDAY = frozenset({MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY})
_LONGEST_CLOSURE = 400
"""Days after which a search gives up: 51 is the longest closure on record, so more means a wrong `closed`."""


class Era(NamedTuple):
    """From `start` on, until the next era, sessions fall on `weekdays` (Monday is 0)."""

    start: date
    weekdays: frozenset[int]


ERAS = (
    Era(date.min, _SUNDAY_TO_THURSDAY),
    Era(date(2022, 5, 16), _MONDAY_TO_FRIDAY),
    Era(date(2022, 6, 19), _SUNDAY_TO_THURSDAY | {FRIDAY}),
    Era(date(2022, 9, 17), _SUNDAY_TO_THURSDAY),
    Era(date(2026, 4, 6), _MONDAY_TO_FRIDAY),
)
"""The trading week as it was, oldest first; the three changes of 2022 are read off the sessions held."""


def trading_day(day: date, closed: AbstractSet[date] = frozenset()) -> bool:
    """Tell whether the exchange holds a session on `day`, given the holidays known so far."""
    weekdays = next(era.weekdays for era in reversed(ERAS) if era.start <= day)
    return day.weekday() in weekdays and day not in closed


def next_session(day: date, closed: AbstractSet[date] = frozenset()) -> date:
    """First session after `day`.

    Raises:
        ValueError: `closed` leaves no session for more than a year.
    """
    return _nearest(day, range(1, _LONGEST_CLOSURE), closed, "after")


def on_or_before(day: date, closed: AbstractSet[date] = frozenset()) -> date:
    """Newest session that what was published on `day` can hold: `day` itself, or the last one before it.

    Raises:
        ValueError: `closed` leaves no session for more than a year.
    """
    return _nearest(day, range(0, -_LONGEST_CLOSURE, -1), closed, "before")


def _nearest(day: date, offsets: Iterable[int], closed: AbstractSet[date], side: str) -> date:
    """Give the first trading day at so many days from `day`."""
    for offset in offsets:
        if trading_day(found := day + timedelta(days=offset), closed):
            return found
    message = f"no session within {_LONGEST_CLOSURE} days {side} {day}: the set of closed days is wrong"
    raise ValueError(message)
