"""The columns of a session's prices, and how the exchange's daily files name them.

Two decisions that every reader here shares:

* A close must be a positive finite number, or the row is rejected: a close is what we forecast.
* Any other price that is zero, negative or absent is *missing* (NaN), never a number: the exchange and the
  vendors write 0 or `-` where nothing is known. The row stays, since its close is good. Prices that merely
  look odd (high below low, close outside the range) stay as they are; features guard themselves.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

PRICES = ("open", "high", "low", "close", "prev_close", "vwap", "ltp")
"""Rupees of the day; NaN where missing, except close."""

TIDY = ("symbol", "open", "high", "low", "close", "volume", "turnover", "prev_close", "vwap", "trades", "ltp")
"""Columns of a session's tidy frame: symbol str, trades Int64, the rest float64 (volume in units)."""

REJECTED = ("line", "symbol", "reason", "reasons", "cells")
"""Columns of the frame of rejected rows.

`line` counts from 1 in the file or the table, `symbol` is spelled as there; `reason` is the code that
decided, `reasons` all that apply, with spaces between; `cells` is the row as it stood, a JSON object by
column name.
"""

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
    "Date": "date",
}
"""The exchange's column names. They are read by name: their number (20 to 24) and order have moved.

Daily files carry no date; a history under the same names does.
"""

REQUIRED = ("Symbol", "Open", "High", "Low", "Close", "Vol", "Turnover")
"""Without these a file is not a price file; the others may be absent."""


@dataclass(frozen=True)
class Layout:
    """How a kind of price file names its columns."""

    names: Mapping[str, str]
    """The file's name of a column -> ours (`TIDY`, or date)."""
    required: tuple[str, ...]
    """Names of the file that have to be there exactly once."""

    def missing(self, header: list[str]) -> list[str]:
        """List what a header lacks of this layout, or names twice."""
        return [name for name in self.required if header.count(name) != 1]


EXCHANGE = Layout(SOURCE_NAMES, REQUIRED)
OURS = Layout({name: name for name in (*TIDY, "date")}, tuple(SOURCE_NAMES[name] for name in REQUIRED))
TABLE = Layout(OURS.names, ("date", *OURS.required))
COMPANY = Layout(
    {
        "published_date": "date",
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "traded_quantity": "volume",
        "traded_amount": "turnover",
    },
    ("published_date", "open", "high", "low", "close", "traded_quantity", "traded_amount"),
)
"""One company's history; the file's name is the symbol."""
COMPANY_LTP = Layout(
    {
        "Date": "date",
        "Open": "open",
        "High": "high",
        "Low": "low",
        "Ltp": "close",  # what it calls so is the close
        "Qty": "volume",
        "Turnover": "turnover",
    },
    ("Date", "Open", "High", "Low", "Ltp", "Qty", "Turnover"),
)
"""Another vendor's; the file's name is the symbol."""
LAYOUTS = (EXCHANGE, TABLE, OURS, COMPANY, COMPANY_LTP)
"""All that can be read; the first that a header fulfils counts."""
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
    """Rows left out (`REJECTED`) with their reason codes and the cells as they stood."""
    doubled: int = 0
    """Rows that repeated another row of the same file and were dropped."""
    doubtful: Mapping[str, int] = field(default_factory=dict)
    """Usable rows that break a rule which rejects nothing (`frame_schema.RULES`), by its code."""
    former_hash: str | None = None
    """`content_hash` with the symbols as the file spells them, None where that is `rows` itself.

    Sessions that were stored before spellings were unified are known under it.
    """


class NoUsableRowError(NotAPriceFileError):
    """A price file, every row of which is rejected: it is no session; `content` has the rejected rows."""

    def __init__(self, message: str, content: DailyFile) -> None:
        """Keep what was read, so that the rows can be put aside."""
        super().__init__(message)
        self.content = content


def counts(content: DailyFile) -> dict[str, int]:
    """Count the rejected rows by the reason that decided; the sum is the number of rejected rows."""
    found = content.rejected["reason"].value_counts().sort_index()
    return {str(reason): int(count) for reason, count in found.items()}


def quarantine_frame(content: DailyFile) -> pd.DataFrame:
    """Give the rejected rows as they are put aside: `source` and the columns of `REJECTED`."""
    frame = content.rejected[list(REJECTED)].reset_index(drop=True)
    frame.insert(0, "source", pd.Series([content.source] * len(frame), dtype="str"))
    return frame


def number(text: str) -> float | None:
    """Read a number as the exchange writes it: thousands commas, `-` for missing.

    Returns:
        The number, NaN for a placeholder, None for anything that is not a number.
    """
    text = text.strip()
    if text in _PLACEHOLDERS:
        return math.nan
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None
