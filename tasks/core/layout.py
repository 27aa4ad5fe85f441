"""The columns of a session's prices, and how the exchange's daily files name them.

Two decisions that every reader here shares:

* A close must be a positive finite number, or the row is rejected: a close is what we forecast.
* Any other price that is zero, negative or absent is *missing* (NaN), never a number: the exchange and the
  vendors write 0 or `-` where nothing is known. The row stays, since its close is good. Prices that merely
  look odd (high below low, close outside the range) stay as they are; features guard themselves.
"""

import math
import re
from dataclasses import dataclass

import pandas as pd

PRICES = ("open", "high", "low", "close", "prev_close", "vwap", "ltp")
"""Rupees of the day; NaN where missing, except close."""

TIDY = ("symbol", "open", "high", "low", "close", "volume", "turnover", "prev_close", "vwap", "trades", "ltp")
"""Columns of a session's tidy frame: symbol str, trades Int64, the rest float64 (volume in units)."""

REJECTED = ("line", "symbol", "reason")
"""Columns of the frame of rejected rows; `line` counts from 1 in the file or the table."""

SOURCE_NAMES = {
    "Symbol": "symbol",
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Vol": "volume",
    "Turnover": "turnover",
    "Prev. Close": "prev_close",
    "VWAP": "vwap",
    "Trans.": "trades",
    "LTP": "ltp",
}
"""The exchange's column names. They are read by name: their number (20 to 24) and order have moved."""

REQUIRED = ("Symbol", "Open", "High", "Low", "Close", "Vol", "Turnover")
"""Without these a file is not a price file; the others may be absent."""

MARKET = "NEPSE"
"""Key of the whole market's events; no instrument may carry it."""

MAX_SYMBOL = 64
_NUMBER = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{2,3})+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_PLACEHOLDERS = frozenset({"", "-"})


class NotAPriceFileError(ValueError):
    """The whole file is something else; the message says what was expected."""


@dataclass(frozen=True)
class DailyFile:
    """One session's prices as read: what is usable, what is not, and what was doubled."""

    source: str
    rows: pd.DataFrame
    """Tidy frame (`TIDY`), sorted by symbol, one row a symbol."""
    rejected: pd.DataFrame
    """Rows left out (`REJECTED`) with a reason code each."""
    doubled: int = 0
    """Rows that repeated another row of the same file and were dropped."""


def number(text: str) -> float | None:
    """Read a number as the exchange writes it: thousands commas, `-` for missing.

    Returns:
        The number, NaN for a placeholder, None for anything that is not a number.
    """
    text = text.strip()
    if text in _PLACEHOLDERS:
        return math.nan
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def bad_symbol(symbol: str) -> str | None:
    """Say why a ticker can't be one (reason code), or None: the contract's limits, checked early."""
    if not symbol:
        return "empty_symbol"
    if len(symbol) > MAX_SYMBOL or not symbol.isprintable():
        return "unusable_symbol"
    return "reserved_symbol" if symbol == MARKET else None


def bad_values(close: float, volume: float, turnover: float) -> str | None:
    """Say why a row's numbers can't be used (reason code), or None. NaN means missing.

    A missing turnover is tolerated (history has 0 there for years); a missing volume is not, since volume
    tells a session from a stale repeat.
    """
    if math.isnan(close):
        return "missing_close"
    if math.isinf(close):
        return "infinite_close"
    if close <= 0:
        return "close_not_positive"
    if not (math.isfinite(volume) and volume >= 0):
        return "bad_volume"
    return "bad_turnover" if turnover < 0 or math.isinf(turnover) else None
