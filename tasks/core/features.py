"""The versioned feature set: a panel of prices in, one row of features a symbol and session out.

Every value at session t depends on sessions t-WINDOW+1 .. t alone, so that one new session computed from a
window of WINDOW sessions equals, bit for bit, what a computation over all of history gives (see `windows`).
What is not known is missing (NaN, null on the wire), never a made-up number. For each: `FEATURE_TABLE`.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.feature_table import FEATURE_TABLE, Feature
from tasks.core.grid import CARRY, WINDOW, Grid, Sessions
from tasks.core.market import CoupledError, Market
from tasks.core.panel import FIELDS, Panel
from tasks.core.view import View

__all__ = ["CARRY", "FEATURES", "FEATURE_SET", "WINDOW", "Panel", "compute", "target", "to_payload_rows"]

FEATURE_SET = "1"
"""Version of the set; any change of a formula, a name or the order of `FEATURES` asks for a new one."""

FEATURES: tuple[str, ...] = tuple(entry.name for entry in FEATURE_TABLE)
"""Names of the features, in the order of the columns."""

SIGNIFICANT = 7
"""Digits that a value keeps on the wire, so that rounding noise never makes two events differ."""

BLOCK = 256
"""Sessions computed at a time: bounds memory, and leaves out who traded in none of them."""

_FINEST = 12
"""Decimals beyond which a value is noise whatever its size."""

_POWERS = 10.0 ** np.arange(_FINEST + 1)


Aggregates = Mapping[str, Sessions]
"""Of `Market`, by name: [n_window + n_sessions - 1, 1]."""


def compute(panel: Panel, since: date | None = None, market: list[Aggregates] | None = None) -> pd.DataFrame:
    """Compute all features of the sessions from `since` on (all of them without it).

    Args:
        panel: Prices, including the WINDOW - 1 sessions before the first one asked for, where they exist.
        since: First session wanted.
        market: With it the panel may hold some of the market's symbols only: what `market_inputs` gave for
            the panel of all of them, with the same sessions and the same `since`. Features that compare
            symbols with each other are NaN then, until `compared` has added them.

    Returns:
        One row a symbol that traded, by date and symbol: symbol, date (datetime.date), last_close (rupees of
        the day), then `FEATURES` (float64, NaN where unknown).
    """
    spans = list(_spans(panel, since))
    given: list[Aggregates | None] = [None] * len(spans) if market is None else [*market]
    blocks = [_block(*span, aggregates) for span, aggregates in zip(spans, given, strict=True)]
    nothing = _frame(panel, len(panel), np.zeros((0, len(panel.symbols)), dtype=bool), {})
    return pd.concat(blocks, ignore_index=True) if blocks else nothing


def market_inputs(panel: Panel, since: date | None = None) -> list[Aggregates]:
    """Compute what symbols know of each other, from all of them: for `compute` on some."""
    return [
        View(part, first).market.aggregates() if part.symbols else {} for part, first in _spans(panel, since)
    ]


def compared(table: pd.DataFrame, panel: Panel, since: date | None = None) -> pd.DataFrame:
    """Add the features that compare symbols with each other.

    Args:
        table: n rows of `compute` on parts of the panel, in the order of the whole.
        panel: of all symbols.
        since: as for `compute`.
    """
    found: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in coupled()}
    for part, first in _spans(panel, since):
        traded = np.isfinite(part["close"][first:])
        view = View(part, first)
        with np.errstate(invalid="ignore"):
            for entry in FEATURE_TABLE:
                if traded.any() and entry.name in found:
                    found[entry.name].append(entry.compute(view)[traded])
    return table.assign(**{name: np.concatenate(columns) for name, columns in found.items() if columns})


def _spans(panel: Panel, since: date | None) -> Iterator[tuple[Panel, int]]:
    """Cut into BLOCK sessions, each with what it can depend on; with the row at which it begins."""
    begin = 0 if since is None else sum(day < since for day in panel.dates)
    for start in range(begin, len(panel), BLOCK):
        stop = min(start + BLOCK, len(panel))
        until = panel if stop == len(panel) else panel.before(panel.dates[stop])
        part = until.tail(stop - start + WINDOW - 1)
        yield part, len(part) - (stop - start)


@cache
def coupled() -> frozenset[str]:
    """Name the features that can't be computed from a symbol's own prices and the market's aggregates.

    Each is tried on a symbol without the others.
    """
    panel = Panel((date(2024, 1, 1),), ("A",), np.ones((len(FIELDS), 1, 1)))
    view = View(panel, 0, Market.given(View(panel, 0).market.aggregates()))
    with np.errstate(all="ignore"):
        return frozenset(entry.name for entry in FEATURE_TABLE if _asks_for_others(entry, view))


def _asks_for_others(entry: Feature, view: View) -> bool:
    try:
        entry.compute(view)
    except CoupledError:
        return True
    return False


def _block(part: Panel, first: int, market: Aggregates | None) -> pd.DataFrame:
    """Compute the sessions from row `first` on."""
    traded = np.isfinite(part["close"][first:])
    if not traded.any():
        return _frame(part, first, traded, {})
    view = View(part, first, None if market is None else Market.given(market))
    left_out = frozenset[str]() if market is None else coupled()
    with np.errstate(invalid="ignore"):  # inf - inf and the like stay NaN, which is what is meant
        columns = {
            entry.name: entry.compute(view)[traded] for entry in FEATURE_TABLE if entry.name not in left_out
        }
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
    columns = []
    for name in FEATURES:
        values = frame[name].to_numpy("float64")
        known = np.isfinite(values)
        cells: list[float | None] = _rounded(np.where(known, values, 0.0)).tolist()
        for row in np.flatnonzero(~known).tolist():
            cells[row] = None
        columns.append(cells)
    return [dict(zip(FEATURES, row, strict=True)) for row in zip(*columns, strict=True)]


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round finite numbers to `SIGNIFICANT` digits; whole powers of ten keep the shortest decimals."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 10.0**-_FINEST))).astype("int64")
    scale = _POWERS[np.clip(SIGNIFICANT - 1 - size, 0, _FINEST)]
    rounded: npt.NDArray[np.float64] = (
        np.rint(values * scale) / scale + 0.0
    )  # + 0.0 turns minus zero into 0.0
    return rounded
