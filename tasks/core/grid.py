"""What features share: reference prices, session returns, the carried and adjusted price path, the market.

Everything at session t is a function of sessions t-WINDOW+1 .. t, so that one new session computed from the
window equals the same session computed from all of history. Windows count *market* sessions, not trades.

Three conventions:

* **Reference price** of a session: the last close, unless the exchange's own previous close differs from it
  by more than 0.5 %. Then the exchange has adjusted for a bonus, right or dividend, and its figure counts.
* **Carried path**: between trades a price stands as it was for at most CARRY sessions; longer, it is unknown.
  Windows over it are in the adjusted rupees of their own last row (`Grid.factor`), whatever comes later.
* **Moves outside the band** of +-10.5 % can't be trading (the exchange stops at 10 %): such a session's
  return is unknown, earlier prices are rescaled so that the path runs on without a jump.
"""

from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.core.panel import FIELDS, Panel, Wide
from tasks.core.windows import Factor, rolling_moments, rolling_sums

WINDOW = 270
"""Sessions, the current one included, that any feature may look at."""

CARRY = 20
"""Sessions that an untraded price stands; windows over the path span at most WINDOW - CARRY sessions."""

BAND = 0.105
"""Largest believable move of a session, as a fraction of the reference price."""

ADJUSTED = 0.005
"""A previous close this far (as a fraction) from the last close says that the exchange adjusted it."""

LIMIT = 0.097
"""A move from here to BAND counts as *at the limit*: tick sizes keep the close just under 10 %."""

_T = TypeVar("_T", bound=np.generic)

ROUNDING = 1e-12
"""A difference this small beside the price is what rounding leaves of none."""

Sessions = npt.NDArray[np.float64]
"""A float64 array [n_sessions, 1]: one number a session, ready to be spread over symbols."""


def reference_prices(close: Wide, prev_close: Wide) -> tuple[Wide, Wide, npt.NDArray[np.int64]]:
    """Find what each session's close is to be compared with.

    Returns:
        The reference price, the last close (at most CARRY sessions old, both NaN where unknown) and the
        sessions since that close (-1 where unknown); each [n_sessions, n_symbols].
    """
    rows = np.arange(len(close), dtype=np.int64)[:, None]
    seen = np.maximum.accumulate(np.where(np.isfinite(close), rows, -1), axis=0)
    last_row = np.vstack([np.full((1, close.shape[1]), -1, dtype=np.int64), seen[:-1]])[: len(close)]
    known = (last_row >= 0) & (rows - last_row <= CARRY)
    age = np.where(known, rows - last_row, -1)
    last = np.where(known, np.take_along_axis(close, np.maximum(last_row, 0), axis=0), np.nan)
    moved = np.isfinite(prev_close) & ~(np.abs(prev_close / last - 1) <= ADJUSTED)
    return np.where(moved, prev_close, last), last, age


class Grid:
    """Shared intermediates over a panel, each computed once; features are asked for rows `first` on."""

    def __init__(self, panel: Panel, first: int) -> None:
        """Take what rows `first` on can depend on; shorter histories are padded with unknown sessions."""
        start = first - (WINDOW - 1)
        fields, sessions, symbols = panel.values.shape
        # in C order whatever the panel's, so that a pass over rows is one through memory
        self._values = np.full((fields, sessions - start, symbols), np.nan)
        self._values[:, max(0, -start) :] = panel.values[:, max(0, start) :]
        self.dates = panel.dates[first:]
        self.previous = panel.dates[first - 1] if first else None

    def field(self, name: str) -> Wide:
        """A raw field with all rows of the window, in rupees of the day."""
        wide: Wide = self._values[FIELDS.index(name)]
        return wide

    def lag(self, wide: npt.NDArray[_T], sessions: int = 0) -> npt.NDArray[_T]:
        """Values `sessions` before each output row; [n_output, ...]."""
        last = len(wide) - sessions
        return wide[last - len(self.dates) : last]

    def recent(self, wide: Wide, window: int) -> Wide:
        """Rows that windows of so many sessions look at from the output rows."""
        return wide[len(wide) - len(self.dates) - (window - 1) :]

    def sums(self, wide: Wide, windows: tuple[int, ...], *, rupees: bool = False) -> dict[int, Wide]:
        """Sums over the last so many sessions, by window; [n_output, ...], rupees are the output row's."""
        factor = self.factors(max(windows)) if rupees else 1.0
        totals = rolling_sums(self.recent(wide, max(windows)), windows, factor)
        return {window: self.lag(total) for window, total in totals.items()}

    def spreads(
        self, wide: Wide, windows: tuple[int, ...], *, rupees: bool = False, back: int = 0
    ) -> dict[int, tuple[Wide, Wide]]:
        """Mean and population standard deviation, as `sums` gives sums; a constant's deviation is 0.

        With `back` of the windows that end so many sessions before each output row; rupees are of that row.
        """
        reach = max(windows) + back
        factor, out = self.factors(reach) if rupees else 1.0, {}
        moments = rolling_moments(self.recent(wide, reach), windows, factor)
        for window, (means, squares) in moments.items():
            mean, deviation = self.lag(means, back), np.sqrt(self.lag(squares, back) / window)
            out[window] = mean, np.where(deviation <= ROUNDING * np.abs(mean), 0.0, deviation)
        return out

    @cached_property
    def references(self) -> tuple[Wide, Wide, npt.NDArray[np.int64]]:
        """Reference price, last close and its age for every row of the window."""
        return reference_prices(self.field("close"), self.field("prev_close"))

    @cached_property
    def move(self) -> Wide:
        """Log return of the session on its reference price; NaN if untraded, unknown or outside the band."""
        ratio = self.field("close") / self.references[0]
        return np.log(np.where(np.abs(ratio - 1) <= BAND, ratio, np.nan))

    @cached_property
    def carried(self) -> Wide:
        """The close, or the last one at most CARRY sessions old, in rupees of its own day."""
        close, (_, last, _) = self.field("close"), self.references
        return np.where(np.isfinite(close), close, last)

    @cached_property
    def steps(self) -> Wide:
        """Session returns of the carried path: 0 where untraded or unbelievable, NaN before any price."""
        still = np.isfinite(self.references[1]) | np.isfinite(self.move)
        return np.where(np.isfinite(self.move), self.move, np.where(still, 0.0, np.nan))

    @cached_property
    def factor(self) -> Factor:
        """What brings rupees of the row before to rupees of the row; the number 1 if nothing was adjusted."""
        close, (reference, last, _) = self.field("close"), self.references
        believed = np.where(np.isfinite(self.move), reference, close)
        factor = np.where(np.isfinite(close), believed / last, 1.0)
        adjusted = np.abs(np.log(factor)) > ADJUSTED / 2
        return np.where(adjusted, factor, 1.0) if adjusted.any() else 1.0

    def factors(self, window: int) -> Factor:
        """The factors of the rows that windows of so many sessions look at from the output rows."""
        return self.factor if isinstance(self.factor, float) else self.recent(self.factor, window)

    def earlier(self, wide: Wide) -> Wide:
        """What a path was in the session before, in rupees of the row."""
        none = np.full((1, wide.shape[1]), np.nan)
        return np.vstack([none, wide[:-1]]) * self.factor

    @cached_property
    def before(self) -> Wide:
        """Carried close of the session before, in rupees of the row."""
        return self.earlier(self.carried)

    @cached_property
    def traded(self) -> npt.NDArray[np.bool_]:
        """Whether the symbol has a close in the session."""
        return np.isfinite(self.field("close"))

    @cached_property
    def turnover(self) -> Wide:
        """Turnover in rupees: 0 where a known symbol did not trade, NaN where 0 stands for missing."""
        given = self.field("turnover")
        given = np.where(given > 0, given, np.nan)
        return np.where(self.traded, given, np.where(np.isfinite(self.carried), 0.0, np.nan))

    @cached_property
    def volume(self) -> Wide:
        """Units traded: 0 where a known symbol did not trade."""
        idle = np.where(np.isfinite(self.carried), 0.0, np.nan)
        return np.where(self.traded, self.field("volume"), idle)
