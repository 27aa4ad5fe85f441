"""The market that is measured on: the real history where NEPSE_DATA names it, else a simulated one."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from infra.settings import Settings
from tasks.core.panel import Panel
from tasks.core.prices import read_prices
from tasks.core.simulator import history_table, simulate
from tasks.core.tidy import by_day, tidy

SIMULATED_SESSIONS, SIMULATED_SYMBOLS = 1_200, 300
WEEKEND = {5, 6}
"""Friday and Saturday, by `isoweekday`."""
Days = list[tuple[date, pd.DataFrame]]
"""Sessions in order, each a tidy frame."""


@dataclass(frozen=True, slots=True)
class Market:
    """Sessions, and where they come from."""

    source: str
    days: Days

    def rows(self) -> pd.DataFrame:
        """One row a symbol and session, as a price table has them: by symbol, then by date."""
        frame = pd.concat([rows.assign(date=day) for day, rows in self.days], ignore_index=True)
        return frame.sort_values(["symbol", "date"], ignore_index=True, kind="stable")


def load(sessions: int | None = None) -> Market:
    """Read the whole market, or its last sessions.

    Raises:
        SystemExit: NEPSE_DATA names no folder with a history.
    """
    where = Settings().data
    if where is None:
        return Market("the simulator", _simulated()[-(sessions or 0) :])
    path = Path(where) / "history.parquet"
    if not path.is_file():
        message = f"NEPSE_DATA names no folder with a history.parquet: {where}"
        raise SystemExit(message)
    found = read_prices(path.read_bytes(), path.name)
    days = [(day, file.rows) for day, file in found if day and len(file.rows)]
    return Market("the real history", days[-(sessions or 0) :])


def _simulated() -> Days:
    table = history_table(list(simulate(SIMULATED_SESSIONS, SIMULATED_SYMBOLS)))
    return [(day, tidy(rows)) for day, rows in by_day(table)]


def repeated(panel: Panel, copies: int) -> Panel:
    """Put copies of a panel's symbols beside it, under names of their own, sorted as a panel has to be."""
    width = len(str(copies))
    names = [f"{symbol}~{copy:0{width}}" for copy in range(copies) for symbol in panel.symbols]
    order = np.argsort(np.array(names, dtype="object"), kind="stable")
    symbols = tuple(names[place] for place in order)
    values = np.take(panel.values, order % len(panel.symbols), axis=2)
    return Panel(panel.dates, symbols, values)


def widened(rows: pd.DataFrame, symbols: list[str]) -> pd.DataFrame:
    """Rename a session's symbols so that so many trade: those beyond the real ones repeat the first."""
    real = len(rows)
    wanted = np.arange(len(symbols))
    wide = rows.iloc[wanted % real].assign(symbol=np.array(symbols, dtype="object")) if real else rows[:0]
    return tidy(wide)


def days_until(last: date, number: int) -> list[date]:
    """List so many weekdays of the exchange, Sunday to Thursday, up to one."""
    found: list[date] = []
    day = last
    while len(found) < number:
        if day.isoweekday() not in WEEKEND:
            found.append(day)
        day -= timedelta(days=1)
    return found[::-1]
