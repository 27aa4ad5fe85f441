"""Oddities of the market itself: when it was open, and which symbols were there.

Previous closes are kept in step, so that a session still continues the one before it.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.calendar import by_rules
from tasks.core.oddities import picked
from tasks.core.oddities_frame import Change, days_of, equities, noted, some_symbols, without

FRIDAY, SUNDAY = 4, 6


def closures(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Close the exchange for one to seven weeks after some sessions (15); all later ones move on."""
    days = days_of(rows)
    moved: dict[date, date] = {}
    after, shift = picked(rng, np.arange(len(days)) < len(days) - 1, share), timedelta(0)
    for day, closed in zip(days, after, strict=True):
        wanted = max(day + shift, max(moved.values(), default=date.min) + timedelta(days=1))
        moved[day] = wanted if by_rules().trading_day(wanted) else by_rules().next_session(wanted)
        shift += timedelta(weeks=int(rng.integers(1, 8))) if closed else timedelta(0)
    return rows.assign(date=rows["date"].map(moved))


def odd_days(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Hold sessions of a Sunday on the Friday before, a day without trading by the calendar (13)."""
    days = days_of(rows)
    friday = timedelta(days=2)
    able = [
        day.weekday() == SUNDAY
        and (day - friday).weekday() == FRIDAY
        and not by_rules().trading_day(day - friday)
        for day in days
    ]
    # Where Thursday's session is absent no file tells that Friday's is another one.
    able = [
        odd and before == day - friday - timedelta(days=1)
        for odd, before, day in zip(able, [None, *days], days, strict=False)
    ]
    chosen = picked(rng, np.array(able), share)
    moved = {day: day - friday * int(odd) for day, odd in zip(days, chosen, strict=True)}
    return rows.assign(date=rows["date"].map(moved))


def delisted(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """End symbols for good somewhere in the second half of the market (24)."""
    session, days = pd.factorize(rows["date"])
    kept, ends = np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    for places in _places(rows, some_symbols(rows, share, rng)):
        after = session[places] > int(rng.integers(len(days) // 2, len(days) - 1))
        kept[places] = ~after
        ends[places[~after][-1:]] = True
    return noted(rows, ends & (rows["kind"] == "").to_numpy(), "delisted")[kept]


def halts(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Stop trade in symbols for one month to a year (22, 25); prices may be anywhere after it."""
    session, days = pd.factorize(rows["date"])
    kept = np.ones(len(rows), dtype=bool)
    for places in _places(rows, some_symbols(rows, share, rng)):
        start = int(rng.integers(1, max(2, len(days) - 22)))
        end = min(start + int(rng.integers(20, 230)), len(days) - 1)
        kept[places] = (session[places] < start) | (session[places] >= end)
    kept |= (rows["kind"] != "").to_numpy()
    return without(rows, kept)


def thin(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Leave 1 to 12 rows of some sessions (16), those with an event included."""
    session, days = pd.factorize(rows["date"])
    kept = np.ones(len(rows), dtype=bool)
    for place in np.flatnonzero(picked(rng, np.arange(len(days)) > 0, share)):
        able = np.flatnonzero(session == place)
        kept[able] = False
        kept[rng.choice(able, min(len(able), int(rng.integers(1, 13))), replace=False)] = True
    kept |= (rows["kind"] != "").to_numpy()
    return without(rows, kept)


def renamed(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Go on with symbols under another name, for two sessions under both; at first it has no past (24)."""
    parts, kept = list[pd.DataFrame](), np.ones(len(rows), dtype=bool)
    for symbol in some_symbols(rows[equities(rows)], share, rng):
        [own] = _places(rows, [symbol])
        new = rows.iloc[own[int(rng.integers(len(own) // 2, max(len(own) // 2 + 1, len(own) - 3))) :]]
        kept[new.index[2:]] = False
        first = np.arange(len(new)) == 0
        new = new.assign(symbol=f"{symbol}X", prev_close=new["prev_close"].where(~first, 0.0))
        parts.append(noted(new, first, "renamed").assign(was=np.where(first, symbol, new["was"])))
    return _sorted(pd.concat([rows[kept], *parts]))


def spaced(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write debentures' symbols with a space before the years in some rows, or without theirs (10)."""
    chosen = picked(rng, rows["symbol"].str.contains("/").to_numpy(dtype=bool), share)
    bare = rows["symbol"].str.replace(" ", "")
    other = bare.where(rows["symbol"] != bare, bare.str.replace(r"(\d+/\d+)$", r" \1", regex=True))
    return _sorted(rows.assign(symbol=rows["symbol"].where(~chosen, other)))


LISTINGS: dict[str, Change] = {
    "closures": closures,
    "odd_days": odd_days,
    "delisted": delisted,
    "halts": halts,
    "thin": thin,
}
"""Made before those of the prices."""

NAMES: dict[str, Change] = {"renamed": renamed, "spaced": spaced}
"""Made after those of the prices, which go by symbol."""


def _places(rows: pd.DataFrame, symbols: list[str]) -> Iterator[npt.NDArray[np.int64]]:
    """Where each of some symbols' rows are."""
    code, known = pd.factorize(rows["symbol"])
    for symbol in symbols:
        yield np.flatnonzero(code == known.get_loc(symbol))


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["date", "symbol"], kind="stable")
