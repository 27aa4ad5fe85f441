"""Which stored vector was the newest at a date: of that session or an earlier one, never of a later one."""

from typing import Final

import pandas as pd
from pandas.api.types import is_numeric_dtype

DAYS: Final = "datetime64[us]"


def asked_for(pairs: pd.DataFrame) -> pd.DataFrame:
    """Read what is asked for, strictly: a time of day, or a guessed one, would tell more than was known.

    Args:
        pairs: symbol, and date as dates, midnights or ISO texts; n rows, the same one any number of times.

    Returns:
        symbol (str) and date (datetime64[us]) in the same order, rows numbered from 0.

    Raises:
        ValueError: a column is missing, a symbol or date is missing, or a date is not one.
    """
    if absent := [name for name in ("symbol", "date") if name not in pairs.columns]:
        message = f"pairs need the columns symbol and date, there is no {' and no '.join(absent)}"
        raise ValueError(message)
    asked = pairs[["symbol", "date"]].reset_index(drop=True)
    if asked.isna().to_numpy().any():
        message = "a pair lacks its symbol or its date"
        raise ValueError(message)
    return asked.assign(symbol=asked["symbol"].astype("str"), date=_sessions(asked["date"]))


def _sessions(days: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    if len(days) and is_numeric_dtype(days):
        message = f"dates are numbers, such as {days.iloc[0]}: give dates, or texts like 2024-03-04"
        raise ValueError(message)
    read = pd.to_datetime(days, format="ISO8601")
    if read.dt.tz is not None or (read != read.dt.normalize()).any():
        message = "a date has a time of day or a time zone: a vector is known after the close of its session"
        raise ValueError(message)
    return read.astype(DAYS)


def newest_until(asked: pd.DataFrame, stored: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """Find for each pair the session of the symbol's newest vector at or before the date.

    Args:
        asked: symbol and date, n rows numbered from 0.
        stored: symbol and date of every stored vector, in any order.

    Returns:
        n sessions (datetime64[us]), NaT where there is none.
    """
    days = stored["date"].astype(DAYS)
    keys = pd.DataFrame({"symbol": stored["symbol"].astype("str"), "date": days, "as_of": days})
    ordered = asked.reset_index(names="place").sort_values("date", kind="stable")
    met = pd.merge_asof(ordered, keys.sort_values("date"), on="date", by="symbol")
    return met.set_index("place")["as_of"].reindex(asked.index)


def sessions_between(
    earlier: "pd.Series[pd.Timestamp]", later: "pd.Series[pd.Timestamp]", sessions: pd.DatetimeIndex
) -> "pd.Series[int]":
    """Count the sessions after `earlier` up to `later`, row by row; of a missing `earlier` all up to `later`.

    Args:
        earlier: n sessions or NaT.
        later: n dates.
        sessions: the market's sessions, ascending, each once.
    """
    first = earlier.fillna(pd.Timestamp.min.as_unit("us"))
    passed = sessions.searchsorted(first.to_numpy(), side="right")
    return pd.Series(sessions.searchsorted(later.to_numpy(), side="right") - passed, index=later.index)


def beside(asked: pd.DataFrame, as_of: "pd.Series[pd.Timestamp]", rows: pd.DataFrame) -> pd.DataFrame:
    """Put each pair's vector beside it.

    Args:
        asked: symbol and date, n rows.
        as_of: the session of each pair's vector, NaT for none.
        rows: symbol, date and what a vector has, one row a symbol and session; those of `as_of` at least.

    Returns:
        n rows in the order of `asked`: symbol, date, as_of, then the other columns of `rows`, missing where
        there is no vector.
    """
    keyed = rows.assign(symbol=rows["symbol"].astype("str"), as_of=rows["date"].astype(DAYS))
    wanted = asked.assign(as_of=as_of)
    return wanted.merge(keyed.drop(columns="date"), on=["symbol", "as_of"], how="left", validate="m:1")
