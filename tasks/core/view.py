"""A grid with what several features share."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from tasks.core.grid import ROUNDING, Grid, Sessions
from tasks.core.market import Market
from tasks.core.panel import Panel, Wide
from tasks.core.windows import Factor, decayed, rolling_extremes

T = TypeVar("T")

_ODD = 0.25
"""A VWAP or last price this far from the close (log) is an error of the source, not a gap."""


class View(Grid):
    """A grid with what several features share; arrays named here hold output rows only unless they say so."""

    def __init__(self, panel: Panel, first: int, market: Market | None = None) -> None:
        """See `Grid`; without a market the symbols of the panel are it."""
        super().__init__(panel, first)
        self.symbols = panel.symbols
        self.market = Market(self) if market is None else market
        self._made: dict[tuple[Any, ...], Any] = {}

    def once(self, formula: Callable[..., T], *arguments: int) -> T:
        """What a formula makes of this view, computed once however many features ask for it."""
        key = (formula, *arguments)
        if key not in self._made:
            self._made[key] = formula(self, *arguments)
        made: T = self._made[key]
        return made

    @cached_property
    def returns(self) -> dict[int, Wide]:
        """Log returns of the carried path over so many sessions."""
        return self.sums(self.steps, (2, 3, 5, 10, 20, 40, 60, 120, 240))

    @cached_property
    def averages(self) -> dict[int, tuple[Wide, Wide]]:
        """Mean and deviation of the path in rupees of the output row."""
        return self.spreads(self.carried, (5, 10, 20, 60, 120, 200), rupees=True)

    @cached_property
    def deviations(self) -> dict[int, Wide]:
        """Deviation of the path's session returns."""
        moments = self.spreads(self.steps, (5, 10, 20, 60, 120))
        return {window: spread for window, (_, spread) in moments.items()}

    @cached_property
    def powers(self) -> dict[int, dict[int, Wide]]:
        """Sums of powers of the path's session returns, by power and window."""
        square = self.steps * self.steps
        products = {2: square, 3: square * self.steps, 4: square * square}
        return {1: self.returns} | {power: self.sums(wide, (20, 60)) for power, wide in products.items()}

    @cached_property
    def absolute_returns(self) -> dict[int, Wide]:
        """Sums of the path's absolute session returns."""
        return self.sums(np.abs(self.steps), (5, 20, 60))

    @cached_property
    def turnovers(self) -> dict[int, Wide]:
        """Sums of turnover in rupees of their days."""
        return self.sums(self.turnover, (5, 20, 60))

    @cached_property
    def volumes(self) -> dict[int, tuple[Wide, Wide]]:
        """Mean and deviation of the units traded."""
        return self.spreads(self.volume, (20, 60))

    @cached_property
    def changes(self) -> Wide:
        """Rupee change of the path, all rows of the window."""
        return self.snapped(self.carried - self.before, self.carried)

    def snapped(self, change: Wide, beside: Wide) -> Wide:
        """Change in which what rounding leaves of no change is 0."""
        return np.where(np.abs(change) <= ROUNDING * np.abs(beside), 0.0, change)

    @cached_property
    def high(self) -> Wide:
        """High, never below the close (as in a few hundred rows of the source); the path if untraded."""
        return np.fmax(self.field("high"), self.carried)

    @cached_property
    def low(self) -> Wide:
        """Low, never above the close; the path if untraded, or where the source has 0 for missing."""
        low = self.field("low")
        return np.fmin(np.where(low > 0, low, np.nan), self.carried)

    @cached_property
    def typical(self) -> Wide:
        """Mean of high, low and close, all rows of the window."""
        return (self.high + self.low + self.carried) / 3

    @cached_property
    def log_range(self) -> Wide:
        """Log of high over low, all rows of the window; 0 if untraded."""
        return np.log(self.high / self.low)

    def traded_only(self, wide: Wide, back: int) -> Wide:
        """Values `back` sessions before each output row, of sessions in which the symbol traded."""
        return np.where(self.lag(self.traded, back), self.lag(wide, back), np.nan)

    @cached_property
    def true_range(self) -> Wide:
        """Wilder's true range, the session's range widened to the path before it, all rows; rupees."""
        return np.maximum(self.high, self.before) - np.minimum(self.low, self.before)

    @cached_property
    def directions(self) -> tuple[Wide, Wide]:
        """Wilder's directional movements up and down, all rows; rupees.

        The larger of the rise of the high and the fall of the low counts, if it is positive.
        """
        up = self.snapped(self.high - self.earlier(self.high), self.high)
        down = self.snapped(self.earlier(self.low) - self.low, self.low)
        more = self.snapped(up - down, self.high)
        nothing = 0.0 * more
        return np.where((more > 0) & (up > 0), up, nothing), np.where((more < 0) & (down > 0), down, nothing)

    def smoothed(self, moved: Wide, factor: Factor, sessions: int) -> list[Wide]:
        """Wilder's running sums from the window's start on, at its last `sessions` sessions, oldest first.

        `moved` holds the rows that windows of 2 * `sessions` - 1 sessions look at.
        """
        out, rows = [], len(self.dates)
        total = moved[:rows]
        for number in range(1, 2 * sessions - 1):
            newest = slice(number, number + rows)
            kept = 1.0 if number < sessions - 1 else 1 - 1 / sessions
            total = total * kept * (factor if isinstance(factor, float) else factor[newest]) + moved[newest]
            if number >= sessions - 1:
                out.append(total)
        return out

    @cached_property
    def vwap_gap(self) -> Wide:
        """Log of VWAP over close, all rows of the window; VWAP is turnover/volume where not given."""
        units = np.where(self.volume > 0, self.volume, np.nan)
        given = self.field("vwap")
        return self.gap(np.where(np.isfinite(given), given, self.turnover / units))

    @cached_property
    def ltp_gap(self) -> Wide:
        """Log of the last traded price over close, all rows of the window."""
        return self.gap(self.field("ltp"))

    def gap(self, price: Wide) -> Wide:
        """Log distance of another price from the close, all rows of the window."""
        distance = np.log(np.where(price > 0, price, np.nan) / self.field("close"))
        return np.where(np.abs(distance) <= _ODD, distance, np.nan)

    def decayed(self, wide: Wide, alpha: float, window: int, seed: int) -> Wide:
        """Exponential mean over the last `window` sessions as `windows.decayed` has it; rupees."""
        return self.lag(decayed(self.recent(wide, window), alpha, window, seed, self.factors(window)))

    @cached_property
    def extremes(self) -> dict[int, tuple[Wide, Wide]]:
        """Lowest and highest close of the path, by window, in rupees of the output row."""
        windows = (20, 60, 250)
        path, factor = self.recent(self.carried, max(windows)), self.factors(max(windows))
        lowest, highest = (
            rolling_extremes(path, windows, choose, factor) for choose in (np.minimum, np.maximum)
        )
        return {window: (self.lag(lowest[window]), self.lag(highest[window])) for window in windows}

    def place(self, window: int, rows: int) -> Wide:
        """Where the close stands between lowest low (0) and highest high (1) of the window; NaN if equal.

        Of the output rows and the `rows` - 1 before the first of them.
        """
        reach, factor = window + rows - 1, self.factors(window + rows - 1)
        low = rolling_extremes(self.recent(self.low, reach), (window,), np.minimum, factor)[window]
        high = rolling_extremes(self.recent(self.high, reach), (window,), np.maximum, factor)[window]
        low, high = low[window - 1 :], high[window - 1 :]
        wide = self.snapped(high - low, high)
        above: Wide = (self.recent(self.carried, rows) - low) / np.where(wide == 0, np.nan, wide)
        return above

    def for_all(self, sessions: Sessions) -> Wide:
        """A number per output session, given to every symbol."""
        return np.broadcast_to(sessions, self.lag(self.carried).shape)

    def market_lag(self, sessions: Sessions, back: int = 0) -> Wide:
        """A number of the market from `back` sessions ago, given to every symbol."""
        return self.for_all(self.lag(sessions, back))
