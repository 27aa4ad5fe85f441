"""Which files of a landing place are worth reading, by their names and times and by what was announced."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from tasks.core.calendar import EXCHANGE_TZ, Calendar, exchange_day
from tasks.core.prices import file_date

LOOK_BACK = timedelta(days=14)
"""A file that is named for an older day than so long before the newest session, and was not changed since, is
left alone: runs of repeated files reach ten days."""

WHILE_READ = timedelta(minutes=10)
"""How long before its announcement a file may have been read: what changed it meanwhile was not seen. Clocks
of stores differ from ours by less."""

READ_AGAIN = timedelta(days=4)
"""For so long after its announcement such a file is read at every look; weekends lie between two looks."""

EXPECTED_BY = time(17, 0)
"""Local time from which a trading day without a session is worth telling."""


class Offer(NamedTuple):
    """A file that lies there, its name without folders, and when it was changed where its store tells."""

    path: str
    file: str
    modified: datetime | None


def chosen(
    offers: Iterable[Offer], announced: Mapping[str, datetime], newest: date | None, now: datetime
) -> list[Offer]:
    """Choose what may hold a session, or a fuller one, that is not known yet.

    That is a file that no session was announced from, if it is recent by its name or by its time; and one
    that was changed since, or so shortly before that it may have been read before it was whole. A file that
    only repeats a session is announced never, so it is chosen until it is old: reading it again is harmless.

    Args:
        offers: what lies there.
        announced: by file the time of the newest session that was announced from it.
        newest: the newest session that is known; without one everything is chosen.
        now: the time, with its zone.
    """
    since = min(newest, exchange_day(now)) - LOOK_BACK if newest else date.min
    return [one for one in offers if _worth_reading(one, announced.get(one.file), since, now)]


def _worth_reading(offer: Offer, announced: datetime | None, since: date, now: datetime) -> bool:
    if announced is not None:
        doubt = WHILE_READ if announced > now - READ_AGAIN else timedelta()
        return offer.modified is not None and offer.modified > announced - doubt
    named = file_date(offer.file)
    if named is not None and named >= since:
        return True
    if offer.modified is None:
        return named is None
    return since == date.min or offer.modified >= now - LOOK_BACK


def missing_session(calendar: Calendar, now: datetime) -> date | None:
    """Name today's session when it should be there by now and is not: it is late, or the day a holiday."""
    today, clock = exchange_day(now), now.astimezone(EXCHANGE_TZ).time()
    expected = clock >= EXPECTED_BY and calendar.trading_day(today) and not calendar.knows(today)
    return today if expected else None
