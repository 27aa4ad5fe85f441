"""The versioned feature set: a panel of prices in, one row of features a symbol and session out.

Every value at session t depends on sessions t-WINDOW+1 .. t alone, so that one new session computed from a
window of WINDOW sessions equals, bit for bit, what a computation over all of history gives (see `windows`).
What is not known is missing (NaN, null on the wire), never a made-up number. For each: `FEATURE_TABLE`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.across import Across
from tasks.core.catalogue import ACROSS, FEATURE_TABLE, OWN
from tasks.core.grid import CARRY, WINDOW, Grid, Sessions
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


Aggregates = Mapping[str, Sessions]
"""Of `Market`, by name: [n_window + n_sessions - 1, 1]."""


class _Span(NamedTuple):
    """Sessions that are computed together, with what they can depend on."""

    part: Panel
    first: int
    """Row of the panel at which they begin."""
    rows: slice
    """Where theirs lie among the rows of the result."""


def compute(
    panel: Panel, since: date | None = None, market: Iterable[Aggregates] | None = None
) -> pd.DataFrame:
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
    first = _begin(panel, since)
    traded = np.isfinite(panel["close"][first:])
    table = np.empty((1 + len(FEATURES), int(traded.sum())))
    for span, given in zip(_spans(panel, since), repeat(None) if market is None else market, strict=False):
        if span.rows.stop > span.rows.start:
            _fill(table[:, span.rows], span, given)
    return _frame(panel, first, traded, table)


def market_inputs(panel: Panel, since: date | None = None) -> list[Aggregates]:
    """Compute what symbols know of each other, from all of them: for `compute` on some."""
    spans = _spans(panel, since)
    return [Market(Grid(s.part, s.first)).aggregates() if s.part.symbols else {} for s in spans]


def compared(table: pd.DataFrame, panel: Panel, since: date | None = None) -> pd.DataFrame:
    """Add the features that compare symbols with each other.

    Args:
        table: n rows of `compute` on parts of the panel, in the order of the whole.
        panel: of all symbols.
        since: as for `compute`.
    """
    own = table[[entry.name for entry in OWN]].to_numpy("float64").T
    found = np.empty((len(ACROSS), len(table)))
    for span in _spans(panel, since):
        if span.rows.stop > span.rows.start:
            _fill_across(found[:, span.rows], Grid(span.part, span.first), own[:, span.rows])
    return table.assign(**{entry.name: column for entry, column in zip(ACROSS, found, strict=True)})


def _begin(panel: Panel, since: date | None) -> int:
    return 0 if since is None else sum(day < since for day in panel.dates)


def _spans(panel: Panel, since: date | None) -> Iterator[_Span]:
    """Cut into BLOCK sessions, each with what it can depend on."""
    filled = 0
    for start in range(_begin(panel, since), len(panel), BLOCK):
        stop = min(start + BLOCK, len(panel))
        until = panel if stop == len(panel) else panel.before(panel.dates[stop])
        part = until.tail(stop - start + WINDOW - 1)
        rows = slice(filled, filled + int(np.isfinite(panel["close"][start:stop]).sum()))
        filled = rows.stop
        yield _Span(part, len(part) - (stop - start), rows)


def _fill(table: Wide, span: _Span, given: Aggregates | None) -> None:
    """Fill the columns of a span's sessions."""
    grid, own = Grid(span.part, span.first), table[1 : 1 + len(OWN)]
    table[0] = grid.lag(grid.field("close"))[grid.lag(grid.traded)]
    _fill_own(own, span.part, grid, Market(grid) if given is None else Market.given(given))
    if given is None:
        _fill_across(table[1 + len(OWN) :], grid, own)
    else:
        table[1 + len(OWN) :] = np.nan


def _fill_across(columns: Wide, grid: Grid, own: Wide) -> None:
    """Fill the columns of `ACROSS` from those of `OWN`, over all symbols of the market."""
    across = Across(grid, {entry.name: column for entry, column in zip(OWN, own, strict=True)})
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 and the like are NaN, which is what is meant
        for column, entry in zip(columns, ACROSS, strict=True):
            column[:] = entry.compute(across)


def _fill_own(columns: Wide, part: Panel, grid: Grid, market: Market) -> None:
    """Fill the columns of `OWN`, some symbols at a time, of the output sessions of a grid over a panel."""
    first, traded = len(part) - len(grid.dates), grid.lag(grid.traded)
    place = np.cumsum(traded).reshape(traded.shape) - 1
    for symbols in _parts(grid, len(part)):
        view, cells = View(part.of(symbols), first, market), np.flatnonzero(traded[:, symbols])
        rows = place[:, symbols].ravel()[cells]
        with np.errstate(invalid="ignore", divide="ignore"):
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
