"""The exchange's calendar: which days are sessions, by a rules file and by the sessions that were held.

Looking back, `learned` tells every holiday. For what a prediction is about, `expected` guesses.
"""

import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

EXCHANGE_TZ = ZoneInfo("Asia/Kathmandu")
"""UTC+05:45, no daylight saving."""
CLOSE = time(15)
"""The exchange's close."""
AHEAD = timedelta(days=30)
"""What is predicted is the next session to be expected: no holidays put it farther ahead of today."""

RULES_FILE = Path(__file__).with_name("calendar_rules.toml")

LONGEST_CLOSURE = 60
"""Days between two sessions beyond which data is missing rather than the exchange closed: 51 is the longest
closure on record."""

_LONGEST_SEARCH = 400
"""Days after which a search gives up: no rules leave a year without a session."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def exchange_day(moment: datetime) -> date:
    """Name the day that it is at the exchange at a moment, which has to know its time zone."""
    return moment.astimezone(EXCHANGE_TZ).date()


class Era(NamedTuple):
    """From `start` on, until the next era, sessions fall on `weekdays` (Monday is 0)."""

    start: date
    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known without any session: the trading week through its eras, closures, single openings."""

    eras: tuple[Era, ...]
    """Oldest first; the first has no beginning."""
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()

    def trading_day(self, day: date) -> bool:
        """Tell whether the rules have a session on `day`."""
        if day in self.opened:
            return True
        weekdays = next(era.weekdays for era in reversed(self.eras) if era.start <= day)
        return day.weekday() in weekdays and day not in self.closed


class Calendar:
    """Which days are sessions: where some are known on both sides those, elsewhere what the rules say.

    So a weekday between two known sessions is closed, and a session off the trading week opens its day; of
    the days after the newest session, the future, only the rules tell. A hole of more than LONGEST_CLOSURE
    days is none of the exchange's: there the rules hold as well.
    """

    def __init__(
        self, rules: Rules, sessions: Iterable[date] = (), closed: AbstractSet[date] = frozenset()
    ) -> None:
        """Put together the rules, the sessions known, in any order, and further holidays."""
        self._rules = rules
        self._sessions = sorted(set(sessions))
        self._closed = closed

    def knows(self, day: date) -> bool:
        """Tell whether `day` is one of the known sessions."""
        place = bisect_left(self._sessions, day)
        return self._sessions[place : place + 1] == [day]

    def trading_day(self, day: date) -> bool:
        """Tell whether the exchange holds a session on `day`."""
        if self.knows(day):
            return True
        place = bisect_left(self._sessions, day)
        between = 0 < place < len(self._sessions)
        if between and (self._sessions[place] - self._sessions[place - 1]).days <= LONGEST_CLOSURE:
            return False
        return day not in self._closed and self._rules.trading_day(day)

    def next_session(self, day: date) -> date:
        """First session after `day`.

        Raises:
            ValueError: no day for more than a year is one.
        """
        return self._nearest(day, range(1, _LONGEST_SEARCH), "after")

    def on_or_before(self, day: date) -> date:
        """Newest session that what was published on `day` can hold: `day` itself, or the last one before it.

        Raises:
            ValueError: no day for more than a year is one.
        """
        return self._nearest(day, range(0, -_LONGEST_SEARCH, -1), "before")

    def _nearest(self, day: date, offsets: Iterable[int], side: str) -> date:
        """Give the first trading day at so many days from `day`."""
        for offset in offsets:
            if self.trading_day(found := day + timedelta(days=offset)):
                return found
        message = f"no session within {_LONGEST_SEARCH} days {side} {day}: the set of closed days is wrong"
        raise ValueError(message)


def learned(sessions: Iterable[date], rules: Rules | None = None) -> Calendar:
    """Learn the calendar from the sessions held, for what lies between them; the rules tell of the rest."""
    return Calendar(rules or load_rules(), sessions)


def expected(sessions: Iterable[date], rules: Rules | None = None) -> Calendar:
    """Say which session may come next: on the rules' days, and on those of the sessions held.

    Nothing is closed by what is not held: it may have to come yet. So the next session by this calendar is
    never later than the one that will have followed, and a prediction that names it is met by that one, in
    whatever order sessions come. `learned` would have it meet the next one that happens to be held already.
    """
    rules = rules or load_rules()
    return Calendar(replace(rules, opened=rules.opened | frozenset(sessions)))


@cache
def by_rules() -> Calendar:
    """Give the calendar of the rules alone."""
    return Calendar(load_rules())


@cache
def load_rules(file: Path = RULES_FILE) -> Rules:
    """Read a rules file, by default the one that comes with the program.

    Raises:
        ValueError: it is no TOML, or its eras, closures or openings are not as the packaged file's.
    """
    try:
        return _rules(tomllib.loads(file.read_text("utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        message = f"the calendar's rules in {file} can't be used: {error!r}"
        raise ValueError(message) from error


def _rules(said: Mapping[str, Any]) -> Rules:
    eras = tuple(Era(one["start"], frozenset(map(_WEEKDAYS.index, one["weekdays"]))) for one in said["eras"])
    starts = [era.start for era in eras]
    if starts[:1] != [date.min] or starts != sorted(set(starts)):
        message = f"eras have to follow each other from {date.min} on"
        raise ValueError(message)
    closed = frozenset(day for one in said.get("closures", []) for day in _days(one["first"], one["last"]))
    return Rules(eras, closed, frozenset(one["day"] for one in said.get("openings", [])))


def _days(first: date, last: date) -> list[date]:
    """List the days from `first` to `last`, both included."""
    if last < first:
        message = f"a closure ends on {last}, before it begins on {first}"
        raise ValueError(message)
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]
