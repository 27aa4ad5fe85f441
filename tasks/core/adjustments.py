"""Adjustment factors: what an earlier price is multiplied by to stand in the rupees of a later session.

A bonus, right or dividend lowers the price overnight without a loss to anybody. Found are exactly the factors
by which features and targets are adjusted (`Grid.factor`); here each is told with its reason:

* `announced`: the exchange's previous close is not the last close, and the session traded within the band
  around it. The factor is previous close / last close.
* `jump`: nobody gave a previous close, and the close lies beyond the band around the last one, where no trade
  could take it. The factor is close / last close: the session's own move is in it and can't be told apart.
* `unknown`: the close lies beyond the band although a previous close was given. No corporate action that the
  exchange knows of: a bad tick, an auction, a relisting. The factor is close / last close, and the one that
  follows a bad tick takes it back.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd

from tasks.core.grid import BAND, CARRY, Grid
from tasks.core.panel import Panel, Wide

COLUMNS = ("symbol", "date", "factor", "kind", "evidence")
"""Columns of a frame of adjustments; the factor brings rupees of the last close to rupees of `date`."""


class Kind(StrEnum):
    """How an adjustment is known."""

    ANNOUNCED = "announced"
    JUMP = "jump"
    UNKNOWN = "unknown"


def factors(panel: Panel, since: date = date.min) -> pd.DataFrame:
    """List the adjustments in a panel.

    Args:
        panel: Sessions with `CARRY` more before the first one asked for; where they lack, an adjustment after
            a pause is not seen.
        since: First session asked for.

    Returns:
        Frame of `COLUMNS` (factor > 0, never 1; kind a value of `Kind`), in order of date and symbol; closes
        that lie too far apart for a number give no row.
    """
    first = bisect_left(panel.dates, since)
    if first == len(panel):
        return pd.DataFrame({name: [] for name in COLUMNS})
    grid = Grid(panel, first)
    with np.errstate(over="ignore", divide="ignore"):
        factor, move = _factor(grid), grid.lag(grid.move)
    close, given = grid.lag(grid.field("close")), grid.lag(grid.field("prev_close"))
    reference, last = (grid.lag(wide) for wide in grid.references[:2])
    age = grid.lag(grid.references[2])
    rows = []
    for s, k in np.argwhere((factor != 1) & (factor > 0) & np.isfinite(factor)).tolist():
        kind = _kind(move[s, k], given[s, k])
        past = f"the last close, {last[s, k]:g} ({_sessions(age[s, k])} before)"
        evidence = _evidence(kind, close[s, k], reference[s, k], past)
        rows.append((panel.symbols[k], grid.dates[s], float(factor[s, k]), kind.value, evidence))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _factor(grid: Grid) -> Wide:
    """Give the factor of each output session, also where nobody was adjusted."""
    return grid.lag(np.broadcast_to(grid.factor, grid.traded.shape))


def _kind(move: float, given: float) -> Kind:
    """Tell how the adjustment of a session is known; `move` is NaN beyond the band."""
    if np.isfinite(move):
        return Kind.ANNOUNCED
    return Kind.UNKNOWN if np.isfinite(given) else Kind.JUMP


def _evidence(kind: Kind, close: float, reference: float, past: str) -> str:
    """Say what an adjustment rests on, prices in rupees of their days."""
    if kind is Kind.ANNOUNCED:
        return f"previous close {reference:g} differs from {past}"
    beyond = f"close {close:g} is more than {BAND:.1%} from"
    if kind is Kind.JUMP:
        return f"{beyond} {past}; no previous close was given"
    return f"{beyond} its reference, {reference:g}, beside {past}"


def _sessions(number: int) -> str:
    return f"{number} session" if number == 1 else f"{number} sessions"


def session_adjustments(before: Sequence[pd.DataFrame], session: pd.DataFrame, day: date) -> pd.DataFrame:
    """List a session's adjustments as `factors` does of a whole history, in some milliseconds.

    Args:
        before: Tidy frames of the `CARRY` sessions before it or more, oldest first; fewer where history
            begins.
        session: Its tidy frame.
        day: Its date.
    """
    frames = [*before[-CARRY:], session]
    days = [date.min + timedelta(days=number) for number in range(len(frames))]
    found = factors(Panel.from_sessions(list(zip(days, frames, strict=True))), days[-1])
    return found.assign(date=day)
