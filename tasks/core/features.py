"""The versioned feature set: a panel of prices in, one row of features a symbol and session out.

Every value at session t depends on sessions t-WINDOW+1 .. t alone, so that one new session computed from a
window of WINDOW sessions equals, bit for bit, what a computation over all of history gives (see `windows`).
What is not known is missing (NaN, null on the wire), never a made-up number. For each: `FEATURE_TABLE`.
"""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.feature_table import FEATURE_TABLE
from tasks.core.grid import CARRY, WINDOW, Grid
from tasks.core.panel import Panel
from tasks.core.view import View
from tasks.core.written import written

__all__ = ["CARRY", "FEATURES", "FEATURE_SET", "WINDOW", "Panel", "compute", "target", "to_payload_rows"]

FEATURE_SET = "1"
"""Version of the set; any change of a formula, a name or the order of `FEATURES` asks for a new one."""

FEATURES: tuple[str, ...] = tuple(entry.name for entry in FEATURE_TABLE)
"""Names of the features, in the order of the columns."""

BLOCK = 256
"""Sessions computed at a time: bounds memory, and leaves out who traded in none of them."""


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
    blocks = [
        _block(panel, start, min(start + BLOCK, len(panel))) for start in range(first, len(panel), BLOCK)
    ]
    nothing = _frame(panel, first, np.zeros((0, len(panel.symbols)), dtype=bool), {})
    return pd.concat(blocks, ignore_index=True) if blocks else nothing


def _block(panel: Panel, start: int, stop: int) -> pd.DataFrame:
    """Compute sessions `start` to `stop` (exclusive) from what they can depend on."""
    until = panel if stop == len(panel) else panel.before(panel.dates[stop])
    part = until.tail(stop - start + WINDOW - 1)
    first = len(part) - (stop - start)
    traded = np.isfinite(part["close"][first:])
    if not traded.any():
        return _frame(part, first, traded, {})
    view = View(part, first)
    with np.errstate(invalid="ignore"):  # inf - inf and the like stay NaN, which is what is meant
        columns = {entry.name: entry.compute(view)[traded] for entry in FEATURE_TABLE}
    return _frame(part, first, traded, {"last_close": view.lag(view.field("close"))[traded], **columns})


def target(panel: Panel) -> pd.DataFrame:
    """What a model learns: the next session's log return on its reference price.

    Returns:
        One row a symbol that traded in a session that has a next one: symbol, date, target_date (the next
        session), target (log return; NaN when the symbol did not trade then, or moved by more than BAND).
    """
    if len(panel) < 2:  # noqa: PLR2004  (a session and its next one)
        return _frame(panel, 0, np.zeros((0, len(panel.symbols)), dtype=bool), {})[["symbol", "date"]].assign(
            target_date=pd.Series(dtype="object"), target=pd.Series(dtype="float64")
        )
    grid = Grid(panel, 0)
    traded = grid.lag(grid.traded)[:-1]
    frame = _frame(panel, 0, traded, {})
    after = np.array(panel.dates[1:], dtype="object")[np.nonzero(traded)[0]]
    return frame[["symbol", "date"]].assign(target_date=after, target=grid.lag(grid.move)[1:][traded])


def _frame(
    panel: Panel, first: int, traded: npt.NDArray[np.bool_], columns: dict[str, npt.NDArray[np.float64]]
) -> pd.DataFrame:
    """Lay out the rows where a symbol traded; `traded` begins at session `first`."""
    sessions, symbols = np.nonzero(traded)
    names = {name: columns.get(name, np.full(len(sessions), np.nan)) for name in ("last_close", *FEATURES)}
    identity = {
        "symbol": pd.array(np.array(panel.symbols, dtype="object")[symbols], dtype="str"),
        "date": np.array(panel.dates[first:], dtype="object")[sessions],
    }
    return pd.DataFrame({**identity, **names})


def to_payload_rows(frame: pd.DataFrame) -> list[dict[str, float | None]]:
    """Features of each row as they go on the wire: `SIGNIFICANT` digits, null where unknown.

    Args:
        frame: n rows with the columns `FEATURES`.

    Returns:
        n mappings of feature name to number or None, in the order of the rows.
    """
    return written(frame[list(FEATURES)].to_numpy("float64"), FEATURES)
