"""Splitting a folder of exchange files into a history and the sessions that are played as if live."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from tasks.core.layout import NotAPriceFileError
from tasks.core.prices import content_hash, file_date, read_daily


@dataclass(frozen=True)
class Plan:
    """History is what lies between `since` and `until`; `live` names the files that are played, in order."""

    since: date
    until: date
    sessions: int
    rows: int
    live: list[str]


def plan(history: dict[date, int], daily: Iterable[tuple[str, bytes]], live: int, most: int) -> Plan:
    """Decide what is history and what is played.

    Args:
        history: rows by session of the price table.
        daily: (name, bytes) of the daily files, in order of name; stale repeats among them count nothing.
        live: how many sessions are played.
        most: how many sessions of history are taken at most.

    Raises:
        ValueError: there are not more than `live` sessions.
    """
    firsts = list(_first_appearances(daily, set(history)))
    rows = history | {day: count for _, day, count in firsts}
    days = sorted(rows)
    if len(days) <= live or len(firsts) < live:
        message = f"{len(days)} sessions, {len(firsts)} of them in daily files: too few to play {live}"
        raise ValueError(message)
    past = days[:-live][-most:]
    played = [name for name, day, _ in firsts if day > past[-1]]
    return Plan(past[0], past[-1], len(past), sum(rows[day] for day in past), played)


def _first_appearances(
    daily: Iterable[tuple[str, bytes]], known: set[date]
) -> Iterator[tuple[str, date, int]]:
    """Yield name, session and rows of the files that are no repeat and no session of the table."""
    seen: set[str] = set()
    for name, content in daily:
        day = file_date(name)
        try:
            rows = read_daily(content, name).rows
        except NotAPriceFileError:
            continue
        digest = content_hash(rows)
        if day and day not in known and digest not in seen:
            yield name, day, len(rows)
        seen.add(digest)
