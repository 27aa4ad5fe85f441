"""Symbols of a session side by side: ranks, shares and peers, over those that traded in it.

Who has not traded in the session is left out, so that no value depends on symbols outside of the window.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.grid import Grid
from tasks.core.market import FEWEST
from tasks.core.panel import Wide

Column = npt.NDArray[np.float64]
"""One feature: [n_rows], a row for each symbol that traded, by session, then symbol."""

FINEST = 1e9
"""Ranked values are rounded to one part in it (absolute), so that rounding noise makes nobody the higher."""

PEER_SESSIONS = 60
"""Sessions of the correlation that makes two symbols peers."""


class Across:
    """What sessions look like once each symbol's own features are there."""

    def __init__(self, grid: Grid, own: Mapping[str, Column]) -> None:
        """Take the grid of all symbols and their own features, by name."""
        self.grid, self.own = grid, own
        sessions, self.symbols = np.nonzero(grid.lag(grid.traded))
        self.sessions = sessions.astype("int16")

    def rank(self, name: str) -> Column:
        """Rank of a feature in each session, 0 (exclusive) .. 1; equals share their mean, NaN has none."""
        rows = np.flatnonzero(np.isfinite(self.own[name]))
        values, sessions = np.rint(self.own[name][rows] * FINEST), self.sessions[rows]
        order = np.argsort(values)
        order = order[np.argsort(sessions[order], kind="stable")]
        out = np.full(len(self.sessions), np.nan)
        out[rows[order]] = _ranks(sessions[order], values[order])
        return out

    def share_above(self, name: str) -> Column:
        """Share of a session's symbols with the feature known that have it above 0; the same for all."""
        known = np.isfinite(self.own[name])
        sessions = len(self.grid.dates)
        count = np.bincount(self.sessions[known], minlength=sessions)
        above = np.bincount(self.sessions[known], self.own[name][known] > 1 / FINEST, minlength=sessions)
        share = np.where(count >= FEWEST, above / np.maximum(count, 1), np.nan)
        out: Column = share[self.sessions]
        return out

    @cached_property
    def peers(self) -> tuple[Column, Column]:
        """Correlation-weighted mean return of the other symbols in the session, and in the one before.

        Only of symbols that traded in the session and whose path is known, and moved, in all PEER_SESSIONS.
        """
        out = np.full((2, len(self.sessions)), np.nan)
        begin = np.searchsorted(self.sessions, np.arange(len(self.grid.dates) + 1))
        steps = self.grid.recent(self.grid.steps, PEER_SESSIONS)
        for session in np.flatnonzero(np.diff(begin)):
            rows = slice(begin[session], begin[session + 1])
            window = steps[session : session + PEER_SESSIONS, self.symbols[rows]]
            out[:, rows] = _similar(window)
        return out[0], out[1]


def _similar(window: Wide) -> Wide:
    """Mean of the others' last two returns, weighted by correlation; [2, n_symbols].

    The matrix of correlations is never made: it is the product of the standardised returns with themselves.
    """
    out = np.full((2, window.shape[1]), np.nan)
    whole = np.flatnonzero(np.isfinite(window).all(axis=0) & (window != window[0]).any(axis=0))
    if len(whole) < FEWEST:
        return out
    returns = np.ascontiguousarray(window[:, whole])
    apart = returns - returns.mean(axis=0)
    unit = apart / np.sqrt((apart * apart).sum(axis=0))
    for back in (0, 1):
        latest = returns[len(returns) - 1 - back]
        loads = (unit * latest).sum(axis=1, keepdims=True)
        out[back, whole] = ((unit * loads).sum(axis=0) - latest) / (len(whole) - 1)
    return out


def _ranks(sessions: npt.NDArray[np.int16], values: Column) -> Column:
    """Rank rows that are sorted by session, then value; equals share the mean of their places."""
    begin, number = _groups(sessions)
    tied, place = _groups(sessions, values)
    mean = (tied[:-1] + tied[1:] + 1) / 2
    out: Column = (mean[place] - begin[number]) / np.diff(begin)[number]
    return out


def _groups(*keys: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find where groups of equal keys begin in sorted rows (last: how many rows), and the group of each."""
    starts = np.ones(len(keys[0]), dtype=bool)
    starts[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.append(np.flatnonzero(starts), len(starts)), np.cumsum(starts) - 1
