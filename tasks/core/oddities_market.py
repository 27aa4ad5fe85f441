"""Oddities of the market itself: when it was open, and which symbols were there.

Previous closes are kept in step, so that a session still continues the one before it.
"""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from tasks.core.calendar import FRIDAY, SUNDAY, next_session, trading_day
from tasks.core.oddities import picked
from tasks.core.oddities_frame import Change, days_of, equities, noted, some_symbols, without


def closures(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Close the exchange for one to seven weeks after some sessions (15); all later ones move on."""
    days = days_of(rows)
    moved: dict[date, date] = {}
    after, shift = picked(rng, np.arange(len(days)) < len(days) - 1, share), timedelta(0)
    for day, closed in zip(days, after, strict=True):
        wanted = max(day + shift, max(moved.values(), default=date.min) + timedelta(days=1))
        moved[day] = wanted if trading_day(wanted) else next_session(wanted)
        shift += timedelta(weeks=int(rng.integers(1, 8))) if closed else timedelta(0)
    return rows.assign(date=rows["date"].map(moved))


def odd_days(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Hold sessions of a Sunday on the Friday before, a day without trading by the calendar (13)."""
    days = days_of(rows)
    friday = timedelta(days=2)
    able = [
        day.weekday() == SUNDAY and (day - friday).weekday() == FRIDAY and not trading_day(day - friday)
        for day in days
    ]
    able[0] = False
    chosen = picked(rng, np.array(able), share)
    moved = {day: day - friday * int(odd) for day, odd in zip(days, chosen, strict=True)}
    return rows.assign(date=rows["date"].map(moved))


def delisted(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """End symbols for good somewhere in the second half of the market (24)."""
    days, kept, ends = days_of(rows), np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    for symbol in some_symbols(rows, share, rng):
        own = (rows["symbol"] == symbol).to_numpy()
        last = days[int(rng.integers(len(days) // 2, len(days) - 1))]
        before = own & (rows["date"] <= last).to_numpy()
        if before.any():
            kept &= before | ~own
            ends[np.flatnonzero(before)[-1]] = True
    return noted(rows, ends & (rows["kind"] == "").to_numpy(), "delisted")[kept]


def halts(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Stop trade in symbols for one month to a year (22, 25); prices may be anywhere after it."""
    days, kept = days_of(rows), np.ones(len(rows), dtype=bool)
    for symbol in some_symbols(rows, share, rng):
        start = int(rng.integers(1, max(2, len(days) - 22)))
        end = min(start + int(rng.integers(20, 230)), len(days) - 1)
        kept &= ~((rows["symbol"] == symbol) & rows["date"].between(days[start], days[end - 1])).to_numpy()
    kept |= (rows["kind"] != "").to_numpy()
    return without(rows, kept)


def thin(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Leave 1 to 12 rows of some sessions (16), those with an event included."""
    days = days_of(rows)
    kept = np.ones(len(rows), dtype=bool)
    for place in np.flatnonzero(picked(rng, np.arange(len(days)) > 0, share)):
        of_day = (rows["date"] == days[place]).to_numpy()
        able = np.flatnonzero(of_day)
        kept[able] = False
        kept[rng.choice(able, min(len(able), int(rng.integers(1, 13))), replace=False)] = True
    kept |= (rows["kind"] != "").to_numpy()
    return without(rows, kept)


def renamed(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Go on with symbols under another name, for two sessions under both; at first it has no past (24)."""
    parts = [rows]
    for symbol in some_symbols(rows[equities(rows)], share, rng):
        own = rows[rows["symbol"] == symbol]
        new = own.iloc[int(rng.integers(len(own) // 2, max(len(own) // 2 + 1, len(own) - 3))) :]
        first = np.arange(len(new)) == 0
        both = np.isin(parts[0].index, new.index[2:])
        parts[0] = parts[0][~both]
        new = new.assign(symbol=f"{symbol}X", prev_close=new["prev_close"].where(~first, 0.0))
        parts.append(noted(new, first, "renamed").assign(was=np.where(first, symbol, new["was"])))
    return pd.concat(parts)


def spaced(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Write debentures' symbols with a space before the years in some rows, or without theirs (10)."""
    chosen = picked(rng, rows["symbol"].str.contains("/").to_numpy(dtype=bool), share)
    bare = rows["symbol"].str.replace(" ", "")
    other = bare.where(rows["symbol"] != bare, bare.str.replace(r"(\d+/\d+)$", r" \1", regex=True))
    return rows.assign(symbol=rows["symbol"].where(~chosen, other))


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
