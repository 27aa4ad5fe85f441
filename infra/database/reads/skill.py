"""Sums of errors in the database, by session and version or by symbol: what skill is computed from."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.database.revisions import standing_errors

_SUMS = """
    count(*) FILTER (WHERE baseline_error IS NOT NULL),
    coalesce(sum(error * error) FILTER (WHERE baseline_error IS NOT NULL), 0),
    coalesce(sum(abs_error) FILTER (WHERE baseline_error IS NOT NULL), 0),
    coalesce(sum(baseline_error * baseline_error), 0), coalesce(sum(abs(baseline_error)), 0),
    count(within_95), count(*) FILTER (WHERE within_95)
"""
_STANDING = standing_errors(
    "symbol, date, coalesce(model_version, '') AS version, error, abs_error, baseline_error, within_95,"
    " retracted",
    "date = ANY(:days)",
)
_DAILY = f"""
    SELECT date, version, {_SUMS} FROM ({_STANDING}) AS s WHERE NOT retracted GROUP BY date, version
"""  # noqa: S608  (our own words)
_BY_SYMBOL = f"""
    SELECT symbol, {_SUMS} FROM ({_STANDING}) AS s WHERE NOT retracted GROUP BY symbol
"""  # noqa: S608
_CHANGED = """
    SELECT DISTINCT e.date
    FROM unnest(CAST(:numbers AS int[]), CAST(:offsets AS bigint[])) AS f (number, first)
    CROSS JOIN LATERAL (
        SELECT date FROM errors WHERE partition = f.number AND "offset" >= f.first ORDER BY "offset"
    ) AS e
"""
# Asked for in their order, and so found by the key: a third of all errors is what the planner expects there.
_DAYS = "SELECT DISTINCT date FROM errors ORDER BY date DESC"
_RECENT = f"{_DAYS} LIMIT :most"


Sums = tuple[int, float, float, float, float, int, int]
"""Pairs, squared and absolute errors, persistence's, how many had an interval, and how many lay in it.

The first five are of pairs on which persistence was judged too, so that both are measured on the same ones;
`tasks.core.skill_over_time.Sums` has the names.
"""


def daily(engine: Engine, days: Collection[date]) -> dict[tuple[date, str], Sums]:
    """Sum the errors of some sessions, by session and model version.

    Raises:
        TryAgainError: the database is away, or not done within its time.
    """
    rows = _rows(engine, _DAILY, days=list(days))
    return {(day, version): tuple(sums) for day, version, *sums in rows}


def by_symbol(engine: Engine, sessions: int) -> dict[str, Sums]:
    """Sum each symbol's errors over the newest sessions; raises as `daily` does."""
    days = [row[0] for row in _rows(engine, _RECENT, most=sessions)]
    return {symbol: tuple(sums) for symbol, *sums in _rows(engine, _BY_SYMBOL, days=days)}


def changed(engine: Engine, since: Mapping[int, int]) -> list[date]:
    """List the sessions that errors at or behind these offsets, by partition, are about."""
    return [row[0] for row in _rows(engine, _CHANGED, numbers=list(since), offsets=list(since.values()))]


def days(engine: Engine) -> list[date]:
    """List every session that has an error, newest first; raises as `daily` does."""
    return [row[0] for row in _rows(engine, _DAYS)]


def _rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(text(query), values))
