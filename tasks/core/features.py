"""The versioned feature set: a panel of prices in, one row of features a symbol and session out.

Every value at session t depends on sessions t-WINDOW+1 .. t alone, so that one new session computed from a
window of WINDOW sessions equals, bit for bit, what a computation over all of history gives (see `windows`).
What is not known is missing (NaN, null on the wire), never a made-up number. For each: `FEATURE_TABLE`.
"""

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.across import Across
from tasks.core.feature_table import ACROSS, FEATURE_TABLE, OWN
from tasks.core.grid import CARRY, WINDOW, Grid
from tasks.core.market import Market
from tasks.core.panel import Panel, Wide
from tasks.core.view import View
from tasks.core.written import written

__all__ = ["CARRY", "FEATURES", "FEATURE_SET", "WINDOW", "Panel", "compute", "target", "to_payload_rows"]

FEATURE_SET = "2"
"""Version of the set; any change of a formula, a name or the order of `FEATURES` asks for a new one."""

FEATURES: tuple[str, ...] = tuple(entry.name for entry in FEATURE_TABLE)
"""Names of the features, in the order of the columns."""

BLOCK = 512
"""Sessions computed at a time: bounds memory, and leaves out who traded in none of them."""

CELLS = 40_000
"""Sessions times symbols computed at a time: what a formula reads and writes then stays in the cache."""


def compute(panel: Panel, since: date | None = None) -> pd.DataFrame:
    """Compute all features of the sessions from `since` on (all of them without it).

    Args:
        panel: Prices, including the WINDOW - 1 sessions before the first one asked for, where they exist.
        since: First session wanted.

    Returns:
        One row a symbol that traded, by date and symbol: symbol, date (datetime.date), last_close (rupees of
        the day), then `FEATURES` (float64, NaN where unknown).
    """
    first = 0 if since is None else sum(day < since for day in panel.dates)
    traded = np.isfinite(panel["close"][first:])
    table = np.empty((1 + len(FEATURES), int(traded.sum())))
    filled = 0
    for start in range(first, len(panel), BLOCK):
        stop = min(start + BLOCK, len(panel))
        rows = slice(filled, filled + int(traded[start - first : stop - first].sum()))
        if rows.stop > filled:
            _fill(table[:, rows], panel, start, stop)
        filled = rows.stop
    return _frame(panel, first, traded, table)


def _fill(table: Wide, panel: Panel, start: int, stop: int) -> None:
    """Fill the columns of sessions `start` to `stop` (exclusive) from what they can depend on."""
    until = panel if stop == len(panel) else panel.before(panel.dates[stop])
    part = until.tail(stop - start + WINDOW - 1)
    first = len(part) - (stop - start)
    grid = Grid(part, first)
    table[0] = grid.lag(grid.field("close"))[grid.lag(grid.traded)]
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 and the like are NaN, which is what is meant
        _fill_own(table[1 : 1 + len(OWN)], part, grid)
        across = Across(grid, dict(zip(FEATURES, table[1:], strict=True)))
        for column, entry in zip(table[1 + len(OWN) :], ACROSS, strict=True):
            column[:] = entry.compute(across)


def _fill_own(columns: Wide, part: Panel, grid: Grid) -> None:
    """Fill the columns of `OWN`, some symbols at a time, of the output sessions of a grid over a panel."""
    first, market, traded = len(part) - len(grid.dates), Market(grid), grid.lag(grid.traded)
    place = np.cumsum(traded).reshape(traded.shape) - 1
    for symbols in _parts(grid, len(part)):
        view, cells = View(part.of(symbols), first, market), np.flatnonzero(traded[:, symbols])
        rows = place[:, symbols].ravel()[cells]
        for column, entry in zip(columns, OWN, strict=True):
            column[rows] = entry.compute(view).take(cells)


def _parts(grid: Grid, sessions: int) -> list[npt.NDArray[np.int64]]:
    """Cut the symbols that have output into parts of at most CELLS cells.

    Those without an adjustment are among themselves: their factors are 1 throughout, and cost nothing.
    """
    wanted = grid.lag(grid.traded).any(axis=0)
    adjusted = (np.broadcast_to(grid.factor, grid.traded.shape) != 1).any(axis=0)
    most = max(1, CELLS // (sessions + 1))
    out = []
    for kind in (np.flatnonzero(wanted & ~adjusted), np.flatnonzero(wanted & adjusted)):
        out += [kind[begin : begin + most] for begin in range(0, len(kind), most)]
    return out


def target(panel: Panel) -> pd.DataFrame:
    """What a model learns: the next session's log return on its reference price.

    Returns:
        One row a symbol that traded in a session that has a next one: symbol, date, target_date (the next
        session), target (log return; NaN when the symbol did not trade then, or moved by more than BAND).
    """
    traded = np.isfinite(panel["close"][:-1])
    grid = Grid(panel, 0)
    after = np.array(panel.dates[1:], dtype="object")[np.nonzero(traded)[0]]
    outcomes = {"target_date": after, "target": grid.lag(grid.move)[1:][traded]}
    return pd.DataFrame(_identity(panel, 0, traded) | outcomes)


def _frame(panel: Panel, first: int, traded: npt.NDArray[np.bool_], table: Wide) -> pd.DataFrame:
    """Lay out the rows where a symbol traded, last close and features; `traded` begins at session `first`."""
    frame = pd.DataFrame(table.T, columns=["last_close", *FEATURES], copy=False)
    for place, (name, column) in enumerate(_identity(panel, first, traded).items()):
        frame.insert(place, name, column)
    return frame


def _identity(panel: Panel, first: int, traded: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Name symbol and date of each row."""
    sessions, symbols = np.nonzero(traded)
    return {
        "symbol": pd.array(np.array(panel.symbols, dtype="object")[symbols], dtype="str"),
        "date": np.array(panel.dates[first:], dtype="object")[sessions],
    }


def to_payload_rows(frame: pd.DataFrame) -> list[dict[str, float | None]]:
    """Features of each row as they go on the wire: `SIGNIFICANT` digits, null where unknown.

    Args:
        frame: n rows with the columns `FEATURES`.

    Returns:
        n mappings of feature name to number or None, in the order of the rows.
    """
    return written(frame[list(FEATURES)].to_numpy("float64"), FEATURES)
