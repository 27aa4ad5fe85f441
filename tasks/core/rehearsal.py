"""Splitting a folder of exchange files into a history and the sessions that are played as if live."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from tasks.core.claims import Claim, Kind, Verdict
from tasks.core.layout import DailyFile, NotAPriceFileError
from tasks.core.places import Listed, Places, in_order
from tasks.core.prices import content_hash, file_date, read_daily

NEAR = timedelta(days=31)
"""How long before the first daily file the table's sessions are compared with the files."""

_NEWS = {Kind.SESSION, Kind.REVISION, Kind.MOVED}
"""What a file can be that is worth playing; the others repeat what is there."""

Recent = Callable[[date], Iterable[tuple[date | None, DailyFile]]]
"""Reads a table's sessions from a day on."""


@dataclass(frozen=True)
class Plan:
    """Sessions from `since` on are history, of what is named for a day up to `until`; `live` is played."""

    since: date
    until: date
    sessions: int
    rows: int
    live: list[str]
    """Names of files, in order; more than one of a session that was completed later."""


def plan(
    history: Mapping[date, int], recent: Recent, daily: Iterable[tuple[str, bytes]], live: int, most: int
) -> Plan:
    """Decide what is history and what is played; which session a file holds is told as ingestion tells it.

    Args:
        history: rows by session of the price table.
        recent: reads the table.
        daily: (name, bytes) of the daily files; those that only repeat a session are not played.
        live: how many sessions are played.
        most: how many sessions of history are taken at most.

    Raises:
        ValueError: there are not more than `live` sessions, or files lack of the last ones.
    """
    files = list(_files(daily))
    first = min((one.named for one in files if one.named), default=date.max) - NEAR
    table = [_claim(f"table {day}", day, content, dated=True) for day, content in recent(first)]
    places = Places(Listed())
    verdicts = {one: places.take(one) for one in in_order([*table, *files])}
    rows = {day: count for day, count in history.items() if day < first}
    rows |= {known.day: len(known.claim.rows()) for known in places.held}
    days, news = sorted(rows), dict(_news(files, verdicts, places))
    told = set(news.values())
    if len(days) <= live or not set(days[-live:]) <= told:
        message = f"{len(days)} sessions, {len(told)} of them in daily files: too few to play the last {live}"
        raise ValueError(message)
    past = days[:-live][-most:]
    begins = min(one.named or day for one, day in news.items() if day > past[-1])
    played = [one.source for one, day in news.items() if (one.named or day) >= begins]
    return Plan(past[0], begins - timedelta(days=1), len(past), sum(rows[day] for day in past), played)


def _news(
    files: Iterable[Claim], verdicts: Mapping[Claim, Verdict], places: Places
) -> Iterator[tuple[Claim, date]]:
    """Name the files that told something new, in their order, each with its session."""
    for one in in_order(files):
        verdict = verdicts[one]
        if verdict.kind in _NEWS and verdict.day:
            yield one, places.day_of(verdict.claim.digest) or verdict.day


def _files(daily: Iterable[tuple[str, bytes]]) -> Iterator[Claim]:
    """Read what can be read as a daily file."""
    for name, content in daily:
        try:
            yield _claim(name, file_date(name), read_daily(content, name))
        except NotAPriceFileError:
            continue


def _claim(source: str, named: date | None, content: DailyFile, *, dated: bool = False) -> Claim:
    return Claim(source, named, content_hash(content.rows), lambda: content.rows, dated, content)
