"""Answers are compared before time is told: ours and a peer's, on the rows where both mean the same."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.grid import ADJUSTED, BAND
from tasks.core.panel import Panel

TOLERANCE = 1e-6
"""Relative, and absolute below 1: what is left of running totals, by which both peers compute."""


ALONE = 0.01
"""Share of the rows that may be known on one side only: for 0/0 a library makes up a number, or it begins a
few rows later than it could."""


class Agreement(NamedTuple):
    """How a feature of a peer compares with ours."""

    feature: str
    rows: int
    """So many were compared."""
    apart: float
    """The largest difference, as a fraction of the larger value or, below 1, of 1."""
    wrong: int
    """So many are farther apart than TOLERANCE, or, where it is more than ALONE, known on one side only."""


def runs(panel: Panel) -> pd.Series:
    """Count, for each row, through how many sessions up to it the symbol traded without anything odd.

    Odd is what we guard against and a peer does not: a session without a trade, an adjustment, a move outside
    the band, a close outside its range, no volume or turnover.
    """
    close = panel["close"]
    with np.errstate(invalid="ignore"):
        orderly = (panel["low"] <= close) & (close <= panel["high"])
        orderly &= (panel["volume"] > 0) & (panel["turnover"] > 0)
        smooth = ~(np.abs(panel["prev_close"][1:] / close[:-1] - 1) > ADJUSTED)
        smooth &= np.abs(close[1:] / close[:-1] - 1) <= BAND
    found, run = np.zeros(close.shape, dtype="int64"), np.zeros(close.shape[1], dtype="int64")
    for session in range(len(close)):
        goes_on = smooth[session - 1] if session else np.zeros(len(run), dtype="bool")
        run = np.where(orderly[session], np.where(goes_on, run, 0) + 1, 0)
        found[session] = run
    sessions, symbols = np.nonzero(np.isfinite(close))
    names, dates = np.array(panel.symbols, dtype="object"), np.array(panel.dates, dtype="object")
    index = pd.MultiIndex.from_arrays([names[symbols], dates[sessions]], names=["symbol", "date"])
    return pd.Series(found[sessions, symbols], index=index)


def compare(
    ours: pd.DataFrame, peer: pd.DataFrame, run: pd.Series, windows: dict[str, int]
) -> list[Agreement]:
    """Compare a peer's features with ours.

    Args:
        ours: What `features.compute` gave.
        peer: Indexed by symbol and date; its columns are features.
        run: See `runs`.
        windows: Sessions that each feature looks at, one before them included.
    """
    told = ours.set_index(["symbol", "date"])[list(peer)]
    index = peer.index.intersection(told.index)
    told, peer, lengths = told.loc[index], peer.loc[index], run.reindex(index).to_numpy()
    return [_compared(name, told[name], peer[name], lengths >= windows[name]) for name in map(str, peer)]


def _compared(name: str, ours: pd.Series, peer: pd.Series, rows: npt.NDArray[np.bool_]) -> Agreement:
    left, right = (side.to_numpy("float64")[rows] for side in (ours, peer))
    known = np.isfinite(left) & np.isfinite(right)
    alone = int((np.isfinite(left) != np.isfinite(right)).sum())
    wrong = alone if alone > ALONE * len(left) else 0
    size = np.maximum(1.0, np.maximum(np.abs(left[known]), np.abs(right[known])))
    apart = np.abs(left[known] - right[known]) / size
    return Agreement(name, len(left), float(apart.max(initial=0.0)), wrong + int((apart > TOLERANCE).sum()))


def require(peer: str, found: list[Agreement]) -> None:
    """Go on only where every answer is right, and was looked at.

    Raises:
        SystemExit: one is wrong, or none could be compared; then no time is worth telling.
    """
    bad = [one for one in found if one.wrong or not one.rows]
    if bad:
        told = "; ".join(f"{one.feature}: {one.wrong} of {one.rows} wrong, by {one.apart:.2g}" for one in bad)
        message = f"{peer} does not agree with ours: {told}"
        raise SystemExit(message)
