"""A grid with what several features share."""

from functools import cached_property

import numpy as np
import pandas as pd

from tasks.core.grid import ROUNDING, Grid, Sessions
from tasks.core.market import CoupledError, Market
from tasks.core.panel import Panel, Wide
from tasks.core.windows import decayed, rolling_extreme

_ODD = 0.25
"""A VWAP or last price this far from the close (log) is an error of the source, not a gap."""


class View(Grid):
    """A grid with what several features share; arrays named here hold output rows only."""

    def __init__(self, panel: Panel, first: int, market: Market | None = None) -> None:
        """See `Grid`; with a market that is given, the panel holds some of its symbols."""
        super().__init__(panel, first)
        self._whole = market is None
        self.market = Market(self) if market is None else market

    def require_whole(self) -> None:
        """Say that what follows compares symbols with each other.

        Raises:
            CoupledError: not all of them are here.
        """
        if not self._whole:
            message = "this compares all symbols of the market, and only some of them are here"
            raise CoupledError(message)

    @cached_property
    def returns(self) -> dict[int, Wide]:
        """Log returns of the carried path over so many sessions."""
        return self.sums(self.steps, (2, 3, 5, 10, 20, 60))

    @cached_property
    def averages(self) -> dict[int, tuple[Wide, Wide]]:
        """Mean and deviation of the path in rupees of the output row."""
        return self.spreads(self.carried, (5, 20, 60), rupees=True)

    @cached_property
    def deviations(self) -> dict[int, Wide]:
        """Deviation of the path's session returns."""
        return {window: spread for window, (_, spread) in self.spreads(self.steps, (5, 20, 60)).items()}

    @cached_property
    def changes(self) -> Wide:
        """Rupee change of the path, all rows of the window; what rounding leaves of no change is 0."""
        change = self.carried - self.before
        return np.where(np.abs(change) <= ROUNDING * self.carried, 0.0, change)

    @cached_property
    def high(self) -> Wide:
        """High, never below the close, which it is in a few hundred rows of the source."""
        return np.fmax(self.field("high"), self.field("close"))

    @cached_property
    def low(self) -> Wide:
        """Low, never above the close."""
        return np.fmin(self.field("low"), self.field("close"))

    @cached_property
    def true_range(self) -> Wide:
        """Log of Wilder's true range: the session's range widened to the path before it; 0 if untraded."""
        top, bottom = np.maximum(self.high, self.before), np.minimum(self.low, self.before)
        idle = np.where(np.isfinite(self.carried), 0.0, np.nan)
        return np.where(self.traded, np.log(top / bottom), idle)

    @cached_property
    def vwap_gap(self) -> Wide:
        """Log of VWAP over close, all rows of the window; VWAP is turnover/volume where not given."""
        units = np.where(self.volume > 0, self.volume, np.nan)
        given = self.field("vwap")
        return self.gap(np.where(np.isfinite(given), given, self.turnover / units))

    def gap(self, price: Wide) -> Wide:
        """Log distance of another price from the close, all rows of the window."""
        distance = np.log(np.where(price > 0, price, np.nan) / self.field("close"))
        return np.where(np.abs(distance) <= _ODD, distance, np.nan)

    @cached_property
    def macd(self) -> Wide:
        """EMA 12 less EMA 26 of the path, cut off after 60 sessions; 20 sessions, each in its own rupees."""
        path, factor = self.recent(self.carried, 79), self.recent(self.factor, 79)
        return decayed(path, 2 / 13, 60, factor=factor) - decayed(path, 2 / 27, 60, factor=factor)

    @cached_property
    def extremes(self) -> tuple[Wide, Wide]:
        """Highest and lowest close of the path over 100 sessions, in rupees of the output row."""
        path, factor = self.recent(self.carried, 100), self.recent(self.factor, 100)
        top, bottom = (rolling_extreme(path, 100, choose, factor) for choose in (np.maximum, np.minimum))
        return self.lag(top), self.lag(bottom)

    def for_all(self, sessions: Sessions) -> Wide:
        """A number per output session, given to every symbol."""
        return np.broadcast_to(sessions, self.lag(self.carried).shape)

    def market_lag(self, sessions: Sessions, back: int = 0) -> Wide:
        """A number of the market from `back` sessions ago, given to every symbol."""
        return self.for_all(self.lag(sessions, back))

    def rank(self, wide: Wide) -> Wide:
        """Rank among the symbols that traded in the session, 0 (exclusive) .. 1; ties share their mean."""
        self.require_whole()
        known = np.where(self.lag(self.traded), wide, np.nan)
        out: Wide = pd.DataFrame(known).rank(axis=1, pct=True).to_numpy("float64")
        return out
