"""The market as wide arrays: one row a session, one column a symbol, NaN where a symbol did not trade."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

Wide = npt.NDArray[np.float64]
"""A float64 array [n_sessions, n_symbols]."""

FIELDS = ("open", "high", "low", "close", "volume", "turnover", "prev_close", "vwap", "ltp")
"""Fields of a panel: prices in rupees of the day, volume in units, turnover in rupees."""


@dataclass(frozen=True)
class Panel:
    """Sessions side by side: `values[f, s, k]` is field `FIELDS[f]` of `symbols[k]` in session `dates[s]`.

    Dates ascend strictly, symbols are sorted and unique. Absent rows are NaN in every field.
    """

    dates: tuple[date, ...]
    symbols: tuple[str, ...]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_sessions(cls, sessions: Sequence[tuple[date, pd.DataFrame]]) -> "Panel":
        """Build a panel from (session date, tidy frame) pairs in any order.

        Raises:
            ValueError: A date occurs twice.
        """
        ordered = sorted(sessions, key=lambda session: session[0])
        dates = tuple(day for day, _ in ordered)
        if len(set(dates)) != len(dates):
            message = "a panel holds each session once; merge revisions before building it"
            raise ValueError(message)
        symbols = sorted({symbol for _, rows in ordered for symbol in rows["symbol"]})
        place = {symbol: k for k, symbol in enumerate(symbols)}
        values = np.full((len(FIELDS), len(dates), len(symbols)), np.nan)
        for s, (_, rows) in enumerate(ordered):
            values[:, s, [place[symbol] for symbol in rows["symbol"]]] = _fields(rows)
        return cls(dates, tuple(symbols), values)

    @classmethod
    def empty(cls) -> "Panel":
        """A panel of no session."""
        return cls((), (), np.empty((len(FIELDS), 0, 0)))

    def __getitem__(self, field: str) -> Wide:
        """One field as a wide array [n_sessions, n_symbols]."""
        wide: Wide = self.values[FIELDS.index(field)]
        return wide

    def __len__(self) -> int:
        """Number of sessions."""
        return len(self.dates)

    def tail(self, sessions: int) -> "Panel":
        """Keep the last sessions, and only the symbols that traded in them."""
        values = self.values[:, max(0, len(self) - sessions) :]
        traded = np.isfinite(values[FIELDS.index("close")]).any(axis=0)
        symbols = tuple(symbol for symbol, seen in zip(self.symbols, traded, strict=True) if seen)
        return Panel(self.dates[max(0, len(self) - sessions) :], symbols, values[:, :, traded])

    def of(self, places: npt.NDArray[np.int64]) -> "Panel":
        """Keep the symbols at these places, which ascend."""
        return Panel(self.dates, tuple(self.symbols[k] for k in places), self.values[:, :, places])

    def before(self, day: date) -> "Panel":
        """Keep the sessions before `day`, as when `day` is about to be replaced by a revision."""
        kept = sum(session < day for session in self.dates)
        return Panel(self.dates[:kept], self.symbols, self.values[:, :kept])

    def parts(self, symbols: int) -> list["Panel"]:
        """Cut into panels of so many symbols, in their order; all have the same sessions."""
        return [
            Panel(self.dates, self.symbols[k : k + symbols], self.values[:, :, k : k + symbols])
            for k in range(0, len(self.symbols), symbols)
        ]


def _fields(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Fields of a tidy frame as an array [n_fields, n_rows]."""
    return np.stack([rows[field].to_numpy("float64", na_value=np.nan) for field in FIELDS])
