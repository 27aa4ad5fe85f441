"""The market as a whole, session by session: what all symbols did together. Arrays are [n_sessions, 1]."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tasks.core.grid import LIMIT, Grid, Sessions
from tasks.core.panel import Wide

FEWEST = 5
"""Symbols with a known return that a session needs before it says anything about the market."""


class CoupledError(AttributeError):
    """A value depends on all symbols, and only some of them are here."""


class Market:
    """Aggregates over the symbols with a known return (`Grid.move`) in each session of a grid's window."""

    def __init__(self, grid: Grid) -> None:
        """Count who has a return; nothing else is computed before it is asked for."""
        self.grid = grid
        self.known = np.isfinite(grid.move)
        count = self.known.sum(axis=1, keepdims=True).astype("float64")
        self.count: Sessions = np.where(count >= FEWEST, count, np.nan)

    @classmethod
    def given(cls, aggregates: Mapping[str, Sessions]) -> Self:
        """Take aggregates that were computed elsewhere, over all symbols; it can compute no other."""
        market = cls.__new__(cls)
        vars(market).update(aggregates)  # where cached properties keep theirs
        return market

    def __getattr__(self, name: str) -> Any:
        """Refuse what a given market does not hold; nothing else comes here.

        Raises:
            CoupledError: this can't be computed without the other symbols.
        """
        message = f"{name} of the market asks for all of its symbols"
        raise CoupledError(message)

    def aggregates(self) -> dict[str, Sessions]:
        """Compute every aggregate, by name."""
        names = [name for name, what in vars(type(self)).items() if isinstance(what, cached_property)]
        return {name: getattr(self, name) for name in names}

    def share(self, flags: npt.NDArray[np.bool_]) -> Sessions:
        """Fraction of the known symbols for which the flag holds."""
        out: Sessions = (self.known & flags).sum(axis=1, keepdims=True) / self.count
        return out

    @cached_property
    def mean(self) -> Sessions:
        """Equal-weighted log return."""
        return _total(np.where(self.known, self.grid.move, 0.0)) / self.count

    @cached_property
    def weighted(self) -> Sessions:
        """Turnover-weighted log return; NaN while turnover is missing (before 2011-03)."""
        weight = np.where(self.known & np.isfinite(self.grid.turnover), self.grid.turnover, 0.0)
        total = _total(weight)
        moved = _total(weight * np.where(self.known, self.grid.move, 0.0))
        return moved / np.where((total > 0) & np.isfinite(self.count), total, np.nan)

    @cached_property
    def median(self) -> Sessions:
        """Median log return."""
        ordered = np.sort(np.where(self.known, self.grid.move, np.inf), axis=1)
        count = self.known.sum(axis=1)
        rows, upper = np.arange(len(ordered)), np.minimum(count // 2, ordered.shape[1] - 1)
        middle = (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, upper]) / 2
        return np.where(np.isfinite(self.count), middle[:, None], np.nan)

    @cached_property
    def dispersion(self) -> Sessions:
        """Standard deviation of log returns across symbols."""
        apart = np.where(self.known, self.grid.move - self.mean, 0.0) ** 2
        return np.sqrt(_total(apart) / self.count)

    @cached_property
    def breadth(self) -> Sessions:
        """Fraction of risers less fraction of fallers, -1 .. 1."""
        out: Sessions = self.share(self.grid.move > 0) - self.share(self.grid.move < 0)
        return out

    @cached_property
    def unchanged(self) -> Sessions:
        """Fraction of symbols that closed at their reference price."""
        return self.share(self.grid.move == 0)

    @cached_property
    def at_upper(self) -> Sessions:
        """Fraction of symbols that closed at the upper limit."""
        return self.share(self.grid.move >= np.log1p(LIMIT))

    @cached_property
    def at_lower(self) -> Sessions:
        """Fraction of symbols that closed at the lower limit."""
        return self.share(self.grid.move <= np.log1p(-LIMIT))

    @cached_property
    def turnover(self) -> Sessions:
        """Turnover of all symbols in rupees; NaN while it is missing."""
        total = _total(np.where(np.isfinite(self.grid.turnover), self.grid.turnover, 0.0))
        return np.where(total > 0, total, np.nan)


def _total(wide: Wide) -> Sessions:
    """Sum over symbols in their order, so that one that adds 0, or is not in the panel, changes no bit."""
    return np.cumsum(wide, axis=1)[:, -1:]
